#!/usr/bin/env python3
"""Writes the man page of a program from its --help, so that the two cannot differ.

  man_page.py PROGRAM SECTION VERSION PAGE

A page has the text of --help: the lines of its usage as the synopsis, each flag of a server as an item, and the rest as
it is. The shell's page also has `help all`, and that of ebla-cluster the help of each subcommand.
"""
import pathlib
import re
import subprocess
import sys

# Section 8: what a package adds.
SERVER_FILES = (
    "/etc/ebla/{role}.flags    flags of the packaged service\n"
    "/var/lib/ebla/{role}      its data directory\n"
    "/var/log/ebla             its log"
)
GATEWAY_FILES = "/etc/ebla/gateway.flags   flags of the packaged service\n" "/var/log/ebla-gateway     its log"
RELATED = [
    "ebla(1)",
    "ebla-cluster(1)",
    "ebla-ycsb(1)",
    "ebla-gateway(8)",
    "ebla-master(8)",
    "ebla-standalone(8)",
    "ebla-tabletserver(8)",
]


def help_of(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout.strip("\n")


def roff(text):
    """Text that roff shows as it is."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in text.split("\n"))


def section(title):
    return f".SH {roff(title.upper())}\n"


def as_it_stands(text):
    return f".nf\n{roff(text)}\n.fi\n"


def flags(text):
    """Items of a server's flags: the name with its default, and below it what it does."""
    items = re.findall(r"^  --(\w+)=(.*)\n      (.*)$", text, re.M)
    page = "".join(
        f".TP\n\\fB{roff('--' + name)}\\fR={roff(default)}\n{roff(about)}\n" for name, default, about in items
    )
    rest = re.sub(r"^  --\w+=.*\n      .*\n?", "", text, flags=re.M).strip()
    return page + (f".PP\n{roff(rest)}\n" if rest else "")


def summary(name, text):
    """The program in half a sentence, for NAME."""
    first = text.split("\n")[0].removeprefix(f"{name}: ")
    return re.split(r"\. |\.$", first)[0]


def server_page(name, text):
    usage, _, listed = text.partition("\n\nFlags ")
    about = [line for line in usage.split("\n") if not line.startswith("  ")]
    calls = [line.strip() for line in usage.split("\n") if line.startswith("  ")]
    how, _, listed = listed.partition(":\n")
    role = name.removeprefix("ebla-")
    page = section("Synopsis") + as_it_stands("\n".join(calls)) + section("Description") + roff("\n".join(about)) + "\n"
    page += section("Options") + roff(f"Flags {how}:") + "\n" + flags(listed)
    files = GATEWAY_FILES if role == "gateway" else SERVER_FILES.format(role=role)
    return page + section("Files") + as_it_stands(files)


def tool_page(name, program, text):
    lines = text.split("\n")
    call = next(line for line in lines if line.lower().startswith("usage:"))
    rest = "\n".join(line for line in lines if line != call)
    rest = re.sub(r"\n{3,}", "\n\n", rest)
    page = (
        section("Synopsis")
        + as_it_stands(call[len("usage:") :].strip())
        + section("Description")
        + as_it_stands(rest.strip("\n"))
    )
    if name == "ebla":
        verbs = help_of(program, "help", "all")
        # The verbs' summaries begin after the options, which are above.
        listed = verbs.partition("\nOptions of every verb")[2].partition("\n\n")[2]
        if not listed:
            raise RuntimeError(f"{program} help all names no verbs behind its options")
        page += section("Verbs") + as_it_stands(listed)
    if name == "ebla-cluster":
        listed = text.partition("Subcommands:\n")[2].partition("\n\n")[0]
        for command in re.findall(r"^  ([\w-]+)  ", listed, re.M):
            page += section(f"{name} {command}") + as_it_stands(help_of(program, command, "--help"))
    return page


def page_of(program, number, version):
    name = pathlib.Path(program).name
    text = help_of(program, "--help")
    body = server_page(name, text) if number == "8" else tool_page(name, program, text)
    related = ", ".join(f"\\fB{roff(page[:-3])}\\fR{page[-3:]}" for page in RELATED if page != f"{name}({number})")
    return (f'.TH {roff(name.upper())} {number} "" "Ebla {version}" "Ebla"\n' + section("Name") +
            f"{roff(name)} \\- {roff(summary(name, text))}\n" + body + section("See also") + related + "\n")


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    program, number, version, path = sys.argv[1:]
    page = pathlib.Path(path)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(page_of(program, number, version))


if __name__ == "__main__":
    main()
