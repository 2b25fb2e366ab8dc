#!/usr/bin/env python3
"""Every flag of every server, with values that it cannot have.

  flags_test.py BIN_DIR

--help is the list of flags and of their bounds. A number outside of its bounds, and a word in its place, end the
program with 2 and a line that names the flag and the bounds. Any text in a flag that takes text is either taken or
refused with 2; nothing crashes, and no refusal leaves a file.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

WRONG_USAGE = 2
# The first directory that a server makes ends it with 1; this flag follows the tried one, which may be the same.
NOWHERE = "/proc/nothing/is/made/here"
WORDS = ["nan", "-1", "9223372036854775808", "", "word", "a\nb", "x" * 300]
NUMBERS = ["nan", "inf", "-inf", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "", " ", "word",
           "1e999"]
SERVERS = {
    "ebla-master": (["--name=m-1"], f"--data_dir={NOWHERE}"),
    "ebla-tabletserver": (["--name=ts-1"], f"--data_dir={NOWHERE}"),
    "ebla-gateway": (["--redis_listen=127.0.0.1:0"], f"--logs_dir={NOWHERE}"),
    "ebla-standalone": ([], f"--data_dir={NOWHERE}"),
}


def run(directory, program, *flags):
    return subprocess.run([program, *flags], cwd=directory, capture_output=True, text=True, timeout=60)


def flags_of(program):
    """{name: (default, help)}"""
    done = run("/", program, "--help")
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^  --(\w+)=(.*)\n      (.*)$", done.stdout, re.M)
    return {name: (default, text) for name, default, text in found}


def bounds_of(text):
    found = re.search(r" From (-?[\d.]+) to (-?[\d.]+(?: \S+)?)\.$", text)
    return found and (found[1], found[2].split()[0], f"from {found[1]} to {found[2]}")


def number_cases(name, least, most, shown):
    """(flag, what it must say; None: it is taken)"""
    below, above = (str(float(least) - 0.01), str(float(most) * 1.001 + 0.01)) if "a number" in shown else (
        str(int(least) - 1), str(int(most) + 1))
    for value in [*NUMBERS, below, above]:
        yield f"--{name}={value}", f'--{name} cannot be "{value}": it takes {shown}'
    for value in (least, most):
        yield f"--{name}={value}", None


def cases_of(program, name, default, text, base, last):
    """(command, what it must say; None: it is taken; "": either)"""
    bounds = bounds_of(text)
    if bounds:
        least, most, shown = bounds
        fraction = subprocess.run([program, f"--{name}=0.5", "--version"], capture_output=True, text=True, timeout=60)
        kind = "a number " if fraction.returncode == 0 or "takes a number" in fraction.stderr else "a whole number "
        for flag, wanted in number_cases(name, least, most, kind + shown):
            yield [program, flag, "--version"], wanted
    elif default in ("true", "false"):
        for value in ["", "2", "perhaps", "nan", "-1"]:
            yield [program, f"--{name}={value}", "--version"], f'--{name} cannot be "{value}": it takes true or false'
    else:
        for value in WORDS:
            yield [program, *base, f"--{name}={value}", last], ""
    yield [program, f"--{name}_={default}", "--version"], f'there is no flag --{name}_, did you mean "--{name}"?'


def fault_of(directory, command, wanted):
    done = run(directory, *command)
    if wanted == "":
        refused = done.returncode == WRONG_USAGE and done.stderr.strip()
        return None if done.returncode == 1 or refused else f"ended with {done.returncode}: {done.stderr[-500:]}"
    code = 0 if wanted is None else WRONG_USAGE
    if done.returncode != code:
        return f"ended with {done.returncode}, not {code}: {done.stderr[-500:]}"
    if wanted and wanted not in done.stderr:
        return f'says "{done.stderr.strip()}", not "{wanted}"'
    return None


def main():
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    faults, seen, cases = [], {}, []
    for server, (base, last) in SERVERS.items():
        program = str(bin_dir / server)
        for name, (default, text) in flags_of(program).items():
            if seen.get(name) == text:
                continue  # the same flag of another server
            seen[name] = text
            if re.fullmatch(r"-?\d+(\.\d+)?", default) and not bounds_of(text):
                faults.append(f"{server}: the help of --{name} shows no bounds")
            cases += cases_of(program, name, default, text, base, last)
    with tempfile.TemporaryDirectory(prefix="ebla-flags.") as directory:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda case: (case[0], fault_of(directory, *case)), cases)
            faults += [f"{' '.join(command)!r} {fault}" for command, fault in found if fault]
        faults += [f"a refusal left {path}" for path in pathlib.Path(directory).iterdir()]
    assert len(cases) > 800, f"{len(cases)} cases: --help is not what it was"
    for fault in faults:
        print(fault)
    print(f"{len(cases)} values of {len(seen)} flags, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
