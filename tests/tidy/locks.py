#!/usr/bin/env python3
"""Runs clang's analysis of locks over the sources that take locks, and over those whose headers do.

  locks.py BUILD_DIR     a build with clang, configured; its generated headers exist

The sources of a folder that are compiled alike become one compile, because most of a compile is their common headers.
If that compile fails, each of its sources is compiled alone. Exit code 1: clang found something, which it printed.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCKS = re.compile(r"EBLA_(GUARDED_BY|REQUIRES|EXCLUDES|ACQUIRE)|(Mutex|Reader|Writer)Lock")


def sources_with_locks():
    """A class's locks are taken in its own source, or in its header."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", "*.cc", "*.h"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()
    found = set()
    for path in listed:
        source = (ROOT / path).with_suffix(".cc")
        if source.is_file() and (ROOT / path).is_file() and LOCKS.search((ROOT / path).read_text(errors="replace")):
            found.add(source)
    return found


def options_of(entry):
    """The options of a compile, without its source and its output."""
    words = shlex.split(entry["command"])
    at = next(i for i, word in enumerate(words) if "clang" in pathlib.PurePath(word).name)
    words = words[at:]  # behind a compiler launcher
    for option in ("-o", "-c"):
        place = words.index(option)
        del words[place:place + 2]
    return words + ["-fsyntax-only", "-Wno-everything", "-Werror=thread-safety"]


def groups(build_dir):
    """(options, sources) of each compile."""
    commands = json.loads((build_dir / "compile_commands.json").read_text())
    entries = {pathlib.Path(entry["file"]).resolve(): entry for entry in commands}
    together = collections.defaultdict(list)
    for source in sorted(sources_with_locks()):
        if source in entries:
            together[tuple(options_of(entries[source])), source.parent].append(source)
    return [(list(options), sources) for (options, _), sources in together.items()]


def compile_together(options, sources, build_dir):
    text = "".join(f'#include "{source}"\n' for source in sources)
    command = [*options, "-x", "c++", "-"]
    return subprocess.run(command, input=text, cwd=build_dir, capture_output=True, text=True)


def check(options, sources, build_dir):
    """The faults that clang finds in the sources, as it prints them."""
    done = compile_together(options, sources, build_dir)
    if done.returncode != 0 and len(sources) > 1:
        alone = [compile_together(options, [source], build_dir) for source in sources]
        return "".join(one.stderr for one in alone if one.returncode != 0)
    return done.stderr if done.returncode != 0 else ""


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build_dir = pathlib.Path(sys.argv[1]).resolve()
    compiles = sorted(groups(build_dir), key=lambda group: -len(group[1]))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda group: check(*group, build_dir), compiles))
    print("".join(said), end="")
    count = sum(len(sources) for _, sources in compiles)
    print(f"locks: {count} sources in {len(compiles)} compiles, {sum(map(bool, said))} with faults")
    sys.exit(1 if any(said) else 0)


if __name__ == "__main__":
    main()
