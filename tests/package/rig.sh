# shellcheck shell=bash disable=SC2034
# tests/package/rig.sh: what the tests of this folder share. They source it with their arguments.
if [ $# -ne 2 ] || [ "$1" != --here-is-a-throwaway-system ]; then
  sed -n '2,/^set /{/^set /d;p}' "$0" | sed 's/^# //' >&2
  exit 2
fi
packages=$(cd "$2" && pwd)
name=$(basename "$0")
[ "$(id -u)" = 0 ] || { echo "$name: installing takes root" >&2; exit 1; }
[ ! -e /var/lib/ebla ] || { echo "$name: /var/lib/ebla is there: purging would delete it" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d /tmp/ebla_package_test.XXXXXX)
children=()
cleanup() {
  local child
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  for child in "${children[@]}"; do wait "$child" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

faults=0
check() {  # check WHAT COMMAND...: the command succeeds
  local what=$1; shift
  if "$@" >"$work/out" 2>&1; then echo "ok    $what"; else echo "FAIL  $what: $*"; sed 's/^/      /' "$work/out"; \
    faults=$((faults + 1)); fi
}
expect() {  # expect WHAT WANTED COMMAND...: the command prints this
  local what=$1 wanted=$2 got; shift 2
  got=$("$@" 2>&1) || true
  if [ "$got" = "$wanted" ]; then echo "ok    $what"; else echo "FAIL  $what: \"$got\", not \"$wanted\""; \
    faults=$((faults + 1)); fi
}
not() { ! "$@"; }
apt() { apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@" >"$work/apt" 2>&1 \
  || { cat "$work/apt"; exit 1; }; }
wait_for() {  # wait_for COMMAND...: until it succeeds, at most 60 s
  local limit=$((SECONDS + 60))
  until "$@" >"$work/out" 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || { echo "FAIL  nothing came of: $*"; tail -n 20 "$work/out" "$work"/*.log; exit 1; }
    sleep 0.1
  done
}
