#!/bin/sh
# A short soak on made-up arrivals: an engine at twice its load keeps its memory, loses no request and refuses
# cleanly. Rates are not judged in a run this short.
#
#   tests/bench/serve/soak.sh BENCH_SERVE PLAN MODEL_DIR [SECONDS]
set -eu
bench=${1:?usage: soak.sh BENCH_SERVE PLAN MODEL_DIR [SECONDS]} plan=${2:?} model=${3:?} seconds=${4:-20}
trace=$(mktemp --suffix=.csv)
trap 'rm -f "$trace"' EXIT
# Ten minutes of 2000 requests, lengths spread over two decades as in conversations.
awk 'BEGIN {
  srand(1)
  print "TIMESTAMP,ContextTokens,GeneratedTokens"
  for (i = 0; i < 2000; ++i) {
    at = i * 0.3
    printf "2023-11-16 18:%02d:%09.6f,%d,%d\n", 10 + int(at / 60), at % 60, exp(3 + 5 * rand()), exp(1 + 5 * rand())
  }
}' >"$trace"
"$bench" soak "$plan" "$model" "$trace" "$seconds"
