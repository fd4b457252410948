#!/bin/sh
# Installs the lockdep component into an empty prefix and builds docs/examples/lockdep-example against nothing else: as an
# executable, over a shared library, and compiled out. usage: package_test.sh SOURCE_DIR BUILD_DIR COMPILER CMAKE
set -eu
source_dir=$1
build_dir=$2
compiler=$3
cmake=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "package_test: $*" >&2; exit 1; }

"$cmake" --install "$build_dir" --component lockdep --prefix "$work/prefix" > "$work/install.log"
if grep -rl --include='*.h' -E '#include "(harness|bpf|injectors)/' "$work/prefix"; then fail "a header includes another part"; fi
# Each installed header compiles by itself, with Abseil alone beside it.
find "$work/prefix/include/ordeal" -name '*.h' | sort | sed "s|$work/prefix/include/ordeal/|#include \"|; s|\$|\"|" > "$work/all.cc"
[ "$(wc -l < "$work/all.cc")" -gt 20 ] || fail "headers are missing"
"$compiler" -std=c++20 -fsyntax-only -I"$work/prefix/include/ordeal" "$work/all.cc" || fail "the installed headers do not compile"

for off in OFF ON; do
  "$cmake" -S "$source_dir/docs/examples/lockdep-example" -B "$work/$off" -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release -DCOMPILE_OUT=$off > "$work/configure.log" 2>&1 ||
    { cat "$work/configure.log"; fail "the example does not configure"; }
  "$cmake" --build "$work/$off" > "$work/build.log" 2>&1 || { cat "$work/build.log"; fail "the example does not build"; }
done

for program in bank bank_over_shared_library; do
  status=0
  "$work/OFF/$program" buggy > "$work/out" 2> "$work/err" || status=$?
  [ "$status" -eq 1 ] || fail "$program buggy: exit status $status, not 1"
  grep -q "possible circular locking dependency detected" "$work/err" || fail "$program buggy: no report"
  grep -q "bank.cc:" "$work/err" || fail "$program buggy: the report names no line"
  "$work/OFF/$program" > "$work/out" 2> "$work/err" || fail "$program: exit status $?"
  [ ! -s "$work/err" ] || { cat "$work/err"; fail "$program: the clean program is not silent"; }
done
ORDEAL_LOCKDEP=off "$work/OFF/bank" buggy > "$work/out" 2> "$work/err" || fail "switched off by the environment: status $?"
[ ! -s "$work/err" ] || fail "switched off by the environment: not silent"
"$work/ON/bank" buggy > "$work/out" 2> "$work/err" || fail "compiled out: exit status $?"
[ ! -s "$work/err" ] || fail "compiled out: not silent"
if nm -C "$work/ON/bank" | grep -q "lockdep::Validator"; then fail "compiled out: the program holds the validator"; fi
echo "package_test: ok ($(wc -l < "$work/all.cc") headers)"
