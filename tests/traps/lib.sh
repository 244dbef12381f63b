# Sourced by every detector as `. lib.sh FOLDER_OF_PROGRAMS`: a scratch folder, one seed for the whole
# detector, and checks that say what went wrong. A check that fails ends the detector.
set -u
bin=$(cd "${1:?usage: $0 FOLDER_OF_PROGRAMS}" && pwd) || exit 2
here=$(cd "$(dirname "$0")" && pwd) || exit 2
root=$(cd "$here/../.." && pwd) || exit 2
models=$here/models
golden=$root/tests/golden/models
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
QUIRE_SEED=${QUIRE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
export QUIRE_SEED
echo "QUIRE_SEED=$QUIRE_SEED"

fail() {
  echo "FAILED: $1"
  [ $# -lt 2 ] || sed 's/^/    /' "$2" | tail -n 12
  exit 1
}

# run COMMAND…: must succeed; its output goes to $scratch/log.
run() {
  "$@" >"$scratch/log" 2>&1 || fail "$* ended with $?" "$scratch/log"
}

# stage NAME INPUT OUTPUT [option…]: the module after a stage.
stage() {
  name=$1 input=$2 output=$3
  shift 3
  run "$bin/quire-compile" -q "$input" --compile-to="$name" -o "$output" "$@"
}

# agrees quire-diff-argument…: the compiled plan computes what the reference interpreter computes, with
# the newest code that the machine runs and with that of x86-64-v3.
agrees() {
  for level in newest v3; do
    "$bin/quire-diff" "$@" --level "$level" >"$scratch/log" 2>&1 ||
      fail "quire-diff $* --level $level must agree" "$scratch/log"
  done
}

# differs quire-diff-argument…: both sides run, and their numbers differ. Nothing else will do.
differs() {
  "$bin/quire-diff" "$@" >"$scratch/log" 2>&1
  [ $? -eq 1 ] && grep -q 'the reference says' "$scratch/log" ||
    fail "quire-diff $* must differ" "$scratch/log"
}

# edit PROGRAM FROM TO: sed that must change something.
edit() {
  sed -E "$1" "$2" >"$3" || fail "sed $1"
  ! cmp -s "$2" "$3" || fail "'$1' changes nothing in $2"
}

# refused CODE PATTERN OUTPUT COMMAND…: exit code, a matching line on standard error, no file OUTPUT.
refused() {
  code=$1 pattern=$2 output=$3
  shift 3
  "$@" >"$scratch/log" 2>&1
  got=$?
  [ "$got" -eq "$code" ] || fail "$* ended with $got, expected $code" "$scratch/log"
  grep -Eq "error: .*$pattern" "$scratch/log" || fail "$* gives no error about $pattern" "$scratch/log"
  [ ! -e "$output" ] || fail "$* left $output"
}

# count PATTERN FILE: lines that match.
count() { grep -Ec "$1" "$2" || true; }
