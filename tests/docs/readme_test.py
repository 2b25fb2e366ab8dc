#!/usr/bin/env python3
"""README and the guide do what they say: their C++ compiles against an installed SDK and runs, their shell lines run.

Usage: readme_test.py BUILD_DIR [CXX_FLAGS]. tests/docs/README.md says what a block's language means.
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True  # nothing is left beside the sources
from standalone import Standalone  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
BUILD = pathlib.Path("build/release")
CXX_FLAGS = ""

PREAMBLE = """#include <chrono>
#include <future>
#include <iostream>
#include <string>
#include <utility>
#include <vector>
"""


def blocks(page, language):
    """(line, text) of each fenced block of the language."""
    text = page.read_text()
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 2, match.group(1)


def program(pages):
    """One source with a function for each page that has C++. Includes and using-directives go to the top; each block
    has a scope of its own, in which `client` and `carts` are what the page has made by then."""
    top, functions = [], []
    for number, page in enumerate(pages):
        body = []
        for line, text in blocks(page, "cpp"):
            kept = []
            for offset, source in enumerate(text.splitlines()):
                if re.match(r"#include |using namespace ", source):
                    top.append(source)
                    source = ""
                kept.append(source.replace('"127.0.0.1:7400"', "master"))
            body.append(f'  {{  // {page.relative_to(ROOT)}\n#line {line} "{page}"\n' + "\n".join(kept) + "\n  }\n")
        if body:
            functions.append(
                f"void Page{number}(const char* master, const ebla::Client& client, const ebla::Table& carts) {{\n"
                + "".join(body)
                + "}\n"
            )
    calls = "".join(
        f"  {name}(argv[1], *made, *carts);\n" for name in re.findall(r"^void (Page\d+)\(", "".join(functions), re.M)
    )
    main = (
        'int main(int, char** argv) {\n  const auto made = ebla::Client::Connect({.masters = {argv[1]}});\n'
        '  if (!made) return 2;\n  const auto table = made->CreateTable("carts");\n'
        '  const auto carts = made->OpenTable("carts");\n  if (!carts) return 3;\n' + calls + "  return 0;\n}\n"
    )
    return PREAMBLE + "\n".join(dict.fromkeys(top)) + "\n" + "".join(functions) + main


CMAKE = """cmake_minimum_required(VERSION 3.25)
project(Docs LANGUAGES CXX)
find_package(Ebla REQUIRED)
add_executable(docs main.cc)
target_compile_options(docs PRIVATE -Wall -Werror=unused-result -Wno-unused-variable -Wno-unused-but-set-variable)
target_link_libraries(docs PRIVATE Ebla::client)
"""


class ReadmeTest(unittest.TestCase):
    def start(self):
        """A server of this page's own; gives a directory to work in."""
        self.server = Standalone(BUILD / "bin")
        self.addCleanup(self.server.stop)
        work = self.server.directory / "work"
        work.mkdir()
        return work

    def run_it(self, *command, cwd=None, **more):
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=cwd, timeout=240, stdin=subprocess.DEVNULL, **more
        )
        self.assertEqual(done.returncode, 0, f"{command[0]}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_cpp(self):
        pages = [page for page in PAGES if any(True for _ in blocks(page, "cpp"))]
        self.assertIn(ROOT / "README.md", pages)
        work = self.start()
        installed = work / "installed"
        self.run_it("cmake", "--install", BUILD, "--component", "sdk", "--prefix", installed)
        (work / "main.cc").write_text(program(pages))
        (work / "CMakeLists.txt").write_text(CMAKE)
        build = work / "build"
        self.run_it("cmake", "-G", "Ninja", "-S", work, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}",
                    f"-DCMAKE_CXX_FLAGS={CXX_FLAGS}")
        self.run_it("cmake", "--build", build)
        out = self.run_it(build / "docs", self.server.thrift)
        self.assertIn("{} at version", out, "client-cpp.md reads back what it has put")

    def test_shell(self):
        for page in PAGES:
            script = "".join(f"# line {line} of {page.relative_to(ROOT)}\n{text}" for line, text in blocks(page, "sh"))
            if not script:
                continue
            with self.subTest(page=str(page.relative_to(ROOT))):
                work = self.start()
                (work / "build/release").mkdir(parents=True)
                (work / "build/release/bin").symlink_to(BUILD / "bin")  # README puts build/release/bin into PATH
                environment = {
                    **os.environ,
                    "EBLA_MASTERS": self.server.thrift,
                    "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}",
                }
                self.run_it("bash", "-e", "-u", "-x", "-o", "pipefail", "-c", script, cwd=work, env=environment)
                self.server.stop()

    def test_every_block_has_a_language(self):
        known = {"", "sh", "cpp", "console", "cmake", "text"}
        for page in PAGES:
            inside = False
            for number, line in enumerate(page.read_text().splitlines(), 1):
                if line.startswith("```"):
                    inside = not inside
                    if inside:
                        self.assertIn(line[3:], known, f"{page}:{number}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BUILD = pathlib.Path(sys.argv[1]).resolve()
        CXX_FLAGS = sys.argv[2] if len(sys.argv) > 2 else ""
    unittest.main(argv=sys.argv[:1])
