#!/usr/bin/env python3
"""Runs a GoogleTest program in several processes at once, for tests that wait more than they compute.

  shards.py COUNT PROGRAM [ARGUMENTS]

Each process runs its part of the tests (GTEST_TOTAL_SHARDS). The output of each appears in one piece. The exit code is
that of the first part that failed.
"""
import ctypes
import os
import signal
import subprocess
import sys
import tempfile

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(number, count, command):
    output = tempfile.TemporaryFile()
    environment = {**os.environ, "GTEST_TOTAL_SHARDS": str(count), "GTEST_SHARD_INDEX": str(number)}
    process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, preexec_fn=die_with_parent)
    return process, output


def main():
    if len(sys.argv) < 3 or not sys.argv[1].isdigit() or int(sys.argv[1]) < 1:
        sys.exit(__doc__)
    count, command = int(sys.argv[1]), sys.argv[2:]
    code = 0
    for process, output in [start(number, count, command) for number in range(count)]:
        ended = process.wait()
        output.seek(0)
        sys.stdout.buffer.write(output.read())
        sys.stdout.buffer.flush()
        code = code or (ended if ended >= 0 else 128 - ended)
    sys.exit(code)


if __name__ == "__main__":
    main()
