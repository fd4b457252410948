#!/bin/sh
# Installs the preload component into an empty prefix: the library lies where the launcher looks, and a program that is started
# with it and without a launcher is left alone. usage: install_test.sh BUILD_DIR CMAKE
set -eu
build_dir=$1
cmake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "install_test: $*" >&2; exit 1; }

"$cmake" --install "$build_dir" --component preload --prefix "$work" > "$work/install.log" || fail "cannot install"
[ -f "$work/lib/ordeal/libordeal_preload.so" ] || fail "the library is not in lib/ordeal"
[ "$(find "$work/lib" -type f | wc -l)" -eq 1 ] || fail "the component has more than the library"
[ "$(LD_PRELOAD=$work/lib/ordeal/libordeal_preload.so /bin/echo hello 2>&1)" = hello ] || fail "it disturbs a program"
