#!/usr/bin/env python3
"""The references of flags and metrics are what the binaries say.

  reference.py --write [--build DIR]   writes docs/guide/configuration.md and docs/guide/metrics.md anew
  reference.py --check [--build DIR]   fails where they differ, where a file in conf/ names a flag that is none, or
                                       where promtool would complain of a page of metrics

Flags come from each binary's --help. Metrics come from /metrics of a master and a tablet server, which serve it before
they have found ZooKeeper. The labels of a metric come from an ebla-standalone with a table, as a metric without a value
shows none; labels that the page has already stay there while nothing shows otherwise.
"""
import argparse
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request

sys.dont_write_bytecode = True  # nothing is left beside the sources
from standalone import Standalone  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIDTH = 100
MEND = "python3 tests/docs/reference.py --write"
LINTED = set()  # faults of the pages of metrics that were read


def help_of(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def flags_of(program):
    """{name: (default, text)} of a server."""
    found = re.findall(r"^  --(\w+)=(.*)\n      (.*)$", help_of(program, "--help"), re.M)
    if not found:
        raise RuntimeError(f"{program} --help names no flags")
    return {name: (default, text) for name, default, text in found}


def sentence(text):
    text = re.sub(r"\s+", " ", text.strip()).replace("<", r"\<")
    if not text:
        return "-"
    if text.split(" ")[0].isalpha():  # not host:port
        text = text[0].upper() + text[1:]
    return text + ("" if text.endswith((".", "!", "?")) else ".")


def item(head, text):
    return textwrap.fill(
        f"- {head} {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def flag_items(flags):
    lines = []
    for name, (default, text) in sorted(flags.items()):
        shown = "empty" if default == '""' else f"`{default}`"
        lines.append(item(f"`--{name}` ({shown}).", sentence(text)))
    return "\n".join(lines) + "\n"


def fenced(text):
    """Help as it is: what is wider than a page is folded, under itself."""
    lines = []
    for line in text.rstrip().splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        lines += textwrap.wrap(line, WIDTH, subsequent_indent=indent, drop_whitespace=True, replace_whitespace=False,
                               break_on_hyphens=False) or [""]
    return "```text\n" + "\n".join(line.rstrip() for line in lines) + "\n```\n"


def configuration(bin_dir):
    master, server, alone = (flags_of(bin_dir / f"ebla-{name}") for name in ("master", "tabletserver", "standalone"))
    gateway = flags_of(bin_dir / "ebla-gateway")
    common = {name: flag for name, flag in master.items() if server.get(name) == flag}
    only = lambda flags: {name: flag for name, flag in flags.items() if name not in common}
    shell_options = re.search(r"Options of every verb:\n(.*?)\n\n", help_of(bin_dir / "ebla", "help", "options"), re.S)
    table_options = re.search(
        r"^Options:\n(.*?)\n\n", help_of(bin_dir / "ebla", "help", "table", "create"), re.S | re.M
    )
    cluster_options = re.search(
        r"^Options:\n(.*?)\n\n", help_of(bin_dir / "ebla-cluster", "start", "--help"), re.S | re.M
    )
    differs = {name: flag for name, flag in alone.items() if server.get(name) != flag}
    return f"""# Configuration

This page is generated from `--help` of each program. Change the text of a flag in the code, then
run `{MEND}`.

Servers take flags on the command line, or one per line in a file that `--flagfile` names.
[conf/](../../conf/README.md) holds one for each role. A flag that a server does not know ends it at
once. The default is in parentheses.

## Every server

{flag_items(common)}
## ebla-master

{flag_items(only(master))}
## ebla-tabletserver

{flag_items(only(server))}
## ebla-standalone

It takes the flags of a tablet server, except these:
{", ".join(f"`--{name}`" for name in sorted(server.keys() - alone.keys()))}. These differ:

{flag_items(differs)}
## ebla-gateway

It also takes those of every server that are about logs, and `--insecure`.

{flag_items({name: flag for name, flag in gateway.items() if common.get(name) != flag})}
## Tables

Options of `ebla table create`. `ebla table alter` changes those that are not for life.

{fenced(table_options.group(1))}
## ebla

Options of every verb. `ebla help VERB` shows those of one.

{fenced(shell_options.group(1))}
## ebla-cluster start

{fenced(cluster_options.group(1))}"""


def families(text):
    """{name: (type, help, labels)} of a page of metrics."""
    found = {}
    for name, text_of in re.findall(r"^# HELP (\S+) (.*)$", text, re.M):
        kind = re.search(rf"^# TYPE {name} (\w+)$", text, re.M).group(1)
        labels = []
        for sample in re.findall(rf"^{name}(?:_bucket|_sum|_count)?{{(.*)}} ", text, re.M):
            labels += [label for label in re.findall(r'(\w+)="', sample) if label not in labels and label != "le"]
        found[name] = (kind, text_of, tuple(labels))
    return found


def scrape(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        return page.read().decode()


def lint(page):
    """Complaints of `promtool check metrics` about the page: its rules, and the program where it is installed."""
    typed = dict(re.findall(r"^# TYPE (\S+) (\w+)$", page, re.M))
    helped = dict(re.findall(r"^# HELP (\S+) (.*)$", page, re.M))
    for name, kind in typed.items():
        if not helped.get(name):
            yield f"{name} has no help"
        if kind == "counter" and not name.endswith("_total"):
            yield f"{name} is a counter, and does not end in _total"
        if kind != "counter" and name.endswith("_total"):
            yield f"{name} is no counter, and ends in _total"
        if kind not in ("histogram", "summary") and name.endswith(("_count", "_sum", "_bucket")):
            yield f"{name} ends as a part of a histogram does"
        if re.search(r"[A-Z]|:", name) or re.search(r"_(counter|gauge|histogram|summary)\b", name):
            yield f"{name} has a capital, a colon or its type in it"
        if re.search(r"_(ms|us|ns|milliseconds|microseconds|minutes|hours|kb|mb|kib|mib|gb)(_|$)", name):
            yield f"{name} is not in base units"
    if promtool := shutil.which("promtool"):
        done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
        yield from done.stderr.splitlines() if done.returncode else ()


def server_metrics(program, *flags):
    """Metrics of a server that waits for a missing ZooKeeper: port 1 of this machine."""
    with tempfile.TemporaryDirectory(prefix="ebla-docs.") as directory:
        process = subprocess.Popen(
            [
                program,
                f"--data_dir={directory}",
                "--zookeeper=127.0.0.1:1/ebla",
                "--listen=127.0.0.1:0",
                "--http_listen=127.0.0.1:0",
                *flags,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = pathlib.Path(directory) / "ADDRESS"
            limit = time.monotonic() + 30
            while not address.exists():
                if process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(f"{program} did not start")
                time.sleep(0.02)
            page = scrape(re.search(r"^http (\S+)", address.read_text(), re.M).group(1))
            LINTED.update(lint(page))
            return families(page)
        finally:
            process.kill()
            process.wait()


def labels_seen(bin_dir):
    with Standalone(bin_dir, "--metrics_of_each_tablet=true", "--redis_listen=127.0.0.1:0",
                    "--memcached_listen=127.0.0.1:0") as server:
        for words in (["table", "create", "t"], ["put", "t", "k", "v"]):
            help_of(bin_dir / "ebla", "--masters", server.thrift, *words)
        page = scrape(server.http)
        LINTED.update(lint(page))
        return {name: labels for name, (_, _, labels) in families(page).items() if labels}


def metric_items(found, labels):
    lines = []
    for name, (kind, text, _) in sorted(found.items()):
        by = labels.get(name, ())
        lines.append(item(f"`{name}` ({kind}{', by ' + ', '.join(by) if by else ''}).", sentence(text)))
    return "\n".join(lines) + "\n"


def metrics(bin_dir, before):
    """`before`: the page as it is."""
    labels = {
        name: tuple(by.split(", ")) for name, by in re.findall(r"^- `(\w+)` \(\w+, by ([\w, ]+)\)\.", before, re.M)
    }
    labels |= labels_seen(bin_dir)
    master = server_metrics(bin_dir / "ebla-master", "--name=m-1")
    server = server_metrics(bin_dir / "ebla-tabletserver", "--name=ts-1", "--disk_reserve_mb=0",
                            "--metrics_of_each_tablet=true")
    return f"""# Metrics

This page is generated from `/metrics` of running servers. Change the text of a metric in the code,
then run `{MEND}`.
[Monitoring](monitoring.md) lists those to watch.

`ebla-standalone` serves those of both roles on one port.

## Master

{metric_items(master, labels)}
## Tablet server

{metric_items(server, labels)}"""


def conf_faults(bin_dir):
    """A flag file in conf/ names existing flags, also in examples (#--name=value), and sets them to their defaults."""
    for role in ("master", "tabletserver", "standalone", "gateway"):
        flags = flags_of(bin_dir / f"ebla-{role}")
        path = ROOT / f"conf/{role}.flags"
        for number, line in enumerate(path.read_text().splitlines(), 1):
            example = line.startswith("#--")
            if line.strip() and (example or not line.startswith("#")):
                name, _, value = line.strip("# ").removeprefix("--").partition("=")
                if name not in flags:
                    yield f"conf/{role}.flags:{number}: ebla-{role} has no flag --{name}"
                elif not example and value != flags[name][0]:
                    yield f"conf/{role}.flags:{number}: --{name}={value}, and the default is {flags[name][0]}"


def man_faults(bin_dir):
    """A package has a page of each program, made from its help."""
    programs = {name: "1" for name in ("ebla", "ebla-ycsb", "ebla-cluster")}
    programs |= {f"ebla-{role}": "8" for role in ("master", "tabletserver", "standalone", "gateway")}
    with tempfile.TemporaryDirectory() as directory:
        for name, section in programs.items():
            page = pathlib.Path(directory) / name
            done = subprocess.run([sys.executable, ROOT / "cmake/man_page.py", bin_dir / name, section, "0", page],
                                  capture_output=True, text=True, timeout=60)
            if done.returncode != 0 or not page.read_text().strip():
                yield f"cmake/man_page.py makes no page of {name}: {done.stderr.strip().splitlines()[-1:]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--write", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    arguments = parser.parse_args()
    bin_dir = arguments.build.resolve() / "bin"
    faults = list(conf_faults(bin_dir)) + list(man_faults(bin_dir))
    pages = {ROOT / "docs/guide/configuration.md": lambda before: configuration(bin_dir),
             ROOT / "docs/guide/metrics.md": lambda before: metrics(bin_dir, before)}
    for path, made in pages.items():
        before = path.read_text() if path.exists() else ""
        after = made(before)
        if arguments.write:
            path.write_text(after)
        elif before != after:
            name = str(path.relative_to(ROOT))
            sys.stdout.writelines(
                difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, "what the binaries say")
            )
            faults.append(f"{name} is not what the binaries say; to mend it: {MEND}")
    faults += sorted(LINTED)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
