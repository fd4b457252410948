#!/usr/bin/env python3
"""Checks every #include and every CMake dependency against ci/layers.txt.

usage: check_layers.py [ROOT]      exit status 0: all allowed; 1: prints one line for each forbidden edge

A line "room: a b" grants the room the folders a and b and whatever these are granted. A room may always include itself
and lockdep/support. Tests and benchmarks of harness/ and injectors/ also get the rooms of the line "tests:": nothing
runs without a choice source.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree  # noqa: E402

FREE = "lockdep/support"
TESTS = "tests"
TOPS = ("lockdep/", "harness/", "injectors/", "bpf/")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
CALL = re.compile(r"(\w+)\s*\(([^()]*)\)")


def parse_layers(text):
    """room -> set of rooms granted directly; raises ValueError for a cycle or an unknown room."""
    direct = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        room, separator, grants = line.partition(":")
        if not separator or room in direct:
            raise ValueError(f"ci/layers.txt:{number}: expected one 'room: rooms' line a room, got '{line}'")
        direct[room] = set(grants.split())
    for room, grants in direct.items():
        for grant in grants:
            if grant not in direct:
                raise ValueError(f"ci/layers.txt: {room} is granted '{grant}', which has no line")
    return direct


def close(direct):
    """room -> all rooms it may include, itself and lockdep/support among them."""
    closed = {}

    def visit(room, path):
        if room in path:
            raise ValueError("ci/layers.txt: cycle " + " -> ".join(path + [room]))
        if room not in closed:
            reach = {room, FREE}
            for grant in sorted(direct[room]):
                reach |= visit(grant, path + [room])
            closed[room] = reach
        return closed[room]

    for room in sorted(direct):
        visit(room, [])
    return closed


def room_of(path, rooms):
    """The room that holds a file: its longest enclosing folder with a line, or None."""
    folder = os.path.dirname(path)
    while folder:
        if folder in rooms:
            return folder
        folder = os.path.dirname(folder)
    return None


def allowed_for(room, is_test, closed):
    allowed = set(closed[room])
    if is_test and room.startswith(("harness/", "injectors/")):
        allowed |= closed.get(TESTS, set())
    return allowed


def check_includes(root, closed):
    errors = []
    for path in tree.sources(root):
        if not path.startswith(TOPS):
            continue
        room = room_of(path, closed)
        if room is None:
            errors.append(f"{path}: its folder has no line in ci/layers.txt")
            continue
        is_test = bool(re.search(r"_(test|benchmark|fuzz)\.cc$", path)) or "_test_" in os.path.basename(path)
        allowed = allowed_for(room, is_test, closed)
        text = tree.read(root, path)
        for match in INCLUDE.finditer(text):
            if not match.group(1).startswith(TOPS):
                continue
            target = room_of(match.group(1), closed)
            line = text.count("\n", 0, match.start()) + 1
            if target is None:
                errors.append(f"{path}:{line}: includes {match.group(1)}, whose folder has no line in ci/layers.txt")
            elif target not in allowed:
                errors.append(f"{path}:{line}: {room} may not include {target} ({match.group(1)})")
    return errors


def check_cmake(root, closed):
    errors = []
    home = {}  # "ordeal::x" -> room
    files = [p for p in tree.walk(root) if p.endswith("CMakeLists.txt") and p.startswith(TOPS)]
    texts = {path: re.sub(r"#[^\n]*", "", tree.read(root, path)) for path in files}
    for path, text in texts.items():
        for call, arguments in CALL.findall(text):
            name = re.search(r"\bNAME\s+(\S+)", arguments)
            if call == "ordeal_library" and name:
                home["ordeal::" + name.group(1)] = room_of(path, closed)
    for path, text in texts.items():
        room = room_of(path, closed)
        for call, arguments in CALL.findall(text):
            for dependency in re.findall(r"ordeal::\w+", arguments):
                if room is None:
                    errors.append(f"{path}: its folder has no line in ci/layers.txt")
                elif dependency not in home:
                    errors.append(f"{path}: {call} depends on {dependency}, which no ordeal_library defines")
                elif home[dependency] not in allowed_for(room, call in ("ordeal_test", "ordeal_benchmark"), closed):
                    errors.append(f"{path}: {room} may not depend on {home[dependency]} ({dependency})")
    return errors


def check(root):
    try:
        closed = close(parse_layers(tree.read(root, "ci/layers.txt")))
    except ValueError as error:
        return [str(error)]
    return check_includes(root, closed) + check_cmake(root, closed)


def main(arguments):
    root = arguments[1] if len(arguments) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    errors = check(root)
    for error in errors:
        print(error)
    print(f"check_layers: {len(errors)} errors" if errors else "check_layers: ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
