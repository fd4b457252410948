#!/bin/sh
# Clang's thread-safety analysis accepts the good use of the locks and refuses each bad one, with validation and without.
# usage: thread_safety_test.sh SOURCE_DIR
set -u
source_dir=$1
clang=$(command -v clang++ || command -v clang++-14) || { echo "ORDEAL_SKIPPED: no clang++ (apt-get install clang)"; exit 0; }
data=$source_dir/lockdep/locks/testdata
failures=0

compiles() { "$clang" -std=c++20 -fsyntax-only -Wthread-safety -Werror=thread-safety -I"$source_dir" "$@" 2>&1; }

for off in "" -DORDEAL_LOCKDEP_OFF; do
  if ! output=$(compiles $off "$data/thread_safety_good.cc"); then
    echo "the good use does not compile ($off): $output"; failures=$((failures + 1))
  fi
  if ! output=$(compiles $off -DBAD_USE=0 "$data/thread_safety_bad.cc"); then
    echo "the frame of the bad uses does not compile ($off): $output"; failures=$((failures + 1))
  fi
  for use in 1 2 3 4 5 6 7; do
    if output=$(compiles $off -DBAD_USE=$use "$data/thread_safety_bad.cc"); then
      echo "bad use $use compiles ($off)"; failures=$((failures + 1))
    elif ! echo "$output" | grep -q "Wthread-safety"; then
      echo "bad use $use fails for another reason ($off): $output"; failures=$((failures + 1))
    fi
  done
done
[ "$failures" -eq 0 ] && echo "14 bad uses refused, 4 good ones compiled"
exit "$failures"
