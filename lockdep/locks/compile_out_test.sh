#!/bin/sh
# With ORDEAL_LOCKDEP_OFF the locks are the plain locks: same sizes (static_assert), same machine code, and no symbol of the
# validator in the object. usage: compile_out_test.sh SOURCE_DIR COMPILER
set -u
source_dir=$1
compiler=$2
command -v objdump > /dev/null || { echo "ORDEAL_SKIPPED: no objdump (apt-get install binutils)"; exit 0; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

compile() {
  name=$1
  shift
  "$compiler" -std=c++20 -O2 -DORDEAL_LOCKDEP_OFF -I"$source_dir" "$@" -c "$source_dir/lockdep/locks/testdata/compiled_out.cc" \
    -o "$work/$name.o" || exit 1
}
compile plain -DPLAIN
compile ours

code() {  # of one function, with relocations, without addresses
  objdump -dr --no-show-raw-insn --disassemble="$2" "$work/$1.o" | sed -n "/<$2>:/,/^\$/p" |
    sed -E 's/^ +[0-9a-f]+:[[:space:]]+//; s/^[0-9a-f]+ //'
}
for function in ExclusivePair Guarded TryPair RecursivePair ReaderPair WriterPair; do
  code plain $function > "$work/plain.txt"
  code ours $function > "$work/ours.txt"
  [ "$(wc -l < "$work/plain.txt")" -gt 5 ] || { echo "no code for $function"; failures=$((failures + 1)); }
  if ! diff "$work/plain.txt" "$work/ours.txt"; then
    echo "$function: the code differs from the plain lock's"; failures=$((failures + 1))
  fi
done
if nm -C "$work/ours.o" | grep -E "Validator|TaskContext|ThreadState|validation_flag"; then
  echo "the object names the validator"; failures=$((failures + 1))
fi
[ "$failures" -eq 0 ] && echo "6 functions are identical"
exit "$failures"
