#!/bin/sh
# The command line's promises that need no model: errors are one line on standard error that names
# the thing, exit codes are the documented ones, nothing is half-written, the program stands alone.
#
#   tests/e2e/cli.sh PATH/TO/quire
set -u
quire=${1:?usage: cli.sh PATH/TO/quire}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME="$scratch/cache"
unset QUIRE_DEMO
demo=$(cd "$(dirname "$0")/../../models/demo" && pwd) || exit 1
failures=0
checks=0

report() {
  failures=$((failures + 1))
  echo "FAILED: $1"
  sed 's/^/    stdout: /' "$scratch/out" | head -5
  sed 's/^/    stderr: /' "$scratch/err" | head -5
}

# expect CODE PATTERN ARGUMENT...: exit code, and for errors one line that matches PATTERN.
expect() {
  code=$1 pattern=$2
  shift 2
  checks=$((checks + 1))
  "$quire" "$@" >"$scratch/out" 2>"$scratch/err" <"${input:-/dev/null}"
  got=$?
  if [ "$got" -ne "$code" ]; then
    report "quire $*: exit code $got, expected $code"
  elif [ "$code" -eq 0 ]; then
    grep -q -- "$pattern" "$scratch/out" || report "quire $*: no '$pattern' on standard output"
  elif [ "$(wc -l <"$scratch/err")" -ne 1 ]; then
    report "quire $*: the error is not one line"
  elif ! grep -q -- "$pattern" "$scratch/err"; then
    report "quire $*: no '$pattern' in the error"
  elif [ -s "$scratch/out" ]; then
    report "quire $*: an error wrote to standard output"
  fi
}

# Help and version.
expect 0 'Examples:' --help
for command in run inspect tokenize simulate doctor; do
  expect 0 'Examples:' "$command" --help
done
expect 0 '^quire [0-9]' --version
expect 0 '"plan_format": [1-9]' --version --json

# Simulations.
traces=$(cd "$(dirname "$0")/../unit/simulate/traces" && pwd) || exit 1
expect 0 'times the tokens/s of static' simulate "$traces/two.csv" --static
expect 0 '"finished": 3' simulate "$traces/conversation.jsonl" --json --policy fcfs,shortest-job
expect 0 '48.00 % of the prompt tokens (1536)' simulate "$traces/conversation.jsonl" --pages 0
expect 2 "no such file\\|No such file" simulate "$scratch/none.csv"
expect 2 'either a trace or --replay' simulate
expect 2 'see quire simulate --help' simulate --no-such-option
expect 0 'steps simulated' simulate "$traces/two.csv" --record "$scratch/two.record"
expect 0 '^identical: .*, [1-9][0-9]* steps$' simulate --replay "$scratch/two.record"
expect 0 'decode' simulate --replay "$scratch/two.record" --explain 2
cp "$scratch/out" "$scratch/story"
expect 0 'decode' simulate "$traces/two.csv" --explain 2
checks=$((checks + 1))
cmp -s "$scratch/out" "$scratch/story" || report "the story of a run is not that of its record"
expect 0 'steps simulated' simulate "$traces/two.csv" --policy fcfs,priority --report "$scratch/report.html" \
  --chrome-trace "$scratch/chrome.json"
checks=$((checks + 2))
[ "$(grep -c '</svg>' "$scratch/report.html")" -eq 5 ] || report "the report does not have five charts"
steps=$(sed -n 's/^steps  *\([0-9]*\) .*/\1/p' "$scratch/out")
[ "$(grep -c '"ph":"X"' "$scratch/chrome.json")" -eq "$steps" ] || report "the Chrome trace does not have $steps steps"
expect 1 'none/report.html' simulate "$traces/two.csv" --report "$scratch/none/report.html"
expect 2 'has no request 3; it has 1 to 2' simulate "$traces/two.csv" --explain 3
expect 2 'about one run' simulate "$traces/two.csv" --explain 1 --policy fcfs,priority
expect 2 'no record of a scheduler' simulate --replay "$traces/two.csv" --explain 1
expect 1 'cannot write the record' simulate "$traces/two.csv" --record "$scratch/none/two.record"
expect 2 "no policy 'best'; there are fcfs" simulate "$traces/two.csv" --policy best
expect 2 'rate must be 0.001 to inf, not 0' simulate "$traces/two.csv" --rate 0
expect 2 "cost 'token=x'" simulate "$traces/two.csv" --cost token=x
expect 2 'line 1: neither a CSV trace' simulate "$0"

# Usage.
expect 2 "no command 'bogus'" bogus
expect 2 "did you mean 'run'" rnu
expect 2 'not expected: --bogus' run --bogus
expect 2 'prompt is empty' run -p ''
expect 2 'not valid UTF-8 at byte 2' run -p "$(printf 'ab\377')"
expect 2 'temperature' run -p x --temperature -1
expect 2 'top-p' run -p x --top-p 1.5
expect 2 'max-tokens' run -p x -n 0
expect 2 'max-tokens' run -p x -n many
expect 2 'ID=VALUE' run -p x --logit-bias 5
expect 2 'not a size' run -p x --cache-memory lots
expect 2 'excludes' run -p x --file y
expect 2 'excludes' run - -p x
expect 2 '--decode' tokenize --decode 7,x

# Prompts from files and from standard input.
expect 2 'nowhere.txt' run --file "$scratch/nowhere.txt"
: >"$scratch/empty.txt"
expect 2 'holds no prompt' run --file "$scratch/empty.txt"
printf 'good\n\nbad \200\n' >"$scratch/bad.txt"
expect 2 'bad.txt:3: the prompt is not valid UTF-8 at byte 4' run --file "$scratch/bad.txt"
echo 'no json' >"$scratch/a.jsonl"
expect 2 'a.jsonl:1: not a JSON object' run --file "$scratch/a.jsonl"
echo '{"text": "x"}' >"$scratch/b.jsonl"
expect 2 'no string "prompt"' run --file "$scratch/b.jsonl"
echo '{"prompt": "x", "max_tokens": -3}' >"$scratch/c.jsonl"
expect 2 'cannot use "max_tokens"' run --file "$scratch/c.jsonl"
echo '{"prompt": "x", "colour": 1}' >"$scratch/d.jsonl"
expect 2 'cannot use "colour"' run --file "$scratch/d.jsonl"
expect 2 'standard input: the prompt is empty' run -
printf '\377' >"$scratch/input"
input="$scratch/input"
expect 2 'standard input: the prompt is not valid UTF-8' run -
input=

# Models and plans.
expect 3 "no model directory or plan '/nonexistent'" run /nonexistent -p x
expect 3 "no model directory or plan '/nonexistent'" inspect /nonexistent
mkdir "$scratch/folder"
expect 3 'has no config.json' run "$scratch/folder" -p x
echo 'not a plan' >"$scratch/text.plan"
expect 3 'text.plan' run "$scratch/text.plan" -p x
expect 3 'text.plan' inspect "$scratch/text.plan"
: >"$scratch/nothing.plan"
expect 3 'nothing.plan' inspect "$scratch/nothing.plan"
expect 2 'fixed in it' run "$scratch/text.plan" -p x --context 64
export QUIRE_DEMO="$scratch/folder"
expect 3 'demo model is not there' run -p x
expect 3 'demo model is not there' tokenize --text x
unset QUIRE_DEMO

# Without the compiler beside it, `quire` says how to get it.
mkdir "$scratch/alone"
cp "$quire" "$scratch/alone/quire"
saved=$quire savedPath=$PATH
quire="$scratch/alone/quire"
PATH=/usr/bin:/bin
expect 6 'quire-compile is not there' compile "$scratch/folder"
expect 6 'quire-compile is not there' run "$demo" -p x

# Other words run the sibling program of that name, with its own options and exit code.
printf '#!/bin/sh\necho "hello $*"\nexit 0\n' >"$scratch/alone/quire-hello"
chmod +x "$scratch/alone/quire-hello"
expect 0 '^hello --json a b$' hello --json 'a b'

# A compiler that fails keeps its exit code and leaves nothing in the cache; what it prints on
# standard output does not mix with the text. The demo model stands for any model directory.
cat >"$scratch/alone/quire-compile" <<'END'
#!/bin/sh
echo noise
echo partial >"$3"
echo "quire-compile: error: as asked" >&2
exit ${FAKE_CODE:-6}
END
chmod +x "$scratch/alone/quire-compile"
for code in 2 3 6; do
  FAKE_CODE=$code
  export FAKE_CODE
  cachedRun="run $demo -p x -q"
  expect "$code" 'error: as asked' $cachedRun
  checks=$((checks + 1))
  [ -z "$(ls "$XDG_CACHE_HOME/quire")" ] || report "a failed compilation left a file in the cache"
done
FAKE_CODE=9
expect 6 'error: as asked' run "$demo" -p x -q
# One that says it is done but wrote no plan: the file is refused, and made again next time.
FAKE_CODE=0
"$quire" run "$demo" -p x -q >"$scratch/out" 2>"$scratch/err" </dev/null
code=$?
checks=$((checks + 1))
[ "$code" -eq 3 ] && grep -q '[.]plan: ' "$scratch/err" || report "a bad plan: exit code $code"
quire=$saved PATH=$savedPath

# A cache folder that others may write is refused: plans are native code.
mkdir -p "$scratch/model" "$XDG_CACHE_HOME/quire"
chmod 777 "$XDG_CACHE_HOME/quire"
echo '{}' >"$scratch/model/config.json"
if [ -x "$(dirname "$quire")/quire-compile" ]; then
  expect 1 'only you can write' run "$scratch/model" -p x
fi
rm -rf "$XDG_CACHE_HOME"

# Unwritable output is an error, and a closed pipe ends quietly.
checks=$((checks + 1))
"$quire" --version >/dev/full 2>"$scratch/err"
[ $? -eq 1 ] && grep -q 'cannot write to standard output' "$scratch/err" ||
  { : >"$scratch/out"; report "--version to a full device"; }

# No colour where there is no terminal.
checks=$((checks + 1))
"$quire" bogus 2>"$scratch/err" >"$scratch/out"
grep -q "$(printf '\033')" "$scratch/err" && report "colour without a terminal"

# The program stands alone: only the C library's own shared objects, at most 30 MB.
if command -v readelf >/dev/null && ! nm "$quire" 2>/dev/null | grep -q __asan_init; then
  checks=$((checks + 1))
  readelf -d "$quire" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -v -E '^(libc|libm|ld-linux-x86-64)\.so' >"$scratch/out"
  : >"$scratch/err"
  [ -s "$scratch/out" ] && report "quire needs shared libraries of its own"
  checks=$((checks + 1))
  [ "$(stat -c %s "$quire")" -le 30000000 ] || report "quire is larger than 30 MB"
fi

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
