#!/bin/sh
# Installs the components lockdep and main into an empty prefix, builds docs/examples/own-filesystem against nothing else and
# runs it: with its bug it finds it and replays the file that it saved, without it finds nothing.
# usage: own_filesystem_test.sh SOURCE_DIR BUILD_DIR COMPILER CMAKE
set -eu
source_dir=$1
build_dir=$2
compiler=$3
cmake=$4
name=own_filesystem_test
. "$source_dir/cmake/installed_package.sh"

# expect STATUS ARGUMENT...: of the program; its output is in $work/out
expect() {
  expected=$1
  shift
  status=0
  "$work/build/mytrial" "$@" > "$work/out" 2> "$work/err" || status=$?
  [ "$status" -eq "$expected" ] || { cat "$work/out" "$work/err"; fail "mytrial $*: exit status $status, not $expected"; }
}
shows() { grep -q -e "$1" "$work/out" || { cat "$work/out"; fail "no '$1' in the output"; }; }

install_components lockdep main
headers_compile 50 harness
build_example own-filesystem build

cd "$work"
expect 0 list
for name in ledger-read-vs-write ledger-mix range-lock-transfers read-locks-first-page-only punch-hole-vs-read; do shows "$name"; done

expect 1 run ledger-read-vs-write --bug=L01 --save="$work/found"
shows "FOUND data"
shows "mytrial replay"
expect 0 replay "$work/found"
expect 2 run ledger-read-vs-write --bug=B01 --no-save  # of another file system
for scenario in ledger-read-vs-write ledger-mix range-lock-transfers; do
  expect 0 run $scenario --schedules=3000 --no-save
  shows "nothing found"
done
echo "own_filesystem_test: ok ($(wc -l < "$work/all.cc") headers)"
