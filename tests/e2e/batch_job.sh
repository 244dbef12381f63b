#!/bin/sh
# A batch job (`quire run --file ... --output ...`): a result for each prompt, however often and
# however hard it was stopped between; errors that name the line.
#
#   tests/e2e/batch_job.sh PATH/TO/quire MODEL_DIRECTORY_OR_PLAN
set -u
quire=${1:?usage: batch_job.sh PATH/TO/quire MODEL}
model=${2:?usage: batch_job.sh PATH/TO/quire MODEL}
. "$(dirname "$0")/checks.sh"

if [ -d "$model" ]; then
  "$quire" compile "$model" -o "$scratch/model.plan" >"$scratch/out" 2>"$scratch/err" || {
    cat "$scratch/err"
    exit 1
  }
  model="$scratch/model.plan"
fi

# job OUTPUT ARGUMENT...: runs the job of $input; sets code.
input="$scratch/job.jsonl"
job() {
  output=$1
  shift
  "$quire" run "$model" --file "$input" --output "$output" --seed 3 --ignore-eos "$@" \
    >"$scratch/out" 2>"$scratch/err" </dev/null
  code=$?
}
# Ids and tokens of the results, sorted: what does not depend on time.
texts() { sed 's/.*"id":\([^,]*\),.*"tokens":\(\[[0-9,]*\]\),"prompt_ids.*/\1 \2/' "$1" | sort; }
lines() { [ "$(wc -l <"$1")" -eq "$2" ]; }
same() { texts "$1" >"$scratch/a" && texts "$2" >"$scratch/b" && cmp -s "$scratch/a" "$scratch/b"; }
says() { grep -q -- "$1" "$scratch/err"; }

# Ids that are texts, numbers, or the number of the line; a list of token ids for a prompt.
{
  echo '{"id": "first", "prompt": "ROMEO:", "temperature": 0, "max_tokens": 150}'
  echo '{"id": 7, "prompt": "JULIET:", "top_k": 5, "seed": 11, "max_tokens": 150, "stop": ["ZZZ"]}'
  echo ''
  echo '{"prompt": "KING RICHARD III:", "max_tokens": 150, "priority": 1, "tenant": 2}'
  echo '{"id": "ids", "prompt_ids": [5, 6, 7], "max_tokens": 150, "cache_salt": 9}'
  echo '{"id": "two", "prompt": "First Citizen:", "n": 2, "max_tokens": 40, "deadline": 600}'
  for i in 1 2 3 4 5 6; do
    echo "{\"id\": \"more $i\", \"prompt\": \"The $i\", \"max_tokens\": 150}"
  done
} >"$input"
job "$scratch/whole.jsonl"
check "a job ends well" [ "$code" -eq 0 ]
check "it has a result for each prompt" lines "$scratch/whole.jsonl" 11
check "a line without an id has its number" grep -q '"id":4,' "$scratch/whole.jsonl"
check "texts of one prompt are choices" grep -q '"id":"two".*"choices":\[.*},{' "$scratch/whole.jsonl"
check "statistics are there" grep -q '"seconds_to_first_token":.*"longest_pause":' "$scratch/whole.jsonl"
check "there is a summary" says 'time per token'

cp "$scratch/whole.jsonl" "$scratch/again.jsonl"
job "$scratch/again.jsonl"
check "a job that is done has nothing to do" [ "$code" -eq 0 ]
check "and says so" says '11 of 11'
check "and changes nothing" cmp -s "$scratch/whole.jsonl" "$scratch/again.jsonl"

# Stopped the hard way and the polite way, each time after the first new line.
killed="$scratch/killed.jsonl"
for signal in KILL INT KILL; do
  : >>"$killed"
  before=$(wc -l <"$killed")
  "$quire" run "$model" --file "$input" --output "$killed" --seed 3 --ignore-eos --max-seqs 2 \
    >"$scratch/out" 2>"$scratch/err" </dev/null &
  process=$!
  while [ "$(wc -l <"$killed")" -eq "$before" ] && kill -0 "$process" 2>/dev/null; do sleep 0.01; done
  kill "-$signal" "$process" 2>/dev/null
  wait "$process" 2>/dev/null
  code=$?
  if [ "$signal" = INT ]; then
    check "an interrupt has its exit code" [ "$code" -eq 130 ]
  fi
  check "the job was not over" [ "$(wc -l <"$killed")" -lt 11 ]
done
printf '{"id":"more 6","prompt":"The' >>"$killed" # torn by a crash
job "$killed"
check "a stopped job goes on" [ "$code" -eq 0 ]
check "to the same number of results" lines "$killed" 11
check "and the same texts, each once" same "$scratch/whole.jsonl" "$killed"

# Errors.
head -3 "$input" >"$scratch/bad.jsonl"
echo '{"id": "x", "prompt": "y", "max_token": 3}' >>"$scratch/bad.jsonl"
sed -n '5,6p' "$input" >>"$scratch/bad.jsonl"
input="$scratch/bad.jsonl"
job "$scratch/bad.out"
check "a bad line ends the job" [ "$code" -eq 2 ]
check "and is named with its field" says 'bad.jsonl:4: cannot use "max_token": there is no such field'
check "before anything ran" [ ! -s "$scratch/bad.out" ]
job "$scratch/bad.out" --keep-going
check "--keep-going tells of it at the end" [ "$code" -eq 1 ]
check "and by name" says 'bad.jsonl:4: cannot use'
check "and runs the others" lines "$scratch/bad.out" 4

printf '{"id": 1, "prompt": "a", "max_tokens": 3}\n{"id": "long", "prompt_ids": [5' >"$scratch/long.jsonl"
i=0
while [ $i -lt 2000 ]; do
  printf ',5'
  i=$((i + 1))
done >>"$scratch/long.jsonl"
printf ']}\n{"id": 3, "prompt": "b", "max_tokens": 3}\n' >>"$scratch/long.jsonl"
input="$scratch/long.jsonl"
job "$scratch/long.out"
check "a prompt that is too long ends the job" [ "$code" -eq 2 ]
check "and is named" says 'long.jsonl:2: the prompt has 2001 tokens'
job "$scratch/long.out" --keep-going
check "--keep-going tells of it" [ "$code" -eq 1 ]
check "and has a line for it" grep -q '"id":"long".*"finish_reason":"failed","error":"the prompt has' \
  "$scratch/long.out"
check "and runs the others behind it" lines "$scratch/long.out" 3

printf '{"id": 2, "prompt": "a"}\n{"prompt": "b"}\n' >"$scratch/twice.jsonl"
input="$scratch/twice.jsonl"
job "$scratch/twice.out"
check "an id that is there twice is refused" [ "$code" -eq 2 ]
check "with both lines" says 'twice.jsonl:2: the id 2 is that of .*twice.jsonl:1'
echo 'no result' >"$scratch/other.txt"
job "$scratch/other.txt"
printf '{"id": 1, "prompt": "a", "max_tokens": 1}\n' >"$input"
job "$scratch/other.txt"
check "another file is not written to" says 'other.txt:1: not a result'
check "and stays as it is" lines "$scratch/other.txt" 1
if command -v flock >/dev/null; then
  flock "$scratch/locked.out" "$quire" run "$model" --file "$input" --output "$scratch/locked.out" \
    >"$scratch/out" 2>"$scratch/err" </dev/null
  check "two runs do not share an output" says 'another run is writing'
fi

echo "$checks checks, $failures failures"
[ "$failures" -eq 0 ]
