#!/usr/bin/env python3
"""How much slower lock-heavy programs run under `ordeal lockdep` than bare, and under helgrind and ThreadSanitizer.

usage: overhead_table.py BUILD [--runs=N] [--threads=N] [--scale=F] [--skip=TOOL]      e.g. --skip=helgrind, which takes minutes

Prints a markdown table: median seconds of N runs and, in brackets, the range; then the slowdown, median by median. All tools run
the same program with the same arguments, one after another, N rounds, so that a busy neighbour meets all of them. Start-up is
part of the time, as it is of a user's; "grades off" leaves out who can meet whom (--no-grades).

Not everything is comparable: ThreadSanitizer needs the program compiled for it, so it has no SQLite row (Debian's library is
not), and it also looks for races; helgrind does too, runs one thread at a time, and interprets all code; only `ordeal lockdep`
and ThreadSanitizer keep two threads on two processors.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time


def programs(build, threads, scale):
    folder = os.path.join(build, "lockdep", "preload")
    transfers = str(int(200000 * scale))
    operations = str(int(20000 * scale))
    yield ("transfers: 3 locks each", [os.path.join(folder, "lock_heavy"), str(threads), transfers],
           [os.path.join(folder, "lock_heavy_tsan"), str(threads), transfers])
    driver = os.path.join(folder, "sqlite_driver")
    if os.path.exists(driver):
        yield "SQLite, shared connection", [driver, str(threads), operations], None


def tools(build, command, tsan):
    launcher = os.path.join(build, "lockdep", "preload", "lockdep_launch")
    yield "bare", command, {}
    yield "ordeal lockdep", [launcher] + command, {}
    yield "ordeal lockdep, grades off", [launcher] + command, {"LOCKDEP_NO_GRADES": "1"}
    if tsan:
        yield "ThreadSanitizer", tsan, {"TSAN_OPTIONS": "report_bugs=1:detect_deadlocks=1"}
    if shutil.which("valgrind"):
        yield "helgrind", ["valgrind", "--tool=helgrind", "-q"] + command, {}


def measure(command, environment):
    begin = time.monotonic()
    result = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seconds = time.monotonic() - begin
    if result.returncode not in (0, 66):  # 66: ThreadSanitizer found something
        sys.exit(f"{' '.join(command)}: exit status {result.returncode}\n{result.stderr.decode()[-2000:]}")
    return seconds, result.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--skip", action="append", default=[])
    arguments = parser.parse_args()
    print("| program | tool | seconds: median (range) | slowdown |")
    print("|---|---|---|---|")
    for name, command, tsan in programs(arguments.build, arguments.threads, arguments.scale):
        rows = [row for row in tools(arguments.build, command, tsan) if row[0] not in arguments.skip]
        times = {tool: [] for tool, _, _ in rows}
        outputs = set()
        for _ in range(arguments.runs):
            for tool, line, environment in rows:
                seconds, output = measure(line, environment)
                times[tool].append(seconds)
                outputs.add(output)
        if len(outputs) != 1:
            sys.exit(f"{name}: the tools changed the program's output: {outputs}")
        bare = statistics.median(times["bare"])
        for tool, values in times.items():
            median = statistics.median(values)
            print(f"| {name} | {tool} | {median:.3f} ({min(values):.3f} to {max(values):.3f}) | {median / bare:.2f} |", flush=True)


if __name__ == "__main__":
    main()
