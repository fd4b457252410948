#!/bin/sh
# In the virtual machine: the workload on file system $1, and the shrinkers. guest_init.sh runs it as it is or has it recorded;
# its result is /out/$1.status, whatever happens around it.
export PATH=/bin
. /plan
# shellcheck disable=SC2086 # options are words
/bin/ordeal kernel run --directory="/mnt/$1" --time="$TIME" --seed="$SEED" --save="/out/$1.findings" $RUN_OPTIONS \
  >"/out/$1.json" 2>>"/out/$1.err"
echo $? >"/out/$1.status"
# What the shrinkers take under their locks is a part of the order.
echo 2 >/proc/sys/vm/drop_caches
