# What scripts here share: a scratch folder, a cache of their own, and counted checks. Sourced, not run.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME="$scratch/cache"
failures=0
checks=0

check() { # check NAME COMMAND...
  name=$1
  shift
  checks=$((checks + 1))
  "$@" && return
  failures=$((failures + 1))
  echo "FAILED: $name"
  sed 's/^/    stderr: /' "$scratch/err" | head -12
}
