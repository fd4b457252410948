"""The source files of the repository, for the checkers: skips build directories and hidden folders."""

import os

SOURCE_EXTENSIONS = (".h", ".cc", ".c")
SKIPPED = ("build", "nightly-out")


def walk(root):
    """Yields paths relative to root, sorted, with forward slashes."""
    for directory, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not f.startswith(SKIPPED))
        for name in sorted(files):
            yield os.path.relpath(os.path.join(directory, name), root).replace(os.sep, "/")


def sources(root):
    for path in walk(root):
        if path.endswith(SOURCE_EXTENSIONS):
            yield path


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as stream:
        return stream.read()
