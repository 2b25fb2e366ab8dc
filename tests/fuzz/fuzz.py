#!/usr/bin/env python3
"""Gives what reads strangers' bytes any bytes, with libFuzzer and the sanitizers: ./dev fuzz [TARGET ...]."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
CORPORA = ROOT / "tests" / "data" / "fuzz"
TARGETS = ("RedisRequests", "MemcachedRequests", "RecordFunctions", "MemcachedOrders", "ScriptReplies", "Scripts")
FOLDERS = ("tests/fuzz", "functions/items", "functions/memcached", "functions/redis", "gateway/redis/scripts/engine")
SOURCES = [
    "gateway/memcached/meta_parser.cc",
    "gateway/memcached/parser.cc",
    "gateway/redis/testing/reply_length.cc",
    "gateway/redis/wire/request_reader.cc",
    "common/base/key_range.cc",
    "common/base/status.cc",
    "common/base/utf8.cc",
    *sorted(
        str(p.relative_to(ROOT))
        for folder in FOLDERS
        for p in (ROOT / folder).glob("*.cc")
        if not p.name.endswith("_test.cc") and p.name != "script_cache.cc"
    ),
]


def pkg(what):
    return subprocess.run(
        ["pkg-config", what, "lua5.1", "lua5.1-bitop"], check=True, capture_output=True, text=True
    ).stdout.split()


def build(target):
    """Each source once, but for the one that knows the target."""
    flags = [
        "-std=c++23",
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        "-fno-sanitize-recover=all",
        "-I.",
        "-Iclient/include",
        *pkg("--cflags"),
    ]
    objects = []
    for source in SOURCES:
        own = source == "tests/fuzz/main.cc"
        made = BUILD / ((target if own else source.replace("/", "-")) + ".o")
        objects.append(made)
        newest = max(p.stat().st_mtime for p in [ROOT / source, *(ROOT / source).parent.glob("*.h")])
        if made.exists() and made.stat().st_mtime > newest:
            continue
        subprocess.run(
            [
                "clang++-19",
                *flags,
                "-fsanitize=fuzzer-no-link,address,undefined",
                f"-DEBLA_FUZZ_TARGET={target}",
                "-c",
                source,
                "-o",
                made,
            ],
            cwd=ROOT,
            check=True,
        )
    program = BUILD / target
    subprocess.run(
        [
            "clang++-19",
            "-fsanitize=fuzzer,address,undefined",
            *objects,
            "-lglog",
            "-lcrypto",
            "-llzf",
            *pkg("--libs"),
            "-o",
            program,
        ],
        check=True,
    )
    return program


def unpack(target):
    """The corpus, one input per file; in the stored corpus each input follows its length."""
    directory = BUILD / f"{target}.corpus"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    kept = CORPORA / f"{target}.corpus"
    data = kept.read_bytes() if kept.exists() else b""
    number = 0
    while data:
        size, _, data = data.partition(b" ")
        (directory / str(number)).write_bytes(data[:int(size)])
        data = data[int(size):]
        number += 1
    return directory


def pack(target, directory):
    CORPORA.mkdir(parents=True, exist_ok=True)
    inputs = sorted({p.read_bytes() for p in directory.iterdir()}, key=lambda one: (len(one), one))
    (CORPORA / f"{target}.corpus").write_bytes(b"".join(str(len(one)).encode() + b" " + one for one in inputs))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="of " + ", ".join(TARGETS) + "; all of them")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument(
        "--keep", action="store_true", help="keep what covers more, as small as can be, in tests/data/fuzz"
    )
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    for target in arguments.targets or TARGETS:
        program, corpus = build(target), unpack(target)
        options = ["-timeout=120", "-max_len=2048", "-rss_limit_mb=4096", f"-artifact_prefix={BUILD}/{target}-"]
        subprocess.run([program, f"-max_total_time={arguments.seconds}", "-print_final_stats=1", *options, corpus],
                       check=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})
        if arguments.keep:
            small = BUILD / f"{target}.small"
            shutil.rmtree(small, ignore_errors=True)
            small.mkdir()
            subprocess.run([program, "-merge=1", *options, small, corpus], check=True)
            pack(target, small)
    return 0


if __name__ == "__main__":
    sys.exit(main())
