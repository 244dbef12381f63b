#!/bin/sh
# Ragged random batches against the f64 reference: fresh models and batches on every run, named by a seed
# that brings them back.
. "$(dirname "$0")/lib.sh"
run "$bin/quire-diff" --random 6
cat "$scratch/log"
[ "$(count '^case [0-9]+: .* cache' "$scratch/log")" -eq 6 ] || fail "six cases are not named" "$scratch/log"
[ "$(count '^  agrees, largest error' "$scratch/log")" -eq 6 ] || fail "six cases did not agree" "$scratch/log"
grep -q "^QUIRE_SEED=$QUIRE_SEED$" "$scratch/log" || fail "the seed is not printed" "$scratch/log"

# The seed brings the same cases back; without one they are new.
cp "$scratch/log" "$scratch/first"
run "$bin/quire-diff" --random 1
head -n 3 "$scratch/first" >"$scratch/expected"
cmp "$scratch/expected" "$scratch/log" || fail "the same seed gave another case" "$scratch/log"
seeds=$(for try in 1 2; do (unset QUIRE_SEED && "$bin/quire-diff" "$models/residual.mlir" | grep QUIRE_SEED); done)
[ "$(echo "$seeds" | sort -u | wc -l)" -eq 2 ] || fail "two runs without a seed have the same: $seeds"
