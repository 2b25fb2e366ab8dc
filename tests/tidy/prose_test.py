#!/usr/bin/env python3
"""The prose check must find what each rule forbids, and leave plain English alone."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROSE = pathlib.Path(__file__).with_name("prose.py")


class Tree:
    """A repository with these files."""

    def __init__(self, files):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.git("init", "-q")
        self.write(files)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def git(self, *words):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *words], cwd=self.root, check=True)

    def write(self, files):
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    def run(self, *options):
        done = subprocess.run(
            [sys.executable, str(PROSE), "--root", str(self.root), *options], capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr


class RulesTest(unittest.TestCase):
    def found(self, text, name="a.md"):
        with Tree({name: text}) as tree:
            _, out = tree.run()
            return [line.split(": ")[1] for line in out.splitlines()[:-1]]

    def test_a_sentence_does_not_begin_with_a_pronoun_or_of(self):
        for bad in (
            "What is left is deleted.",
            "Who writes waits.",
            "Where the disk is full, writes fail.",
            "One that waits is closed.",
            "Those of a table are deleted.",
            "That is a retry.",
            "Of two masters, the second waits.",
            "As before.",
            "None is sent.",
        ):
            self.assertEqual(self.found(f"A server starts. {bad}\n"), ["begin"], bad)
        for good in (
            "The evictor deletes the rest.",
            "One fsync serves all writes.",
            "None: it is absent.",
            "Where is the key?",
            "Asked again, the master answers.",
        ):
            self.assertEqual(self.found(f"A server starts. {good}\n"), [], good)

    def test_no_pronoun_stands_for_a_component(self):
        for bad in (
            "The server wakes nobody.",
            "Somebody holds the lock.",
            "The master asks the others.",
            "One loop waits for the other.",
            "It tells who leads.",
        ):
            self.assertEqual(self.found(f"{bad}\n"), ["pronoun"], bad)
        for good in (
            "Users who log in get a token.",
            "An operator, who may wait, is asked.",
            "The other replica answers.",
            "Who leads?",
        ):
            self.assertEqual(self.found(f"{good}\n"), [], good)

    def test_a_paragraph_has_one_colon(self):
        self.assertEqual(self.found("The server starts: it reads the log: all of it.\n"), ["colon"])
        self.assertEqual(
            self.found("The server starts: it reads `a: b: c`, at 12:30:00 from host:80, as `x`: and `y`: here.\n"), []
        )
        self.assertEqual(self.found("The level of the read; 0: none; 1: all of it; empty: the default.\n"), [])
        self.assertEqual(
            self.found("- first: one\n- second: two\n\n| a: b | c: d: e |\n\n**Lease:** it ends: soon.\n"), []
        )

    def test_the_fields_verbs(self):
        for bad in (
            "The reply goes to the client.",
            "A message comes from the master.",
            "The record stands in the log.",
            "The server says so.",
            "The tablet begins anew.",
            "The follower hears of it.",
            "It is taken for dead.",
        ):
            self.assertEqual(self.found(f"{bad}\n"), ["register"], bad)
        for good in ("The server sends the reply.", "MTU stands for maximum transmission unit.", "The error says why.",
                     "`a` ends at its limit, whichever comes first."):
            self.assertEqual(self.found(f"{good}\n"), [], good)

    def test_only_prose_of_markdown_counts(self):
        self.assertEqual(
            self.found(
                "# What goes where\n\n```\nWhat comes: goes: stands.\n```\n\n`What goes` is a flag.\n\n    What goes.\n"
            ),
            [],
        )
        self.assertEqual(self.found("| What is left | that goes |\n|---|---|\n"), ["begin", "register"])

    def test_comments_help_and_messages_of_sources(self):
        self.assertEqual(
            self.found('// a/b.h\n// What is left.\nint a;  // goes on\nf("What goes on here now");\n', "a/b.h"),
            ["begin", "register", "begin", "register"],
        )
        self.assertEqual(self.found('f("the server " "comes to an end");\n', "a.cc"), ["register"])
        self.assertEqual(self.found('f("What goes on here now");\n', "a_test.cc"), [])
        self.assertEqual(self.found('auto s = "x // What goes"; auto t = R"(if (goes) { What; })";\n', "a.cc"), [])
        self.assertEqual(
            self.found('// A sentence that\n// goes on.\n\n// Threads:    What it holds.\n', "a.cc"),
            ["register", "begin"],
        )

    def test_comments_of_python_scripts_and_thrift(self):
        self.assertEqual(
            self.found('"""What it is."""\nx = "# What goes"  # goes there\nf("nobody is in here")\n', "a.py"),
            ["begin", "register", "pronoun"],
        )
        self.assertEqual(self.found("#!/bin/sh\n# What it is\necho a  # goes there\n", "a.sh"), ["begin", "register"])
        self.assertEqual(
            self.found("/** What it is. */\nstruct A {  // goes there\n}\n", "a.thrift"), ["begin", "register"]
        )


class CheckTest(unittest.TestCase):
    def test_one_breach_fails_and_is_shown_with_its_place(self):
        with Tree({"a.md": "The server starts.\n", "b/c.md": "The server ends.\n"}) as tree:
            self.assertEqual(tree.run()[0], 0)
            tree.write({"b/c.md": "The server ends.\n\nWhat starts.\n"})
            code, out = tree.run()
            self.assertEqual(code, 1)
            self.assertEqual(out.splitlines()[0], "b/c.md:3: begin: What starts.")

    def test_only_the_paths_that_are_named(self):
        with Tree({"a.md": "What starts.\n", "b/c.md": "What ends.\n", "bc.md": "What is.\n"}) as tree:
            self.assertEqual(tree.run("a.md")[1].splitlines()[:-1], ["a.md:1: begin: What starts."])
            self.assertEqual(tree.run("b/")[1].splitlines()[:-1], ["b/c.md:1: begin: What ends."])
            self.assertEqual(len(tree.run(".")[1].splitlines()), 4)
            self.assertIn("c is not in", tree.run("c")[1])

    def test_generated_pages_are_left_alone(self):
        with Tree({"docs/guide/metrics.md": "What starts.\n"}) as tree:
            self.assertEqual(tree.run()[0], 0)


class LengthsTest(unittest.TestCase):
    def run_on(self, text, *options):
        with Tree({"a.md": text}) as tree:
            return tree.run("--lengths", str(tree.root / "a.md"), *options)

    def test_counts_words_of_sentences(self):
        code, out = self.run_on("One two three. Four five\nsix seven. Eight nine ten eleven twelve.\n")
        self.assertEqual(code, 0)
        self.assertIn("3 sentences, median 4, 90th percentile 5", out)

    def test_leaves_out_what_is_not_prose(self):
        text = (
            "# A heading of five words\n\nOne [two](a/long/path.md) `three four`.\n\n```\ncode of many many words.\n```\n\n"
            "| a table | with words |\n|---|---|\n| one | two |\n\n    indented code of six words.\n"
        )
        self.assertIn("1 sentences, median 3, 90th percentile 3", self.run_on(text)[1])

    def test_items_of_a_list_are_sentences_with_all_their_lines(self):
        self.assertIn(
            "2 sentences, median 3.5, 90th percentile 4",
            self.run_on("- One two\n  three four.\n10. Five six\n    seven.\n")[1],
        )

    def test_limits(self):
        text = "One two three four five six.\n"
        self.assertEqual(self.run_on(text, "--median-max", "6", "--p90-max", "6")[0], 0)
        self.assertEqual(self.run_on(text, "--median-max", "5")[0], 1)
        self.assertEqual(self.run_on(text, "--p90-max", "5")[0], 1)

    def test_no_prose_at_all_fails(self):
        self.assertEqual(self.run_on("# Nothing\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
