#!/usr/bin/env python3
"""Checks what a reviewer should not have to: banned sources of nondeterminism, lengths, marker words, folder names.

usage: check_style.py [ROOT]       exit status 0: clean; 1: prints one line for each offence
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree  # noqa: E402

LINES_MAX = 600
COLUMNS_MAX = 132  # the hard bound; .clang-format wraps code at 120
TOPS = ("lockdep/", "harness/", "injectors/", "bpf/")

# (pattern, what it is, rooms where it is allowed)
BANNED = (
    (r"\bstd::(thread|jthread|async)\b|\bpthread_create\b", "a real thread", ("lockdep/", "bpf/", "harness/campaign/")),
    (r"\bstd::\w*mutex\b|\babsl::Mutex\b|\bstd::condition_variable\b", "a real mutex",
     ("lockdep/", "bpf/", "harness/campaign/")),
    (r"\b(system_clock|steady_clock|high_resolution_clock)\b|\babsl::Now\b|\b(clock_gettime|gettimeofday)\s*\("
     r"|\btime\s*\(\s*(0|NULL|nullptr)\s*\)", "a wall clock", ("lockdep/locks/", "bpf/", "harness/campaign/")),
    (r"\bstd::random_device\b|\bs?rand\s*\(\s*\)", "randomness without a seed", ()),
    (r"\bstd::\w+_distribution\b", "a distribution that differs between libraries", ()),
    (r"\babsl::(Insecure)?BitGen\b", "randomness that differs between processes", ()),
    (r"\babsl::Hash\b|\babsl::HashOf\b", "a hash that differs between processes", ()),
    (r"\bstd::unordered_(map|set)\b", "a container whose order differs between libraries", ()),
)
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
FOLDERS_BANNED = {"util", "utils", "common", "base", "misc", "helpers"}
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
FLAT_HASH = re.compile(r"\bflat_hash_(?:map|set)<[^;{}]*>\s+(\w+)\s*(?:ABSL_GUARDED_BY\([^)]*\)\s*)?[;{=]")


def blank(match):
    """Replaces comments and literals, keeping line numbers."""
    return re.sub(r"[^\n]", " ", match.group(0))


def check_text(path, text, code):
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        yield f"{path}: {len(lines)} lines; split it (at most {LINES_MAX})"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield f"{path}:{number}: {len(line)} columns; at most {COLUMNS_MAX}"
        if "\t" in line:
            yield f"{path}:{number}: a tab"
        if line != line.rstrip() and not path.endswith("_test.cc"):  # golden text may end in spaces
            yield f"{path}:{number}: trailing space"
        if MARKERS.search(line):
            yield f"{path}:{number}: marker word {MARKERS.search(line).group(1)}; finish it or open an issue"
    for pattern, what, rooms in BANNED:
        if rooms and (path.startswith(rooms) or path.endswith(("_benchmark.cc", "_for_benchmark.h"))):  # benchmarks measure the real ones
            continue
        for match in re.finditer(pattern, code):
            number = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: {match.group(0).strip()} is {what}"


def check_hash_order(root, path, code):
    """Iterating a flat_hash_* member or variable: its order differs in every process."""
    names = set(FLAT_HASH.findall(code))
    header = re.sub(r"(_test|_benchmark)?\.cc$", ".h", path)
    if header != path and os.path.exists(os.path.join(root, header)):
        names |= set(FLAT_HASH.findall(COMMENT_OR_STRING.sub(blank, tree.read(root, header))))
    for name in sorted(names):
        for match in re.finditer(r"for\s*\([^;()]*:\s*" + name + r"\s*\)", code):
            number = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: iterates {name}, whose order differs between processes; sort first"


def check(root):
    errors = []
    for path in tree.sources(root):
        if not path.startswith(TOPS):
            continue
        folders = set(path.split("/")[:-1])
        if folders & FOLDERS_BANNED:
            errors.append(f"{path}: a folder called {sorted(folders & FOLDERS_BANNED)[0]}; name the concept")
        try:
            text = tree.read(root, path)
        except UnicodeDecodeError:
            errors.append(f"{path}: not UTF-8")
            continue
        code = COMMENT_OR_STRING.sub(blank, text)
        errors.extend(check_text(path, text, code))
        errors.extend(check_hash_order(root, path, code))
        if path.endswith(".h") and "_H_" not in text and "#pragma once" not in text:
            errors.append(f"{path}: no include guard")
    return errors


def main(arguments):
    root = arguments[1] if len(arguments) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    errors = check(root)
    for error in errors:
        print(error)
    print(f"check_style: {len(errors)} errors" if errors else "check_style: ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
