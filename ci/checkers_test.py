#!/usr/bin/env python3
"""The checkers themselves: each rule is shown one offence that it must catch and one near miss that it must not."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layers  # noqa: E402
import check_style  # noqa: E402

LAYERS = """# comment
lockdep/support:
lockdep/graph:
harness/choice:
harness/sched: harness/choice
injectors/schedule: harness/sched
tests: injectors/schedule
"""


class TreeTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.write("ci/layers.txt", LAYERS)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        full = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(text)


class CheckLayersTest(TreeTest):
    def errors(self):
        return check_layers.check(self.folder.name)

    def test_granted_includes_pass(self):
        self.write("injectors/schedule/a.cc", '#include "harness/choice/b.h"\n#include "lockdep/support/check.h"\n')
        self.assertEqual(self.errors(), [])

    def test_planted_include_is_caught(self):
        self.write("harness/choice/a.h", "// x\n#include <vector>\n#include \"harness/sched/scheduler.h\"\n")
        self.assertEqual(self.errors(), [
            "harness/choice/a.h:3: harness/choice may not include harness/sched (harness/sched/scheduler.h)"])

    def test_sub_folder_belongs_to_its_room(self):
        self.write("harness/sched/deep/a.h", '#include "lockdep/graph/site.h"\n')
        self.assertEqual(len(self.errors()), 1)

    def test_tests_may_use_choice_sources_but_code_may_not(self):
        self.write("harness/sched/a_test.cc", '#include "injectors/schedule/pct.h"\n')
        self.assertEqual(self.errors(), [])
        self.write("harness/sched/a.cc", '#include "injectors/schedule/pct.h"\n')
        self.assertEqual(len(self.errors()), 1)

    def test_folder_without_a_line_is_caught(self):
        self.write("harness/attic/a.h", "\n")
        self.assertEqual(self.errors(), ["harness/attic/a.h: its folder has no line in ci/layers.txt"])

    def test_planted_cmake_dependency_is_caught(self):
        self.write("harness/choice/CMakeLists.txt", "ordeal_library(NAME choice DEPS ordeal::sched)\n")
        self.write("harness/sched/CMakeLists.txt", "ordeal_library(NAME sched DEPS ordeal::choice absl::strings)\n")
        self.assertEqual(self.errors(), [
            "harness/choice/CMakeLists.txt: harness/choice may not depend on harness/sched (ordeal::sched)"])

    def test_unknown_target_is_caught(self):
        self.write("harness/choice/CMakeLists.txt", "ordeal_library(NAME choice DEPS ordeal::nothing)\n")
        self.assertIn("which no ordeal_library defines", self.errors()[0])

    def test_cycle_of_layers_is_caught(self):
        self.write("ci/layers.txt", "a: b\nb: a\n")
        self.assertEqual(self.errors(), ["ci/layers.txt: cycle a -> b -> a"])


class CheckStyleTest(TreeTest):
    def errors(self, path, text):
        self.write(path, text)
        return check_style.check(self.folder.name)

    def test_clean_file_passes(self):
        self.assertEqual(self.errors("harness/sched/a.cc", "int Answer() { return 42; }\n"), [])

    def test_banned_words_are_caught_in_code_only(self):
        for offence in ("std::thread t;", "std::mutex m;", "auto t = std::chrono::steady_clock::now();",
                        "std::random_device d;", "std::uniform_int_distribution<int> d;", "absl::BitGen g;",
                        "absl::Hash<int> h;", "std::unordered_map<int, int> m;", "long t = time(nullptr);"):
            self.assertEqual(len(self.errors("harness/sched/a.cc", offence + "\n")), 1, offence)
            self.assertEqual(self.errors("harness/sched/a.cc", "// " + offence + "\n"), [], offence)
            self.assertEqual(self.errors("harness/sched/a.cc", 'const char* s = "' + offence + '";\n'), [], offence)

    def test_listed_rooms_and_benchmarks_may_use_them(self):
        self.assertEqual(self.errors("harness/sched/a_benchmark.cc", "std::mutex m;\n"), [])
        self.assertEqual(len(self.errors("harness/sched/a_benchmark.cc", "std::random_device d;\n")), 1)
        os.remove(os.path.join(self.folder.name, "harness/sched/a_benchmark.cc"))
        self.assertEqual(self.errors("lockdep/runtime/a.cc", "std::mutex m;\n"), [])
        self.assertEqual(self.errors("harness/campaign/a.cc", "std::chrono::steady_clock::now();\n"), [])

    def test_lengths_are_checked(self):
        self.assertEqual(self.errors("harness/sched/a.cc", "x\n" * 600), [])
        self.assertEqual(len(self.errors("harness/sched/a.cc", "x\n" * 601)), 1)
        self.assertEqual(self.errors("harness/sched/a.cc", "x" * check_style.COLUMNS_MAX + "\n"), [])
        self.assertEqual(len(self.errors("harness/sched/a.cc", "x" * (check_style.COLUMNS_MAX + 1) + "\n")), 1)

    def test_hash_iteration_is_caught(self):
        text = "absl::flat_hash_map<int, int> by_id;\nvoid F() { for (auto& e : %s) G(e); }\n"
        self.assertEqual(len(self.errors("harness/sched/a.cc", text % "by_id")), 1)
        self.assertEqual(self.errors("harness/sched/a.cc", text % "sorted"), [])

    def test_marker_words_and_folder_names_are_caught(self):
        self.assertEqual(len(self.errors("harness/sched/a.cc", "// TO" + "DO: later\n")), 1)
        self.assertEqual(len(self.errors("harness/util/b.cc", "int x;\n")), 2)


if __name__ == "__main__":
    unittest.main()
