#!/bin/sh
# What `quire bench` promises: as many times as were asked for, tables that people and programs can read,
# and one line with its exit code for what cannot be measured.
#
#   tests/e2e/bench.sh PATH/TO/quire DEMO_MODEL_DIR      (quire-compile lies beside quire)
set -u
quire=${1:?usage: bench.sh PATH/TO/quire DEMO_MODEL_DIR}
model=${2:?usage: bench.sh PATH/TO/quire DEMO_MODEL_DIR}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0 checks=0 device=cpu

report() {
  failures=$((failures + 1))
  echo "FAILED: $1"
  cat "$scratch/out" "$scratch/err"
}
# expect CODE PATTERN ARGUMENTS…: on success in the output, otherwise in the one line of the error.
expect() {
  code=$1 pattern=$2
  shift 2
  checks=$((checks + 1))
  "$quire" bench --device "$device" --threads 1 "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
  got=$?
  where=err
  [ "$code" -eq 0 ] && where=out
  [ "$got" -eq "$code" ] || report "bench $*: exit code $got, expected $code"
  grep -q -- "$pattern" "$scratch/$where" || report "bench $*: no '$pattern'"
  [ "$code" -eq 0 ] || [ "$(wc -l <"$scratch/err")" -eq 1 ] ||
    report "bench $*: the error is not one line"
}

plan=$scratch/demo.plan
"$(dirname "$quire")/quire-compile" -q "$model" -o "$plan" --cpu=v3 --context=128 --max-sequences=2 >/dev/null ||
  exit 1
expect 0 '^| prompts of 24 | 48 | [0-9.]* ms | [0-9.]* |$' "$plan" --prompt 24 --tokens 3 --sequences 2 --rounds 1
expect 0 '^| attention_q1 | [1-9][0-9]* |' "$plan" --prompt 24 --tokens 3 --kernels
expect 0 '"sequences": 2' "$plan" --prompt 24 --tokens 3 --sequences 2 --rounds 2 --json
checks=$((checks + 1))
# Two rounds of three steps, of two prompts each counted as one time.
[ "$(sed -n '/"stepSeconds"/,/]/p' "$scratch/out" | grep -c '^ *[0-9]')" -eq 6 ] &&
  [ "$(sed -n '/"promptSeconds"/,/]/p' "$scratch/out" | grep -c '^ *[0-9]')" -eq 2 ] ||
  report 'the JSON does not hold six steps and two prompts'
expect 0 'median error' "$plan" --costs "$scratch/costs" --prompt 100 --tokens 20 --costs-seconds 2
checks=$((checks + 1))
# The file is what was printed, and what a simulation reads.
cmp -s "$scratch/costs" "$scratch/out" || report 'the file of costs is not what was printed'
printf '{"timestamp": 0, "input_length": 50, "output_length": 10}\n' >"$scratch/trace.jsonl"
"$quire" simulate "$scratch/trace.jsonl" --costs "$scratch/costs" >"$scratch/out" 2>"$scratch/err" &&
  grep -q '^requests finished  *1$' "$scratch/out" || report 'simulate does not read the costs'
printf 'token=x\n' >"$scratch/costs"
"$quire" simulate "$scratch/trace.jsonl" --costs "$scratch/costs" >"$scratch/out" 2>"$scratch/err" &&
  report 'simulate reads what are no costs'
grep -q "costs: 'token=x' is not a cost" "$scratch/err" || report 'no word about the bad costs'
expect 2 'do not fit a context of 128' "$plan" --prompt 120 --tokens 8
expect 2 '3 sequences are more than the 2 of the plan' "$plan" --prompt 8 --sequences 3
expect 3 'none.plan' "$scratch/none.plan"
device=tpu
expect 2 'write cpu, cuda' "$plan" --prompt 8 --tokens 2

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
