#!/bin/sh
# Memory is known before the start: the peak of `quire run` lies within 5 % of what `quire compile` printed,
# for a model of 170 MB and for the demo model of 10 MB, whose workspace and cache are used to the last page, and
# the workspace does not depend on the context.
#
#   tests/e2e/memory.sh PATH/TO/quire PATH/TO/peak-memory      (quire-compile lies beside quire)
set -u
quire=${1:?usage: memory.sh PATH/TO/quire PATH/TO/peak-memory}
peakMemory=${2:?usage: memory.sh PATH/TO/quire PATH/TO/peak-memory}
compiler=$(dirname "$quire")/quire-compile
make=$(cd "$(dirname "$0")/../traps" && pwd)/make_model.sh
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $1"
  cat "$scratch/compiled" "$scratch/stats" 2>/dev/null
  exit 1
}

"$make" "$scratch/model" 16 768 4096 || fail 'make_model.sh'
for context in 4096 640; do
  "$compiler" -q "$scratch/model" -o "$scratch/model.plan" --context="$context" >"$scratch/compiled" ||
    fail "compiling for $context tokens"
  grep -A1 '^arena' "$scratch/compiled" >"$scratch/arena.$context"
done
grep -q '^arena .* [1-9][0-9]* bytes' "$scratch/arena.640" || fail 'no arena was printed'
cmp -s "$scratch/arena.640" "$scratch/arena.4096" || fail 'the arena depends on the context'

printed() { sed -n "s,^$1 .* \([0-9][0-9]*\) bytes .*,\1,p" "$scratch/compiled"; }

# fits NAME CONTEXT PROMPT: the peak of NAME.plan, compiled for CONTEXT tokens, is what $scratch/compiled says.
# The prompt fills a step of 512 rows, and new tokens go up to the last page of the cache.
fits() {
  name=$1 context=$2 pages=$(($2 / 32))
  cache=$((pages * $(printed '          for a page')))
  "$peakMemory" "$quire" run "$scratch/$name.plan" -p "$3" -n "$context" --ignore-eos --seed 1 --stats \
    --cache-memory "$cache" >"$scratch/text" 2>"$scratch/stats" </dev/null || fail "quire run $name"
  grep -q "($pages pages of 32 tokens)" "$scratch/stats" || fail "the cache has not $pages pages"
  rows=$(sed -n 's/^prompt \([0-9]*\) tokens.*/\1/p' "$scratch/stats")
  [ "${rows:-0}" -gt 512 ] || fail "the prompt has ${rows:-no} tokens: no step is full"
  tokens=$(sed -n 's/.* steps in .*, \([0-9]*\) tokens computed.*/\1/p' "$scratch/stats")
  [ "${tokens:-0}" -gt $((context - 32)) ] && [ "$tokens" -le "$context" ] ||
    fail "the run computed ${tokens:-no} tokens: its last page is not in use"

  program=$(printed program)
  [ -n "$program" ] || fail 'what quire itself needs was not measured'
  expected=$(($(printed weights) + $(printed arena) + $(printed in/out) + $(printed lists) + program + cache))
  peak=$(tail -n 1 "$scratch/stats")
  echo "$name: printed $expected bytes, $program of them quire itself; peak $peak bytes, $((1000 * \
    (peak - expected) / expected)) per mille more"
  [ "$peak" -le $((expected * 105 / 100)) ] || fail 'the peak is more than 5 % above what was printed'
  [ "$peak" -ge $((expected * 95 / 100)) ] || fail 'the peak is more than 5 % below what was printed'

  # What the program says of its own peak is what the system says.
  own=$(sed -n 's/.*peak resident \([0-9.]*\) MB.*/\1/p' "$scratch/stats")
  awk -v own="${own:-0}" -v peak="$peak" 'BEGIN { d = own * 1e6 / peak; exit !(d > 0.97 && d < 1.03) }' ||
    fail "quire run says ${own:-nothing} MB"
}

fits model 640 "$(printf 'word %.0s' $(seq 518))"

demo=$(cd "$(dirname "$0")/../../models/demo" && pwd)
"$compiler" -q "$demo" -o "$scratch/demo.plan" --context=1024 >"$scratch/compiled" || fail 'compiling the demo'
fits demo 1024 "$(printf 'the king %.0s' $(seq 280))"

# `quire inspect` measures the same.
inspected=$("$quire" inspect "$scratch/demo.plan" | sed -n 's,^  program .* (\([0-9]*\)) .*,\1,p')
[ "${inspected:-0}" -ge $((program * 9 / 10)) ] && [ "$inspected" -le $((program * 11 / 10)) ] ||
  fail "quire inspect measured ${inspected:-nothing}, quire compile $program"
