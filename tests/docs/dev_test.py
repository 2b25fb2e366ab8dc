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
        self.trace = pathlib.Path(directory.name) / "trace"
        for name in HARMS:
            stub = pathlib.Path(directory.name) / name
            stub.write_text(f"#!/bin/sh\necho {name} \"$@\" >>{self.trace}\nexit 1\n")
            stub.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{directory.name}:{os.environ['PATH']}"}

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

    def test_a_commit_that_there_is_not_is_refused_in_one_line(self):
        shown = self.dev("upgrade", "nosuch")
        self.assertEqual(shown.returncode, 2)
        self.assertEqual(shown.stderr, './dev upgrade: "nosuch" is no commit here: name a tag, a branch or a commit, '
                                       'as in ./dev upgrade HEAD~20\n')
        self.assertFalse(self.trace.exists())


if __name__ == "__main__":
    unittest.main()
