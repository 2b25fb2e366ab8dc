#!/usr/bin/env bash
# install_test.sh BUILD_DIR SOURCE_DIR CXX_FLAGS
# Installs the SDK into a directory of its own, builds the example against it with plain CMake, and runs it against a
# pretended cluster and, when it has been built, against ebla-standalone.
set -euo pipefail
build=$1 source=$2 flags=${3:-}
work=$(mktemp -d /tmp/ebla_install_test.XXXXXX)
children=()
cleanup() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; wait "$child" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

cmake --install "$build" --component sdk --prefix "$work/installed" >"$work/install.log"
# No header of ours may drag in what users do not have to know.
if grep -rlE '#include <(thrift|glog|event2?|gflags)/' "$work/installed/include"; then
  echo "a public header includes a private dependency" >&2
  exit 1
fi
# The user's include path gets the folder ebla/ and nothing else.
if [ "$(ls "$work/installed/include")" != ebla ]; then
  echo "include/ holds more than ebla/: $(ls "$work/installed/include")" >&2
  exit 1
fi
# Each header compiles alone, because users may include any of them first.
find "$work/installed/include" -name '*.h' -printf '#include <%P>\n' | while read -r line; do
  echo "$line" | ${CXX:-c++} -std=c++23 -fsyntax-only -I "$work/installed/include" -x c++ - \
    || { echo "fails alone: $line" >&2; exit 1; }
done
cp -r "$source/client/example" "$work/example"
cmake -G Ninja -S "$work/example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_CXX_FLAGS="$flags" \
  >"$work/configure.log"
cmake --build "$work/build" >"$work/build.log" || { cat "$work/build.log"; exit 1; }

# The same with pkg-config alone. The flags bring a sanitizer's runtime.
PKG_CONFIG_PATH=$(dirname "$(find "$work/installed" -name ebla-client.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086
${CXX:-c++} -std=c++23 $flags "$work"/example/*.cc $(pkg-config --cflags --libs ebla-client) -o "$work/by_pkg_config"

expect() {  # expect PROGRAM MASTER: the example's output against a new cluster
  "$work/$1" "$2" >"$work/out" || { cat "$work/out"; exit 1; }
  grep -q '^cart: apples,bread,wine  version ' "$work/out"
  grep -q '^theme:user42 = dark$' "$work/out"
}

mkfifo "$work/stdin"
exec 9<>"$work/stdin"
"$build/test/client_fake_cluster" <&9 >"$work/masters" &
children+=($!)
for _ in $(seq 200); do [ -s "$work/masters" ] && break; sleep 0.05; done
expect build/example "$(head -n1 "$work/masters")"

if [ -x "$build/bin/ebla-standalone" ]; then
  "$build/bin/ebla-standalone" --data_dir="$work/data" --listen=127.0.0.1:0 --http_listen=127.0.0.1:0 \
    2>"$work/standalone.log" &
  children+=($!)
  for _ in $(seq 400); do [ -s "$work/data/ADDRESS" ] && break; sleep 0.05; done
  expect by_pkg_config "$(sed -n 's/^thrift //p' "$work/data/ADDRESS")"
fi
echo "installed, built and run"
