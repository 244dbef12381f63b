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
  "$quire" bench "$@" --device "$device" --threads 1 >"$scratch/out" 2>"$scratch/err" </dev/null
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
checks=$((checks + 3))
# Without costs nothing can be cut to a time; costs kept in the plan are found by run and simulate.
targeted() {
  "$quire" run "$plan" -p x -n 1 --target-step 5 --device "$device" --threads 1 >"$scratch/out" 2>"$scratch/err" </dev/null
}
targeted && report 'a target needs no costs'
grep -q -- '--keep-costs' "$scratch/err" || report 'no word about how to get costs'
expect 0 'median error' "$plan" --keep-costs --prompt 100 --tokens 20 --costs-seconds 1
"$quire" inspect "$plan" --ir "$("$quire" inspect "$plan" --texts | sed -n 's/^  \(costs on .*\)  .*/\1/p')" \
  >"$scratch/kept" && cmp -s "$scratch/kept" "$scratch/out" || report 'the plan keeps other costs than were printed'
targeted || report 'run does not find the costs of its plan'
"$quire" simulate "$scratch/trace.jsonl" --costs "$plan" >"$scratch/out" 2>"$scratch/err" ||
  report 'simulate does not find the costs of a plan'
printf 'token=x\n' >"$scratch/costs"
"$quire" simulate "$scratch/trace.jsonl" --costs "$scratch/costs" >"$scratch/out" 2>"$scratch/err" &&
  report 'simulate reads what are no costs'
grep -q "costs: 'token=x' is not a cost" "$scratch/err" || report 'no word about the bad costs'
expect 2 'do not fit a context of 128' "$plan" --prompt 120 --tokens 8
expect 2 '3 sequences are more than the 2 of the plan' "$plan" --prompt 8 --sequences 3
expect 3 'none.plan' "$scratch/none.plan"

# The subcommands: a row for each shape, as many times as rounds, and only shapes that the plan takes.
# rows COUNT PATTERN: that many lines of the output match.
rows() {
  checks=$((checks + 1))
  [ "$(grep -c -- "$2" "$scratch/out")" -eq "$1" ] || report "not $1 lines with '$2'"
}
# numbers COUNT KEY: the output is JSON whose arrays KEY hold that many numbers together.
numbers() {
  checks=$((checks + 1))
  [ "$(sed -n "/\"$2\": \[/,/]/p" "$scratch/out" | grep -c '^ *[0-9]')" -eq "$1" ] ||
    report "not $1 numbers of $2"
}
expect 0 '^| 100 | [0-9.]* ([0-9.]*) | [0-9.]* |$' prefill "$plan" --lengths 24,100 --rounds 2
rows 1 '^| 24 |'
expect 0 '"command": "prefill"' prefill "$plan" --lengths 24,100 --rounds 2 --json
numbers 4 seconds
expect 2 'a prompt of 129 does not fit a context of 128' prefill "$plan" --lengths 24,129
expect 0 '^| 2 | 50 | [0-9.]* ([0-9.]*) |' generate "$plan" --context 50 --tokens 3 --rounds 2
rows 1 '^| 1 | 50 |'
expect 0 '"tokensPerSecond": [1-9]' generate "$plan" --sequences 2 --context 50 --tokens 3 --rounds 2 --json
numbers 6 seconds
expect 2 '3 sequences are more than the 2 of the plan' generate "$plan" --sequences 3 --context 50
expect 0 '^| process start to first token | [0-9.]* s |' startup "$plan" --rounds 1
expect 0 '"answerSeconds"' startup "$plan" --rounds 2 --json
numbers 2 firstTokenSeconds
numbers 2 readySeconds
# A token is there after the model, and the model before its first token.
checks=$((checks + 1))
tr -d ' ,\n' <"$scratch/out" | grep -q '"readySeconds":\[0\.[0-9]*[1-9]' || report 'ready in no time, or never'
expect 3 'none.plan' startup "$scratch/none.plan"
expect 0 '^| 3 | linear_gate_r[0-9]* | [0-9.]* ([0-9.]*) |' linear "$plan" --rows 1,3 --rounds 2
rows 5 '^| 1 | linear'   # five linears of the demo; its logits have a row for each sequence
rows 4 '^| 3 | linear'   # of which there are two
expect 0 '"flops": 262144.0' linear "$plan" --rows 1 --rounds 2 --json
numbers 10 seconds
expect 0 '^| 2 | 60 | attention_q[0-9]* |' attention "$plan" --lengths 60,120 --tokens 120 --rounds 1
rows 1 '^| 1 | 120 | attention'
expect 0 '^| 2 | 90 | attention_q1 | [0-9.]* ([0-9.]*) |' decode "$plan" --batches 1x30,2x90 --rounds 1
expect 0 '"format": 1' decode "$plan" --batches 2x90 --rounds 3 --json
numbers 3 seconds
rows 6 '^ *"attention_q1",*$' # a launch for each of six layers
expect 2 '3 x 1 tokens behind 49 others are more than the plan takes' decode "$plan" --batches 3x50
expect 2 'write SEQUENCESxCONTEXT' decode "$plan" --batches 3by50
# Operators: compiled here, or plans that were.
attention='attention heads=4 kv_heads=2 head=32 page=16 mask=full'
# Two sequences, each 40 x 40 pairs of a query and a key, 4 FLOPs for each of the 128 numbers of all heads.
expect 0 '"flops": 1638400.0' attention --operator "$attention" --lengths 40 --tokens 80 --rounds 1 --json
expect 0 '^| 5 | linear_gate_' linear --operator 'linear in_features=64 out_features=96 gated' --rows 5 --rounds 1
mkdir "$scratch/plans" "$scratch/nothing"
"$(dirname "$quire")/quire-compile" -q --operator "$attention" -o "$scratch/plans/a.plan" --cpu=v3 --context=64 \
  --max-tokens=64 >/dev/null || report 'no plan of an operator'
expect 0 "^$attention\$" decode "$scratch/plans" --batches 1x64 --rounds 1
rows 1 '^| 1 | 64 | attention_q1 |'
expect 3 'there is no operator' linear --operator 'matmul rows=3'
expect 3 'holds neither a model' attention "$scratch/nothing"
device=tpu
expect 2 'write cpu, cuda' linear "$plan"
expect 2 'write cpu, cuda' "$plan" --prompt 8 --tokens 2

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
