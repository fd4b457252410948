#!/usr/bin/env python3
"""The shell scripts of ci/ on a machine that is not like this one: fake dpkg-query, apt-get, id and sudo in an empty PATH."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))


class ScriptsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        for tool in ("mktemp", "rm", "tail", "env", "cat", "dirname"):
            os.symlink(shutil.which(tool), os.path.join(self.folder.name, tool))

    def tearDown(self):
        self.folder.cleanup()

    def fake(self, name, script):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("#!/bin/bash\n" + script + "\n")
        os.chmod(path, 0o755)

    def run_script(self, name, *arguments):
        return subprocess.run([os.path.join(HERE, name), *arguments], env={"PATH": self.folder.name},
                              capture_output=True, text=True, check=False)

    def test_setup_says_nothing_when_nothing_is_to_do(self):
        self.fake("dpkg-query", "echo -n installed")
        self.fake("apt-get", "exit 1")
        result = self.run_script("setup")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, "")

    def test_setup_without_apt_says_what_to_install(self):
        result = self.run_script("setup")
        self.assertEqual(result.returncode, 3)
        self.assertIn("needs Debian's dpkg and apt-get", result.stderr)
        self.assertIn("libboost-context-dev", result.stderr)

    def test_setup_without_root_prints_the_command(self):
        self.fake("dpkg-query", '[[ ${@: -1} == xfsprogs ]] && exit 1; echo -n installed')
        self.fake("apt-get", "exit 0")
        self.fake("id", "echo 1000")
        result = self.run_script("setup")
        self.assertEqual(result.returncode, 3)
        self.assertIn("apt-get install -y --no-install-recommends xfsprogs\n", result.stderr)

    def test_setup_installs_only_what_is_missing_and_updates_lists_when_needed(self):
        log = os.path.join(self.folder.name, "log")
        self.fake("dpkg-query", '[[ ${@: -1} == xfsprogs ]] && exit 1; echo -n installed')
        self.fake("apt-get", f'echo "$*" >>{log}; [[ $1 == update || $(cat {log}) == *update* ]]')
        self.fake("id", "echo 0")
        result = self.run_script("setup")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(log, encoding="utf-8") as stream:
            calls = stream.read().splitlines()
        self.assertEqual(len(calls), 3)  # install fails, update, install
        self.assertTrue(calls[0].endswith(" xfsprogs"))

    def test_setup_shows_why_apt_failed(self):
        self.fake("dpkg-query", "exit 1")
        self.fake("apt-get", "echo 'E: no network'; exit 100")
        self.fake("id", "echo 0")
        result = self.run_script("setup")
        self.assertEqual(result.returncode, 3)
        self.assertIn("E: no network", result.stderr)

    def test_bad_arguments_are_exit_status_two(self):
        self.assertEqual(self.run_script("setup", "--now").returncode, 2)
        for argument in ("--minutes=0", "--minutes=x", "--minutes=", "--minute=2", "2"):
            result = self.run_script("nightly", argument)
            self.assertEqual(result.returncode, 2, argument)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)


if __name__ == "__main__":
    unittest.main()
