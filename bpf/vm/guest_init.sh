#!/bin/sh
# Process 1 of the virtual machine: mounts each disk of the plan, runs the workload on it, and writes what the kernel's lockdep
# has seen as a tar archive on the result disk. The plan is /plan: shell variables (lockdep_vm.cc writes it).
# Nothing here may hang for ever: the host ends the machine when its time is up, and keeps the console.
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /out
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
. /plan
echo 20 >/proc/sys/kernel/hung_task_timeout_secs
echo "ordeal-vm: begin"

# Of a hundred attempts $1 fail: of the kinds that the plan names, and of those on disk $2. Attempts to get memory fail in the
# tasks alone that ask for it (`ordeal kernel run --make-it-fail`).
inject_faults() {
  for attribute in $FAULT_KINDS; do
    directory=/sys/kernel/debug/$attribute
    [ -d "$directory" ] || { echo "ordeal-vm: this kernel has no $attribute"; continue; }
    echo "$1" >"$directory/probability"
    echo -1 >"$directory/times"
    echo 0 >"$directory/verbose"
    if [ "$attribute" = fail_make_request ]; then
      [ "$1" -gt 0 ] && on=1 || on=0
      echo $on >"/sys/block/${2#/dev/}/make-it-fail"
    else
      echo Y >"$directory/task-filter"
      echo N >"$directory/ignore-gfp-wait"
      [ "$attribute" = fail_page_alloc ] && echo 0 >"$directory/min-order"
    fi
  done
}

# XFS on persistent memory, too: its disk is copied there.
mount_disk() {
  if [ "$1" = xfs-dax ]; then
    [ -b /dev/pmem0 ] || { echo "this kernel has no /dev/pmem0"; return 1; }
    dd if="$2" of=/dev/pmem0 bs=1M 2>&1 && mount -t xfs -o dax=always /dev/pmem0 "/mnt/$1" 2>&1
  else
    mount -t "$1" "$2" "/mnt/$1" 2>&1
  fi
}

# Each program of the list on file system $1. One that does not end in its time is killed; if that does not help, it is left.
run_programs() {
  while read -r name arguments; do
    echo "ordeal-vm: $1: $name"
    export result="/out/$1.$name"
    # shellcheck disable=SC2016,SC2086
    setsid sh -c 'echo $$ >/tmp/group; "$@" >"$result.out" 2>&1; echo $? >"$result.status"' sh "/programs/$name" "/mnt/$1" $arguments &
    waited=0
    while [ ! -s "$result.status" ] && [ "$waited" -lt "$PROGRAM_TIME" ]; do
      sleep 1
      waited=$((waited + 1))
    done
    [ -s "$result.status" ] || { kill -9 "-$(cat /tmp/group)"; sleep 2; echo -1 >"$result.status"; }
  done </program-list
}

# As often as there is news: a machine that hangs later has it on its disk. Not `sync`: it would wait for the file systems.
save_results() {
  for name in lockdep lockdep_chains lockdep_stats lock_stat; do
    [ -f "/proc/$name" ] && cat "/proc/$name" >"/out/$name.txt"
  done
  dmesg >/out/dmesg.txt
  tar -C /out -cf /dev/"$RESULT_DISK" .
  blockdev --flushbufs /dev/"$RESULT_DISK"
}

for pair in $DISKS; do
  fs=${pair%%:*}
  disk=${pair#*:}
  mkdir -p "/mnt/$fs"
  if ! mount_disk "$fs" "$disk" >"/out/$fs.err"; then
    echo "ordeal-vm: cannot mount $fs: $(cat "/out/$fs.err")"
    echo 3 >"/out/$fs.status"
    continue
  fi
  echo "ordeal-vm: $fs"
  : >"/out/$fs.err"
  inject_faults "$FAULT_PERCENT" "$disk"
  if [ -s /program-list ]; then
    run_programs "$fs"
    echo 0 >"/out/$fs.status"
    echo 2 >/proc/sys/vm/drop_caches
  elif [ -n "$RECORD" ]; then
    /bin/ordeal kernel record --fs="/mnt/$fs" --out="/out/$fs.record.txtpb" --json -- /bin/sh /workload "$fs" \
      >"/out/$fs.record.json" 2>"/out/$fs.record.err"
    echo $? >"/out/$fs.record.status"
  fi
  # What cannot be recorded runs all the same.
  [ -f "/out/$fs.status" ] || /bin/sh /workload "$fs"
  inject_faults 0 "$disk"
  umount "/mnt/$fs" || echo "ordeal-vm: cannot unmount $fs"
  echo "ordeal-vm: done $fs"
  save_results
done

[ -z "$CRASH" ] || echo c >/proc/sysrq-trigger
uname -r >/out/release
save_results
echo "ordeal-vm: end"
poweroff -f
