#!/usr/bin/env python3
"""Which subjects of commits are refused, which commits are checked, and that ./dev installs the hook, but overwrites
none."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import subjects

SUBJECTS = pathlib.Path(subjects.__file__).resolve()
DEV = SUBJECTS.parents[2] / "dev"


class FaultTest(unittest.TestCase):
    def test_imperatives_with_an_object_pass(self):
        for good in (
            "rpc: carry time-slice overshoot into the next slot",
            "rpc, client: apply one deadline",
            "docs: say when a lease ends",
            "tests/sim: bring back the seed",
            "log: process appends in order",
            "log: embed the checksum",
            "rpc: focus the hint",
        ):
            self.assertIsNone(subjects.fault(good), good)

    def test_all_else_is_refused(self):
        for bad in (
            "carry overshoot",
            "Rpc: carry overshoot",
            "rpc: what is too much in a slot is less in the next",
            "rpc: carries overshoot",
            "rpc: carrying overshoot",
            "rpc: carried overshoot",
            "rpc: the overshoot moves",
            "rpc: one constant less",
            "rpc: no copy",
            "rpc: how it waits",
            "rpc: chain of a certificate is found once",
            "rpc: skips that say",
            "rpc: carry",
            "lab: within its columns",
            "rpc: carry " + "x" * 70,
        ):
            self.assertIsNotNone(subjects.fault(bad), bad)


class HistoryTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name) / "tree"
        (self.root / "tests/tidy").mkdir(parents=True)
        self.git("init", "-q")

    def git(self, *words, root=None):
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *words],
            cwd=root or self.root,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, subject):
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def since(self, commit, root=None):
        (root or self.root).joinpath("tests/tidy").mkdir(parents=True, exist_ok=True)
        (root or self.root).joinpath(subjects.SINCE).write_text(commit + "\n")

    def check(self, root=None):
        done = subprocess.run(
            [sys.executable, str(SUBJECTS), "--root", str(root or self.root)], capture_output=True, text=True
        )
        return done.returncode, done.stdout

    def test_only_commits_after_the_base_are_checked(self):
        self.commit("what was before")
        self.since(self.commit("rpc: as it was"))
        self.commit("rpc: carry overshoot")
        self.assertEqual(self.check(), (0, "subjects: 1 commits, 0 faults\n"))
        self.commit("rpc: what is left")
        code, out = self.check()
        self.assertEqual(code, 1)
        self.assertIn("rpc: what is left", out)
        self.assertNotIn("as it was", out)

    def test_a_shallow_clone_checks_what_it_has(self):
        self.commit("what was before")
        base = self.commit("rpc: as it was")
        self.commit("rpc: what is left")
        clone = pathlib.Path(self.folder.name) / "clone"
        self.git("clone", "-q", "--depth=1", f"file://{self.root}", str(clone))
        self.since(base, clone)
        code, out = self.check(clone)
        self.assertEqual(code, 1)
        self.assertIn("shallow", out)
        self.assertIn("rpc: what is left", out)

    def test_a_base_that_is_nowhere_fails_and_no_repository_passes(self):
        self.commit("rpc: carry overshoot")
        self.since("0" * 40)
        self.assertIn("lacks", self.check()[1])
        self.assertEqual(self.check()[0], 1)
        bare = pathlib.Path(self.folder.name) / "bare"
        self.since("0" * 40, bare)
        self.assertEqual(self.check(bare), (0, "subjects: no git, or no repository: no commit is checked\n"))

    def install(self):
        """Runs what ./dev runs before a verb."""
        function = re.search(r"^install_hook\(\) \{.*?^\}", DEV.read_text(), re.M | re.S).group(0)
        subprocess.run(["bash", "-euc", f"{function}\ninstall_hook"], cwd=self.root, check=True)
        (self.root / "tests/tidy/subjects.py").write_text(SUBJECTS.read_text())

    def test_the_hook_refuses_a_bad_subject(self):
        self.install()
        self.commit("rpc: carry overshoot")
        with self.assertRaises(subprocess.CalledProcessError) as refused:
            self.commit("rpc: what is left")
        self.assertIn("no imperative", refused.exception.stderr)
        (self.root / "tests/tidy/subjects.py").unlink()  # an older commit is checked out
        self.commit("rpc: what is left")

    def test_a_developers_own_hook_stays(self):
        own = self.root / ".git/hooks/commit-msg"
        own.write_text("#!/bin/sh\nexit 0\n")
        self.install()
        self.assertEqual(own.read_text(), "#!/bin/sh\nexit 0\n")

    def test_a_hooks_folder_of_his_own_stays_empty(self):
        self.git("config", "core.hooksPath", "own")
        self.install()
        self.assertFalse((self.root / "own").exists())
        self.assertFalse((self.root / ".git/hooks/commit-msg").exists())


if __name__ == "__main__":
    unittest.main()
