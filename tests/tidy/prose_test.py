#!/usr/bin/env python3
"""What prose.py counts as a sentence, and when it fails."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROSE = pathlib.Path(__file__).with_name("prose.py")


class ProseTest(unittest.TestCase):
    def run_on(self, text, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([sys.executable, str(PROSE), file.name, *options], capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_counts_words_of_sentences(self):
        code, out = self.run_on("One two three. Four five\nsix seven. Eight nine ten eleven twelve.\n")
        self.assertEqual(code, 0)
        self.assertIn("3 sentences, median 4, 90th percentile 5", out)

    def test_leaves_out_what_is_not_prose(self):
        text = ("# A heading of five words\n\nOne [two](a/long/path.md) `three four`.\n\n```\ncode of many many words.\n```\n\n"
                "| a table | with words |\n|---|---|\n| one | two |\n\n    indented code of six words.\n")
        _, out = self.run_on(text)
        self.assertIn("1 sentences, median 3, 90th percentile 3", out)

    def test_items_of_a_list_are_sentences_with_all_their_lines(self):
        _, out = self.run_on("- One two\n  three four.\n10. Five six\n    seven.\n")
        self.assertIn("2 sentences, median 3.5, 90th percentile 4", out)

    def test_limits(self):
        text = "One two three four five six.\n"
        self.assertEqual(self.run_on(text, "--median-max", "6", "--p90-max", "6")[0], 0)
        self.assertEqual(self.run_on(text, "--median-max", "5")[0], 1)
        self.assertEqual(self.run_on(text, "--p90-max", "5")[0], 1)

    def test_no_prose_at_all_fails(self):
        self.assertEqual(self.run_on("# Nothing\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
