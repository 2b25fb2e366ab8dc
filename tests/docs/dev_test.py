#!/usr/bin/env python3
"""./dev explains each of its verbs without installing or building anything, and refuses a commit that there is not."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Programs that install, configure or build. A stub leaves a trace in place of doing so.
HARMS = ["apt-get", "sudo", "cmake", "ninja", "ctest", "cpack", "go", "npm"]


class DevTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ebla-dev.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.trace = self.directory / "trace"
        self.let_them_end_with(1)
        self.environment = {**os.environ, "PATH": f"{directory.name}:{os.environ['PATH']}"}

    def let_them_end_with(self, code):
        for name in HARMS:
            stub = self.directory / name
            stub.write_text(f"#!/bin/sh\necho {name} \"$@\" >>{self.trace}\nexit {code}\n")
            stub.chmod(0o755)

    def dev(self, *arguments):
        return subprocess.run([ROOT / "dev", *arguments], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, env=self.environment)

    def test_help_of_every_verb_installs_and_builds_nothing(self):
        usage = self.dev("help").stdout
        verbs = sorted(set(re.findall(r"^  ([a-z]+)\b", usage, re.M)))
        self.assertGreater(len(verbs), 15)
        for verb in verbs:
            for flag in ("--help", "-h"):
                with self.subTest(verb=verb, flag=flag):
                    shown = self.dev(verb, flag)
                    self.assertEqual(shown.returncode, 0, shown.stderr)
                    self.assertRegex(shown.stdout, rf"(?m)^  {verb}\b")
                    self.assertFalse(self.trace.exists() and self.trace.read_text())

    def test_what_takes_long_runs_on_request(self):
        self.let_them_end_with(0)
        for arguments in ([], ["chaos"], ["--long"], ["--long", "chaos"]):
            all_of_them = "--long" in arguments
            with self.subTest(arguments=arguments):
                self.trace.unlink(missing_ok=True)
                shown = self.dev("test", *arguments)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                ctest = re.search(r"(?m)^ctest .*$", self.trace.read_text()).group()
                self.assertEqual("--label-exclude ^long$" in ctest, not all_of_them)
                self.assertIn("--tests-regex " + ("chaos" if "chaos" in arguments else "."), ctest)
                self.assertEqual("./dev test --long runs it" in shown.stderr, not all_of_them)

    def test_an_unknown_option_of_test_is_refused(self):
        shown = self.dev("test", "--lnog")
        self.assertEqual(shown.returncode, 2)
        self.assertEqual(shown.stderr, "usage: ./dev test [--long] [NAME]\n")
        self.assertFalse(self.trace.exists())

    def test_a_suite_that_fails_still_names_what_was_left_out(self):
        self.let_them_end_with(0)
        (self.directory / "ctest").write_text("#!/bin/sh\nexit 8\n")
        shown = self.dev("test")
        self.assertEqual(shown.returncode, 8)
        self.assertIn("./dev test --long", shown.stderr)

    def test_a_commit_that_there_is_not_is_refused_in_one_line(self):
        shown = self.dev("upgrade", "nosuch")
        self.assertEqual(shown.returncode, 2)
        self.assertEqual(shown.stderr, './dev upgrade: "nosuch" is no commit here: name a tag, a branch or a commit, '
                                       'as in ./dev upgrade HEAD~20\n')
        self.assertFalse(self.trace.exists())


if __name__ == "__main__":
    unittest.main()
