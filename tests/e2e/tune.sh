#!/bin/sh
# quire tune on the CPU: candidates are compiled, checked and measured; only right ones count; the
# winner's schedule is written, read back by the compiler, and changes the code.
set -u
quire=${1:?usage: tune.sh PATH/TO/quire (quire-tune and quire-compile lie beside it)}
tune=$(dirname "$quire")/quire-tune
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
fail() { # fail WHAT [FILE that says more]
  echo "FAILED: $1"
  [ $# -gt 1 ] && cat "$2"
  exit 1
}
operator='linear in_features=96 out_features=160 gated'
steps='--rows 1,40 --candidates 6'

# In one go: a table, a page, and exit code 0 whatever wins on this machine.
"$tune" --operator "$operator" $steps --budget 1 --threads 1 -o "$scratch/any" --html "$scratch/page.html" \
  >"$scratch/table" 2>"$scratch/log" || fail "tune failed" "$scratch/log"
grep -q '^| 40 rows | .*rows 32 .* µs\|^| 40 rows | rows 32' "$scratch/table" || fail "no row for 40 rows" "$scratch/table"
grep -q '<svg' "$scratch/page.html" || fail "no roofline in the page"
grep -q '^out:' "$scratch/table" && fail "a candidate is out" "$scratch/table"

# By parts; the measurement is replaced, so that the last candidate wins with 40 rows.
"$tune" --operator "$operator" $steps --prepare "$scratch/bundle" 2>"$scratch/log" || fail "prepare failed" "$scratch/log"
"$quire" bench candidates "$scratch/bundle/0" --rounds 3 --seconds 1 --threads 1 2>"$scratch/log" ||
  fail "measuring failed" "$scratch/log"
python3 - "$scratch/bundle/0" >"$scratch/winner" <<'END' || fail "the results are not as they should be"
import json, sys
folder = sys.argv[1]
bundle, results = (json.load(open(f"{folder}/{name}.json")) for name in ("bundle", "results"))
rows = results["candidates"]
assert len(rows) == len(bundle["candidates"]) > 4, len(rows)
for candidate, row in zip(bundle["candidates"], rows):
    assert row["reason"] == "" and 0 < row["error"] < 1e-4, (candidate["name"], row)
    for use in candidate["uses"]:
        assert min(row["seconds"][str(use)]) > 0, (candidate["name"], row)
last = [i for i, c in enumerate(bundle["candidates"]) if 1 in c["uses"]][-1]
for i, row in enumerate(rows):
    row["seconds"] = {use: [1e-3 if i == last and use == "1" else 2e-3] * 3 for use in row["seconds"]}
json.dump(results, open(f"{folder}/results.json", "w"))
name = bundle["candidates"][last]["name"].split()
print(name[name.index("rows") + 1], name[name.index("panels") + 1] if "panels" in name else 1)
END
read -r rows panels <"$scratch/winner"
"$tune" --operator "$operator" $steps --finish "$scratch/bundle" -o "$scratch/schedules" >"$scratch/table" \
  2>"$scratch/log" || fail "finish failed" "$scratch/log"
grep -q '50.0 % |' "$scratch/table" || fail "a gain of a half is not in the table" "$scratch/table"
grep -q '"device"' "$scratch/schedules/linear.json" || fail "no word where it was measured"
tile() { "$quire" compile -q --operator "$1" --compile-to=tile "$2" "$3"; }
tile "$operator" --schedules "$scratch/schedules" >"$scratch/tuned.mlir" || fail "the schedules are refused"
tile "$operator" --schedules none >"$scratch/usual.mlir"
cmp -s "$scratch/tuned.mlir" "$scratch/usual.mlir" && fail "the tuned schedule has no effect"
pattern="schedule <rows = $rows,"
[ "$panels" -gt 1 ] && pattern="schedule <rows = $rows, panels = $panels,"
grep -q "$pattern" "$scratch/tuned.mlir" || fail "no kernel of $rows rows and $panels panels" "$scratch/tuned.mlir"
# Another shape keeps the compiler's choice.
tile 'linear in_features=96 out_features=128' --schedules "$scratch/schedules" >"$scratch/other.mlir"
tile 'linear in_features=96 out_features=128' --schedules none | cmp -s - "$scratch/other.mlir" ||
  fail "a shape that was not tuned has changed"

# A candidate that computes something else is out, and named; the others go on.
"$quire" compile -q --operator "$operator activation=gelu" --max-tokens 2560 -o "$scratch/bundle/0/1.plan" >/dev/null
"$quire" bench candidates "$scratch/bundle/0" --rounds 3 --seconds 1 --threads 1 2>"$scratch/log" ||
  fail "one wrong candidate stops all" "$scratch/log"
"$tune" --operator "$operator" $steps --finish "$scratch/bundle" >"$scratch/table" 2>"$scratch/log"
[ "$(grep -c '^out: .*wrong results: off by' "$scratch/table")" = 1 ] || fail "not one candidate is out" "$scratch/table"
grep -q '1 candidates give wrong results' "$scratch/log" || fail "no warning of a defect" "$scratch/log"

# Mistakes.
refused() {
  wanted=$1; shift
  "$@" >"$scratch/out" 2>&1 && fail "accepted: $*"
  grep -q -- "$wanted" "$scratch/out" || fail "no word of '$wanted'" "$scratch/out"
}
refused 'prepared for another operator' "$tune" --operator 'linear in_features=96 out_features=64' $steps \
  --finish "$scratch/bundle"
refused 'has 0 kernels with schedules\|there is no operator' "$tune" --operator 'embedding' --prepare "$scratch/none"
refused 'beyond the context of 512' "$tune" --operator 'attention heads=2 head=16 context=512' --decode 1x513 \
  --prepare "$scratch/none"
refused 'is SEQUENCESxCONTEXT' "$tune" --operator 'attention heads=2 head=16' --decode 17 --prepare "$scratch/none"
refused 'is no bundle' sh -c "echo '{\"format\": 2}' >'$scratch/bundle/0/bundle.json' && '$quire' bench candidates '$scratch/bundle/0'"

# A model's operators, each different one once: its three linears of layers, attention, and the head.
"$tune" "$(dirname "$0")/../../models/demo" --rows 1 --candidates 1 --target sm_80 --prepare "$scratch/none" \
  --templates /nowhere >"$scratch/out" 2>&1 && fail "templates that are not there are taken"
"$tune" "$(dirname "$0")/../../models/demo" --rows 1 --prompts 16 --decode 1x32 --candidates 1 \
  --prepare "$scratch/model" 2>"$scratch/log" || fail "the demo model's operators" "$scratch/log"
for operator in 'linear in_features=704 out_features=256 ' 'out_features=704 gated ' 'attention heads=4 kv_heads=2 '; do
  [ "$(grep -c "$operator" "$scratch/log")" = 1 ] || fail "not one '$operator'" "$scratch/log"
done

# Attention, with splits and a step behind others.
"$tune" --operator 'attention heads=4 kv_heads=2 head=32 context=640 window=200 score="9*tanh(s*scale/9)"' \
  --prompts 96 --decode 3x600 --candidates 4 --budget 1 --threads 1 >"$scratch/table" 2>"$scratch/log" ||
  fail "tuning attention failed" "$scratch/log"
grep -q '^| 3 at 600 |' "$scratch/table" || fail "no decode step" "$scratch/table"
grep -q '^out:' "$scratch/table" && fail "a candidate of attention is out" "$scratch/table"
echo "tune.sh: all checks passed"
