#!/usr/bin/env python3
"""The tidy check must catch what it is for: each fault planted in a small tree is named."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TIDY = pathlib.Path(__file__).with_name("tidy.py")


class TidyTest(unittest.TestCase):
    def run_on(self, tree):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"common/README.md": "x\n", "common/base/base.cc": "int x;\n", **tree}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                banner = f"// {name}\n" if name.endswith(".h") and not text.startswith("//") else ""
                (root / name).write_text(banner + text)
            subprocess.run(["git", "init", "-q"], cwd=root, check=True)
            done = subprocess.run([sys.executable, str(TIDY), "--root", str(root)], capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_a_clean_tree_passes(self):
        code, out = self.run_on({})
        self.assertEqual(code, 0, out)

    def test_an_include_against_the_layers(self):
        code, out = self.run_on({"master/README.md": "x", "master/a.cc": '#include "tabletserver/b.h"\n'})
        self.assertEqual(code, 1)
        self.assertIn("master/a.cc:1: includes tabletserver/b.h", out)

    def test_an_include_that_comes_twice(self):
        code, out = self.run_on({"common/base/a.h": "#include <map>\n#include <set>\n#include <map>\n"})
        self.assertEqual(code, 1)
        self.assertIn("common/base/a.h: includes <map> twice", out)

    def test_folders_that_include_each_other_and_loose_files(self):
        code, out = self.run_on(
            {
                "master/README.md": "x",
                "master/a/a.h": '#include "master/b/b.h"\n',
                "master/b/b.h": "",
                "master/b/c.h": '#include "master/a/a.h"\n',
                "master/main.cc": "",
                "master/loose.cc": "",
            }
        )
        self.assertEqual(code, 1)
        self.assertIn("in a circle: master/a/a.h includes master/b/b.h; master/b/c.h includes master/a/a.h", out)
        self.assertIn("master/loose.cc: lies loose", out)
        self.assertNotIn("master/main.cc: lies", out)

    def test_a_core_that_is_not_pure(self):
        code, out = self.run_on({"tabletserver/README.md": "x", "tabletserver/replication/a.cc": "#include <mutex>\n"})
        self.assertEqual(code, 1)
        self.assertIn("is pure", out)

    def test_a_long_file_and_a_long_function(self):
        body = "int F(int a) {\n" + "  ++a;\n" * 80 + "}\n"
        code, out = self.run_on({"common/long.cc": "\n" * 601, "common/f.cc": body})
        self.assertEqual(code, 1)
        self.assertIn("common/long.cc: 601 lines", out)
        self.assertIn("common/f.cc:F: 82 lines", out)

    def test_exemptions_hold_their_size_and_end(self):
        code, out = self.run_on(
            {"common/long.cc": "\n" * 650, "tests/tidy/exemptions.txt": "common/long.cc 640\ncommon/gone.cc 700\n"}
        )
        self.assertEqual(code, 1)
        self.assertIn("over the 640", out)
        self.assertIn("common/gone.cc no longer needs its entry", out)

    def test_a_header_without_its_path(self):
        code, out = self.run_on(
            {"common/base/a.h": "// What it is.\n", "common/base/b.h": "// common/base/b.h\n// Holds b.\n"}
        )
        self.assertEqual(code, 1)
        self.assertIn("common/base/a.h:1: begin the header with the line: // common/base/a.h", out)
        self.assertIn("1 faults", out)

    def test_classes_that_hold_each_other(self):
        tree = {"master/README.md": "x", "master/a/a.h": "// master/a/a.h\nclass A {\n  B& b_;\n};\n",
                "master/b/b.h": "// master/b/b.h\nclass B {\n  A* a_;\n};\n"}
        code, out = self.run_on(tree)
        self.assertEqual(code, 1)
        self.assertIn('master: classes hold each other in a circle: A has "B& b_" (master/a/a.h); B has "A* a_"', out)
        code, out = self.run_on({**tree, "tests/tidy/exemptions.txt": "circle A B 2  # for now\n"})
        self.assertEqual(code, 0, out)
        code, out = self.run_on({"tests/tidy/exemptions.txt": "circle A B 2\n"})
        self.assertIn("circle A B does not say why", out)
        self.assertIn("circle A B no longer needs its entry", out)

    def test_dead_links(self):
        code, out = self.run_on({"README.md": "[a](nowhere.md) [b](#no-such) [c](common/README.md)\n"})
        self.assertEqual(code, 1)
        self.assertIn("dead link nowhere.md", out)
        self.assertIn("no heading #no-such", out)
        self.assertNotIn("common/README.md", out)

    def test_a_rule_that_nothing_shows(self):
        rows = "".join(f"| {rule} | `told` | |\n" for rule in range(1, 26) if rule != 4)
        tree = {
            "tests/stories/README.md": rows + "| 4 | `gone` | `Some.Test` |\n",
            "tests/stories/told.txt": "> state\n",
        }
        code, out = self.run_on(tree)
        self.assertEqual(code, 1)
        self.assertIn("there is no story gone", out)
        self.assertIn("there is no test Some.Test", out)
        code, out = self.run_on({"tests/stories/README.md": rows, "tests/stories/told.txt": "> state\n",
                                 "tests/stories/rule_04_untold.txt": "> state\n"})
        self.assertIn("nothing is named that shows rule 4", out)
        self.assertIn("rule_04_untold.txt: is not in the table", out)

    def test_a_test_named_in_the_docs_that_is_not_there(self):
        code, out = self.run_on(
            {"docs/faults.md": "`Some.Test` `Other.Test`\n", "common/a_test.cc": "TEST(Some, Test) {}\n"}
        )
        self.assertEqual(code, 1)
        self.assertIn("there is no test Other.Test", out)
        self.assertNotIn("Some.Test", out.replace("no test Other.Test", ""))

    def test_a_test_that_is_not_built(self):
        code, out = self.run_on({"common/a_test.cc": "int a;\n", "common/b_test.cc": "int b;\n",
                                 "common/CMakeLists.txt": "ebla_test(x SOURCES base/b_test.cc)\n"})
        self.assertEqual(code, 1)
        self.assertIn("common/a_test.cc: no CMakeLists.txt names it", out)
        self.assertNotIn("b_test.cc:", out)

    def test_a_lock_that_clang_does_not_check(self):
        code, out = self.run_on({"common/x/a.cc": "#include <mutex>\n// std::mutex in words\nstd::mutex m;\nMutex n;\n",
                                 "common/x/b.cc": "#include <mutex>\nstd::once_flag f;\n",
                                 "common/base/mutex.h": "#include <mutex>\nstd::mutex m;\n"})
        self.assertEqual(code, 1)
        self.assertIn("common/x/a.cc:1: #include <mutex>", out)
        self.assertIn("common/x/a.cc:3: std::mutex", out)
        self.assertIn("2 faults", out)

    def test_a_class_of_many_functions(self):
        functions = "".join(
            f"  std::map<int, int> F{i}(std::function<void()> f = {{}}) const {{ return G(); }}\n" for i in range(21)
        )
        functions += "".join(f"  virtual bool H{i}() = 0;\n  int x{i}_ = Two(1);\n" for i in range(20))
        text = "class Big : public A {\n public:\n  Big(const Big&) = delete;\n" + functions + "};\n"
        code, out = self.run_on(
            {
                "common/x/big.h": text,
                "common/x/fits.h": text.replace("Big", "Fits").replace("  virtual bool H3() = 0;\n", ""),
            }
        )
        self.assertEqual(code, 1)
        self.assertIn("common/x/big.h:class Big: 41 member functions, over 40", out)
        self.assertNotIn("Fits", out)
        entry = "common/x/big.h:class Big 41"
        self.assertEqual(
            self.run_on({"common/x/big.h": text, "tests/tidy/exemptions.txt": entry + "  # a port\n"})[0], 0
        )
        self.assertIn(
            "does not say why", self.run_on({"common/x/big.h": text, "tests/tidy/exemptions.txt": entry + "\n"})[1]
        )

    def test_a_class_in_many_sources(self):
        tree = {
            "common/x/s.h": "class S {\n  void F();\n};\n",
            "common/x/a.cc": "void S::A() {\n}\n",
            "common/x/b.cc": "int S::B() {\n}\n",
        }
        self.assertEqual(self.run_on(tree)[0], 0)
        code, out = self.run_on({**tree, "common/x/c.cc": "S::S() {\n}\n"})
        self.assertEqual(code, 1)
        self.assertIn("common/x/s.h:sources of S: 3 sources, over 2", out)

    def test_headers_whose_tests_are_elsewhere_name_them(self):
        code, out = self.run_on(
            {
                "master/README.md": "x",
                "master/host/CMakeLists.txt": "ebla_test(a SOURCES a_test.cc beside_test.cc)\n",
                "master/host/a_test.cc": "",
                "master/procedures/CMakeLists.txt": "ebla_test(b SOURCES beside_test.cc)\n",
                "master/procedures/beside.h": "",
                "master/procedures/beside_test.cc": "",
                "master/procedures/named.h": "// master/procedures/named.h\n// It decides.\n"
                "// Tests:   master/host/a_test.cc,\n//          master/procedures/beside_test.cc\n// Threads: any.\n",
                "master/procedures/gone.h": "// master/procedures/gone.h\n// Tests: master/host/gone_test.cc\n",
                "master/procedures/none.h": "// master/procedures/none.h\n// It decides.\n",
                "master/host/wrong.h": "// master/host/wrong.h\n// Tests: master/host/wrong.h\n",
            }
        )
        self.assertEqual(code, 1)
        self.assertIn("master/procedures/none.h: name its tests in the banner", out)
        self.assertIn("master/procedures/gone.h: there is no test master/host/gone_test.cc", out)
        self.assertIn("master/host/wrong.h: there is no test master/host/wrong.h", out)
        self.assertIn("3 faults", out)

    def test_a_retired_word(self):
        words = "# comment\n\\b[Rr]eigns?\\b\tleader term\t*.cc *.md\n"
        code, out = self.run_on(
            {
                "tests/tidy/retired_words.txt": words,
                "docs/a.md": "in its reign\n",
                "common/x/a.cc": "int foreign;\n",
                "common/x/a.h": "int reign;\n",
                "docs/glossary.md": "reign\n",
            }
        )
        self.assertEqual(code, 1)
        self.assertIn("docs/a.md:1: reign: say leader term", out)
        self.assertIn("1 faults", out)

    def test_a_wide_line_of_prose(self):
        wide = "x " * 51
        code, out = self.run_on({"docs/a.md": f"{wide}\n| {wide} |\n```\n{wide}\n```\n[a](https://a.b/{'c' * 90})\n"})
        self.assertEqual(code, 1)
        self.assertIn("docs/a.md:1: 102 columns, over 100", out)
        self.assertIn("1 faults", out)

    def test_long_lines_of_every_kind_of_text(self):
        long = "x" * 121 + "\n"
        names = [
            "common/a.cc",
            "common/a.py",
            "common/a.sh",
            "common/CMakeLists.txt",
            "common/a.cmake",
            "thrift/a.thrift",
            "dev",
            "conf/a.flags",
            "tests/a.txt",
            "common/a.json",
        ]
        code, out = self.run_on({name: long for name in names})
        self.assertEqual(code, 1)
        for name in names:
            self.assertIn(f"{name}:1: 121 columns, over 120", out)
        code, out = self.run_on({"dev": "# https://" + long, "tests/data.bin": "\0" + "x" * 100})
        self.assertNotIn("columns", out, "an address cannot be broken")

    def test_an_exemption_of_long_lines_has_a_reason_and_is_needed(self):
        long = "x" * 121 + "\n"
        code, out = self.run_on({"a/b.svg": long, "tests/tidy/long_lines.txt": "a/*.svg  # a drawing\n"})
        self.assertNotIn("b.svg", out)
        code, out = self.run_on({"a/b.svg": long, "tests/tidy/long_lines.txt": "a/*.svg\nc/*  # a table\n"})
        self.assertIn("long_lines.txt:1: a/*.svg has no reason", out)
        self.assertIn("long_lines.txt:2: no line of c/* is too long", out)


if __name__ == "__main__":
    unittest.main()
