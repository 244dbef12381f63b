#!/usr/bin/env bash
# Protects sanitizer-summary: reports are grouped by kernel, only what the list knows by its whole name and
# tool is forgiven, and a log that was cut, or is of another form, never passes.
set -uo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
failures=0
expect() { # EXIT-CODE TEXT ARGUMENTS...: the text must be part of what is printed
  local code=$1 text=$2 got=0 output
  shift 2
  output=$(./sanitizer-summary "$@" 2>&1) || got=$?
  if [ "$got" != "$code" ] || ! grep -qF -- "$text" <<<"$output"; then
    printf 'sanitizer-summary %s: exit code %s instead of %s, or no "%s" in\n%s\n' "$*" "$got" "$code" \
      "$text" "$output"
    failures=$((failures + 1))
  fi
}
printf '# of the test\nracecheck attention_[0-9]+ a reason\nracecheck comb half a name\nmemcheck combine of another tool\n' \
  >"$work/half"
printf 'racecheck attention_[0-9]+ a reason\nracecheck combine another\n' >"$work/all"
printf 'memcheck linear_3\n' >"$work/bare"
printf '========= COMPUTE-SANITIZER\n1 of 1 checks passed\n========= ERROR SUMMARY: 0 errors\n' >"$work/clean"
printf '========= COMPUTE-SANITIZER\n1 of 1 checks' >"$work/cut"
printf '========= ERROR SUMMARY: 3 errors\n' >"$work/other"

expect 1 '2 x Invalid __global__ read of size 4 bytes in linear_3' memcheck samples/memcheck.log
expect 1 '1 x Invalid __shared__ write of size 16 bytes in void scale<float>' memcheck samples/memcheck.log
expect 1 'Race reported between Write access in attention_0' racecheck samples/racecheck.log
expect 1 'in attention_0  (known: a reason)' racecheck samples/racecheck.log "$work/half"
expect 0 'in combine  (known: another)' racecheck samples/racecheck.log "$work/all"
expect 1 'in linear_3' memcheck samples/memcheck.log "$work/all"
expect 2 'a line without a reason' memcheck "$work/clean" "$work/bare"
expect 0 'ERROR SUMMARY: 0 errors' memcheck "$work/clean"
expect 0 'ERROR SUMMARY: 0 errors' memcheck "$work/clean" /dev/null
expect 2 'no summary' memcheck "$work/cut"
expect 1 'a form that is not known' memcheck "$work/other"
expect 2 'sanitizer-summary TOOL LOG' memcheck "$work/nothing"
[ $failures = 0 ] && echo "all as expected"
exit $((failures > 0))
