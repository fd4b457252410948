#!/usr/bin/env python3
"""Prints what recording costs: fio on a loop XFS without recording, with `ordeal kernel record`, and with bpftrace handing the
same events to user space.

usage: recorder_overhead.py ORDEAL [--repetitions N] [--seconds S] [--image-dir DIR] [--jobs N] [--only direct|mmap]

Needs root, fio, bpftrace, mkfs.xfs and loop devices. The image lies in /dev/shm unless told otherwise: the fastest device, so
the dearest recording. The runs of a repetition follow each other directly, in a rotating order, so that whatever else the
machine does meets them alike; each cell is the median of the N paired differences, (quartiles) and [lowest..highest]. fio runs
as a real-time task, so that other work disturbs it less (that of the loop device's threads it still does). bpftrace takes part in
every third repetition.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

WORKLOADS = (
    ("randrw, direct", ["--ioengine=psync", "--direct=1"]),
    ("randrw, mmap", ["--ioengine=mmap"]),
)
MODES = ("none", "ordeal", "bpftrace")

# The same events, one line each; the lines go to /dev/null, where a program of the user would have to read them.
STREAM = """
tracepoint:xfs:xfs_ilock { printf("%d %d L %d %x %p\\n", nsecs, tid, args->ino, args->lock_flags, args->caller_ip); }
tracepoint:xfs:xfs_ilock_nowait { printf("%d %d T %d %x %p\\n", nsecs, tid, args->ino, args->lock_flags, args->caller_ip); }
tracepoint:xfs:xfs_iunlock { printf("%d %d U %d %x %p\\n", nsecs, tid, args->ino, args->lock_flags, args->caller_ip); }
tracepoint:xfs:xfs_ilock_demote { printf("%d %d D %d %x %p\\n", nsecs, tid, args->ino, args->lock_flags, args->caller_ip); }
tracepoint:mmap_lock:mmap_lock_start_locking { printf("%d %d a %p %d\\n", nsecs, tid, args->mm, args->write); }
tracepoint:mmap_lock:mmap_lock_acquire_returned { printf("%d %d l %p %d %d\\n", nsecs, tid, args->mm, args->write, args->success); }
tracepoint:mmap_lock:mmap_lock_released { printf("%d %d u %p %d\\n", nsecs, tid, args->mm, args->write); }
tracepoint:lock:contention_begin /(args->flags & 33) != 1/ { printf("%d %d b %p %d\\n", nsecs, tid, args->lock_addr, args->flags); }
tracepoint:lock:contention_end { printf("%d %d e %p %d\\n", nsecs, tid, args->lock_addr, args->ret); }
tracepoint:filemap:mm_filemap_add_to_page_cache { printf("%d %d A %d %d\\n", nsecs, tid, args->i_ino, args->index); }
tracepoint:filemap:mm_filemap_delete_from_page_cache { printf("%d %d R %d %d\\n", nsecs, tid, args->i_ino, args->index); }
"""


def run(*words, **options):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@contextlib.contextmanager
def scratch_xfs(image_dir):
    """A mounted XFS; whatever happens, it is gone afterwards."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=image_dir, prefix="ordeal."))
        image = os.path.join(folder, "image")
        with open(image, "wb") as file:
            file.truncate(1 << 30)
        device = run("losetup", "--find", "--show", image).stdout.strip()
        stack.callback(lambda: run("losetup", "--detach", device))
        run("mkfs.xfs", "-q", "-f", device)
        mount = os.path.join(folder, "mount")
        os.mkdir(mount)
        run("mount", device, mount)
        stack.callback(lambda: run("umount", mount))
        yield mount


def ensure_tracefs(stack):
    """bpftrace needs it; unmounted again if it was not there."""
    if os.path.exists("/sys/kernel/tracing/events"):
        return
    run("mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing")
    stack.callback(lambda: run("umount", "/sys/kernel/tracing"))


def fio_command(options, workload, mount):
    return [shutil.which("chrt") or "chrt", "--fifo", "1", shutil.which("fio") or "fio", "--name=overhead", f"--directory={mount}", "--rw=randrw", "--bs=4k", "--size=64m", "--fallocate=none",
            "--randrepeat=1", "--time_based=1", f"--runtime={options.seconds}", f"--numjobs={options.jobs}", "--thread=0",
            "--group_reporting=1", "--output-format=json", *workload]


def speed(text):
    """(operations a second, microseconds of fio's processor time for one)"""
    job = json.loads(text[text.index("{"):])["jobs"][0]
    operations = job["read"]["total_ios"] + job["write"]["total_ios"]
    processor_us = (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] * 1000
    return job["read"]["iops"] + job["write"]["iops"], processor_us / operations


def measure(options, mode, workload, mount, folder):
    """(operations a second, processor time of one, events that were seen, events that were lost)"""
    result = os.path.join(folder, "fio.json")
    command = fio_command(options, workload, mount) + [f"--output={result}"]
    if mode == "none":
        run(*command)
        events, lost = 0, 0
    elif mode == "ordeal":
        done = run(options.ordeal, "kernel", "record", f"--fs={mount}", "--json", "--", *command)
        recording = json.loads(done.stdout)
        events, lost = recording["graph"]["counters"]["events seen"], recording["lost"]
        for name, value in recording["graph"]["counters"].items():
            if name.startswith("lost: ") and value:
                print(f"{value} {name}", file=sys.stderr)
    else:
        script = os.path.join(folder, "stream.bt")
        with open(script, "w", encoding="ascii") as file:
            file.write(STREAM)
        with open(os.path.join(folder, "lines"), "w", encoding="ascii") as errors:
            done = subprocess.run(["bpftrace", "-c", " ".join(command), script], check=True, stdout=subprocess.DEVNULL,
                                  stderr=errors, env={**os.environ, "BPFTRACE_PERF_RB_PAGES": "512"})
        with open(os.path.join(folder, "lines"), encoding="utf-8", errors="replace") as errors:
            lost = sum(int(number) for number in re.findall(r"Lost (\d+) events", errors.read()))
        events = None
    with open(result, encoding="utf-8") as file:
        return *speed(file.read()), events, lost


def cell(values, digits=1):
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f}) [{min(values):.{digits}f}..{max(values):.{digits}f}]"


def print_table(head, rows):
    table = [head] + rows
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for number, row in enumerate(table):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def rows_of(results):
    for name, runs in results.items():
        yield [name, "nothing", cell([r["none"][0] for r in runs], 0), "", cell([r["none"][1] for r in runs], 2), "", "", ""]
        for mode in MODES[1:]:
            all_runs, runs = runs, [r for r in runs if mode in r]
            slower = [100 * (1 - r[mode][0] / r["none"][0]) for r in runs]
            dearer = [100 * (r[mode][1] / r["none"][1] - 1) for r in runs]
            events = [r[mode][2] for r in runs]
            yield [name, {"ordeal": "`ordeal kernel record`", "bpftrace": "bpftrace, to user space"}[mode],
                   cell([r[mode][0] for r in runs], 0), cell(slower), cell([r[mode][1] for r in runs], 2), cell(dearer),
                   "" if events[0] is None else f"{statistics.median(events):.0f}",
                   f"{statistics.median([r[mode][3] for r in runs]):.0f} [{min(r[mode][3] for r in runs)}.."
                   f"{max(r[mode][3] for r in runs)}]"]
            runs = all_runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ordeal")
    parser.add_argument("--repetitions", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--image-dir", default="/dev/shm")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=("direct", "mmap"), help="one of the two workloads")
    options = parser.parse_args()
    workloads = [w for w in WORKLOADS if not options.only or w[0].endswith(options.only)]
    if os.geteuid() != 0:
        sys.exit("recorder_overhead.py: needs root (to mount, and to load eBPF programs)")
    results = {name: [] for name, _ in workloads}
    with contextlib.ExitStack() as stack:
        ensure_tracefs(stack)
        mount = stack.enter_context(scratch_xfs(options.image_dir))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ordeal."))
        for name, workload in workloads:  # lays the files out
            measure(options, "none", workload, mount, folder)
        for number in range(options.repetitions):
            # Every third time bpftrace takes part; the order rotates.
            modes = MODES if number % 3 == 0 else MODES[:2]
            turn = modes[number // 3 % len(modes):] + modes[:number // 3 % len(modes)]
            for name, workload in workloads:
                results[name].append({mode: measure(options, mode, workload, mount, folder) for mode in turn})
            print(f"repetition {number + 1} of {options.repetitions}", file=sys.stderr)
    print_table(["workload", "recorded by", "operations/s", "slower by %", "us an operation", "dearer by %", "events",
                 "events lost"], list(rows_of(results)))
    print("Slower: fewer operations a second; what else runs on the machine disturbs it. Dearer: processor time of fio's own tasks\n"
          "for one operation; the programs of a recorder run in them. bpftrace's own processor time is not in it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
