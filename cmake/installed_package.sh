# For sourcing by the tests of what is installed: a scratch directory, an empty prefix with some components, and an example that is
# built against nothing else. The caller has set source_dir, build_dir, compiler and cmake, and name (of the test, for messages).
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "$name: $*" >&2; exit 1; }

install_components() {
  for component in "$@"; do
    "$cmake" --install "$build_dir" --component "$component" --prefix "$work/prefix" > "$work/install.log"
  done
}

# headers_compile COUNT DIRECTORY: each installed header below DIRECTORY compiles without the source tree, and there are more than COUNT.
headers_compile() {
  include=$work/prefix/include/ordeal
  find "$include/$2" -name '*.h' | sort | sed "s|$include/|#include \"|; s|//*|/|g; s|\$|\"|" > "$work/all.cc"
  [ "$(wc -l < "$work/all.cc")" -gt "$1" ] || fail "headers are missing"
  "$compiler" -std=c++20 -fsyntax-only -I"$include" "$work/all.cc" || fail "the installed headers do not compile"
}

# build_example NAME DIRECTORY OPTION...: of docs/examples, in $work/DIRECTORY.
build_example() {
  example=$1
  directory=$work/$2
  shift 2
  "$cmake" -S "$source_dir/docs/examples/$example" -B "$directory" -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" "$@" > "$work/configure.log" 2>&1 ||
    { cat "$work/configure.log"; fail "the example does not configure"; }
  "$cmake" --build "$directory" -j 2 > "$work/build.log" 2>&1 || { cat "$work/build.log"; fail "the example does not build"; }
}
