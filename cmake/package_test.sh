#!/bin/sh
# Installs the lockdep component into an empty prefix and builds docs/examples/lockdep-example against nothing else: as an
# executable, over a shared library, and compiled out. usage: package_test.sh SOURCE_DIR BUILD_DIR COMPILER CMAKE
set -eu
source_dir=$1
build_dir=$2
compiler=$3
cmake=$4
name=package_test
. "$source_dir/cmake/installed_package.sh"

install_components lockdep
if grep -rl --include='*.h' -E '#include "(harness|bpf|injectors)/' "$work/prefix"; then fail "a header includes another part"; fi
headers_compile 20 lockdep  # with Abseil alone beside them

for off in OFF ON; do
  build_example lockdep-example $off -DCMAKE_BUILD_TYPE=Release -DCOMPILE_OUT=$off
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
