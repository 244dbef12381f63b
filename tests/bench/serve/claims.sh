#!/bin/sh
# The claims of the papers that serving rests on, in virtual time, each as a table: iteration-level against
# static batching (Orca, vLLM), memory held without a token in it, paged against reserved (vLLM), and latency
# with and without small steps (SplitFuse, Sarathi-Serve). Costs: the simulator's, or those of a file.
#
#   tests/bench/serve/claims.sh QUIRE AZURE_CONVERSATION.csv [--costs FILE]
set -eu
quire=${1:?usage: claims.sh QUIRE TRACE.csv [OPTIONS OF quire simulate]} trace=${2:?}
shift 2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
simulate() { "$quire" simulate "$trace" "$@" >"$out" 2>/dev/null || { echo "quire simulate $*: failed" >&2; exit 1; }; }
# column N of the row that begins so; the columns are set apart by two blanks at least
cell() { awk -F '  +' -v name="$1" -v n="$2" 'substr($0, 1, length(name)) == name { sub(name, ""); print $(n + 1); exit }' "$out"; }

simulate --rate inf --static --static-ragged "$@"
echo '| all requests at once | new tokens/s | held without a token |'
echo '|---|---|---|'
n=1
for name in 'iteration-level, paged' 'static, padded, reserved' 'static, ragged, reserved'; do
  echo "| $name | $(cell 'new tokens/s' $n) | $(cell 'cache held but unused' $n) |"
  n=$((n + 1))
done
echo
simulate "$@"
echo '| arrivals as in the trace | held without a token |'
echo '|---|---|'
echo "| pages of 16 tokens | $(cell 'cache held but unused' 1) |"
echo "| reserved for the longest answer of each | $(cell '  if reserved by limit' 1) |"
echo
echo '| three times the rate | between tokens, ms p50 / p90 / p99 | first token, ms |'
echo '|---|---|---|'
for options in '' '--token-budget 512' '--target-step 20'; do
  simulate --rate 3 $options "$@"
  echo "| ${options:-whole prompts up to 2048 tokens a step} | $(cell 'between tokens, ms' 1) | $(cell 'first token, ms p50 / p90 / p99' 1) |"
done
