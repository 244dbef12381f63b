#!/bin/sh
# The flags of the scheduler and the cache on `quire run`: whatever they are, a job's texts stay the
# same; each does what it says; and what the scheduler decided can be replayed and explained.
#
#   tests/e2e/serving_flags.sh PATH/TO/quire MODEL_DIRECTORY_OR_PLAN
set -u
quire=${1:?usage: serving_flags.sh PATH/TO/quire MODEL}
model=${2:?usage: serving_flags.sh PATH/TO/quire MODEL}
. "$(dirname "$0")/checks.sh"
says() { grep -q -- "$1" "$scratch/err"; }

if [ -d "$model" ]; then
  "$quire" compile "$model" -o "$scratch/model.plan" >"$scratch/out" 2>"$scratch/err" || {
    cat "$scratch/err"
    exit 1
  }
  model="$scratch/model.plan"
fi

# 16 prompts with a common beginning of about three pages.
common="First Citizen: Before we proceed any further, hear me speak. All: Speak, speak. First Citizen: \
You are all resolved rather to die than to famish? All: Resolved. resolved. First Citizen: First, \
you know Caius Marcius is chief enemy to the people. All: We know it, we know it. First Citizen: Let \
us kill him, and we will have corn at our own price. Is it a verdict?"
i=0
while [ $i -lt 16 ]; do
  echo "{\"id\": $i, \"prompt\": \"$common $i:\", \"seed\": $i, \"priority\": $((i % 3))," \
    "\"tenant\": $((i % 2)), \"max_tokens\": $((60 + 9 * i))}"
  i=$((i + 1))
done >"$scratch/job.jsonl"
texts() { sed 's/.*"id":\([^,]*\),.*"tokens":\(\[[0-9,]*\]\),"prompt_ids.*/\1 \2/' "$1" | sort; }

# run FLAG...: the job; its texts must be those of the first run.
run() {
  rm -f "$scratch/results.jsonl"
  "$quire" run "$model" --file "$scratch/job.jsonl" -o "$scratch/results.jsonl" --ignore-eos -t 0.8 \
    --stats "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
  code=$?
  check "run $*" [ "$code" -eq 0 ]
  texts "$scratch/results.jsonl" >"$scratch/texts"
  [ -f "$scratch/expected" ] || cp "$scratch/texts" "$scratch/expected"
  check "the texts do not depend on $*" cmp -s "$scratch/texts" "$scratch/expected"
}

run --prefix-cache off
check "there are sixteen texts" [ "$(wc -l <"$scratch/expected")" -eq 16 ]
check "nothing comes from a cache that is off" says '(0 from the prefix cache)'
check "with memory for all nothing is preempted" says ', 0 preemptions; loaded'
run --max-running 4
check "the prefix cache hits" says '([1-9][0-9]* from the prefix cache)'
cp "$scratch/results.jsonl" "$scratch/fcfs.jsonl"
run --overlap --token-budget 16
for policy in priority shortest-job earliest-deadline fair-share; do
  run --policy "$policy" --max-running 3
done
# The last prompt is of class 0, the third of class 2.
run --policy priority --max-running 1
check "the urgent go first" [ "$(grep -n '"id":15,' "$scratch/results.jsonl" | cut -d: -f1)" -lt \
  "$(grep -n '"id":2,' "$scratch/results.jsonl" | cut -d: -f1)" ]
run --target-step 2 --cost step=1000,token=100,decode-key=0.01 --max-running 6
# A pool that does not hold what runs.
run --pages 20 --watermark 0 --preemption recompute
check "a small pool preempts" says '[1-9][0-9]* preemptions; loaded'
run --pages 20 --watermark 0 --preemption swap --swap 64m --record "$scratch/run.record"
check "a small pool swaps" says '[1-9][0-9]* preemptions; loaded'
run --pages 20 --watermark 0 --preemption swap --swap 64m --overlap --policy priority

check "a run is replayed" "$quire" simulate --replay "$scratch/run.record" >"$scratch/err" 2>&1
check "and decided alike" says '^identical: .*, [1-9][0-9]* steps'
"$quire" simulate --replay "$scratch/run.record" --explain 16 >"$scratch/err" 2>&1
check "and its requests explained" says 'waited\|admitted\|prompt'
run --pages 20 --watermark 0 --preemption swap --swap 64m --explain 16
check "as is a run itself" says 'page'

refused() { # refused PATTERN FLAG...
  pattern=$1
  shift
  "$quire" run "$model" -p x -n 1 "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
  code=$?
  check "run $*: exit code $code" [ "$code" -eq 2 ]
  check "run $*: no '$pattern'" says "$pattern"
}
refused "no policy 'best'; there are fcfs" --policy best
refused 'what steps cost, which is not known' --target-step 5
refused 'give --swap SIZE' --preemption swap
refused "cost 'token=x'" --cost token=x
refused 'not a size' --swap lots
refused 'does not hold one page' --swap 1k
refused 'excludes' --pages 5 --cache-memory 1g
refused 'excludes' --record "$scratch/r" --explain 1
refused 'prefix-cache' --prefix-cache maybe

echo "$checks checks, $failures failures"
[ "$failures" -eq 0 ]
