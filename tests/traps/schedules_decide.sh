#!/bin/sh
# A schedule is data that decides the loops: two schedules give two modules, both right; an illegal one gives
# a diagnostic and no plan.
. "$(dirname "$0")/lib.sh"
model=$models/odd.mlir
mkdir "$scratch/narrow" "$scratch/wide" "$scratch/illegal"
cat >"$scratch/narrow/attention.json" <<'END'
{"kernels": [{"variants": [{"min": 1, "max": 0, "queries": 4, "keys": 16, "registers": [4, 16, 4]}]}]}
END
cat >"$scratch/narrow/linear.json" <<'END'
{"kernels": [{"variants": [{"limit": 0, "rows": 4, "registers": [2, 16, 2]}]}]}
END
cat >"$scratch/wide/attention.json" <<'END'
{"kernels": [{"variants": [
  {"min": 1, "max": 1, "queries": 1, "keys": 32, "registers": [2, 32, 4]},
  {"min": 2, "max": 0, "queries": 16, "keys": 32, "registers": [8, 32, 4]}]}]}
END
cat >"$scratch/wide/linear.json" <<'END'
{"kernels": [{"variants": [
  {"limit": 8, "rows": 8, "registers": [4, 32, 4]},
  {"limit": 0, "rows": 32, "registers": [4, 32, 4]}]}]}
END
stage tile "$model" "$scratch/default.mlir"
for schedule in narrow wide; do
  stage tile "$model" "$scratch/$schedule.mlir" --schedules="$scratch/$schedule"
  ! cmp -s "$scratch/default.mlir" "$scratch/$schedule.mlir" || fail "$schedule has no effect"
  agrees "$model" --schedules "$scratch/$schedule"
done
! cmp -s "$scratch/narrow.mlir" "$scratch/wide.mlir" || fail "two schedules give one module"
[ "$(count 'scf\.for .* step %c16' "$scratch/narrow.mlir")" -gt 0 ] || fail "no KV loop of 16 keys" "$scratch/narrow.mlir"
[ "$(count 'scf\.for .* step %c16' "$scratch/wide.mlir")" -eq 0 ] || fail "wide has a KV loop of 16 keys"

# Each of these breaks one rule; the message says which.
illegal() {
  echo "$3" >"$scratch/illegal/$1.json"
  refused 6 "$2" "$scratch/illegal.plan" "$bin/quire-compile" -q "$golden/llama" -o "$scratch/illegal.plan" \
    --schedules="$scratch/illegal"
  rm "$scratch/illegal/$1.json"
}
illegal attention 'keys = 24 must divide the page of 32' \
  '{"kernels": [{"variants": [{"min": 1, "max": 0, "keys": 24, "registers": [1, 8, 4]}]}]}'
illegal attention 'min = 2 leaves a gap' \
  '{"kernels": [{"variants": [{"min": 2, "max": 0, "keys": 32, "registers": [1, 8, 4]}]}]}'
illegal linear 'registers: n = 24 must divide' \
  '{"kernels": [{"variants": [{"limit": 0, "rows": 8, "registers": [8, 24, 4]}]}]}'
illegal linear 'rows = 5 must divide 32' \
  '{"kernels": [{"variants": [{"limit": 0, "rows": 5, "registers": [5, 32, 4]}]}]}'
illegal linear 'unknown field "colour"' \
  '{"kernels": [{"variants": [{"limit": 0, "rows": 8, "colour": 1, "registers": [8, 32, 4]}]}]}'
illegal linear 'is not JSON' '{"kernels": '
