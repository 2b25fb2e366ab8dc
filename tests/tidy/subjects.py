#!/usr/bin/env python3
"""Checks the subjects of commits. Their form is `module: imperative with its object`, at most 72 columns.

usage: subjects.py                  the commits after the one that subjects_since names
       subjects.py --message FILE   one commit's message; the commit-msg hook that ./dev installs calls it so
"""
import argparse
import pathlib
import re
import subprocess
import sys

COLUMNS_MAX = 72
SINCE = "tests/tidy/subjects_since"

FORM = re.compile(r"(?P<modules>[a-z][a-z0-9_./-]*(?:, [a-z][a-z0-9_./-]*)*): (?P<first>\S+)(?: (?P<second>\S+))?")
NO_VERBS = set("""
    a an the this that these those it its he she they we you i his her their our your one two three all both each every some any no none
    nobody nothing other another such more most less least fewer many much few several new old own same
    who whom whose what which when where why how whether if as while until because since so
    of in on at to from by for with without within into onto over under after before behind beside between through during against
    about above across along among around below beyond off out up down near per than then there here
    and or but nor not never only also too even still now once again always often yet
    is are was were be been am do does did done has had have having may might can could must shall should will would
    made kept told found given taken left went gone came said stood heard got sent held begun began
    better worse faster slower larger smaller wrong right""".split())
NO_FORMS = re.compile(r"(?<![su])s$|ing$|ed$|ly$|[^a-z-]", re.I)  # thirds, gerunds, participles, adverbs
VERBS = set("""
    alias apply bias bleed breed bring cling comply embed exceed feed fly heed imply multiply need ping proceed rely reply ring seed shed
    sling speed string succeed supply swing unseed weed""".split()
)  # that look like such a form
AFTER_A_NOUN = set(
    "of is are was were has have had that which who whose may can must will would should does do".split()
)


def fault(subject):
    """The fault of a subject, and how to write it instead. None: the subject is right."""
    if len(subject) > COLUMNS_MAX:
        return f"{len(subject)} columns, over {COLUMNS_MAX}"
    match = FORM.match(subject)
    if not match:
        return 'begin with "module: ", in lower-case letters; several with commas ("rpc, client: ...")'
    first, second = match["first"], match["second"]
    if first.lower() not in VERBS and (first.lower() in NO_VERBS or NO_FORMS.search(first)):
        return f'"{first}" is no imperative: after the colon say what the commit does ("add", "reject", "move"), in the verb\'s base form'
    if second is None:
        return f'"{first}" has no object: say what it changes'
    if second.lower() in AFTER_A_NOUN:
        return (
            f'"{first} {second}" is no imperative: after the colon say what the commit does ("add", "reject", "move")'
        )
    return None


def check_message(file):
    lines = [line for line in pathlib.Path(file).read_text().splitlines() if line.strip() and not line.startswith("#")]
    subject = lines[0] if lines else ""
    if not subject or re.match(r"Merge |fixup! |squash! |amend! ", subject):
        return 0
    wrong = fault(subject)
    if wrong:
        print(f"commit subject: {subject}\n  {wrong}. CONTRIBUTING.md has the rule.", file=sys.stderr)
    return 1 if wrong else 0


def check_history(root):
    def git(*words):
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    since = (root / SINCE).read_text().split()[0]
    try:
        shallow = git("rev-parse", "--is-shallow-repository")
    except FileNotFoundError:
        shallow = None
    if shallow is None or shallow.returncode != 0:
        print("subjects: no git, or no repository: no commit is checked")
        return 0
    commits = f"{since}..HEAD"
    if git("cat-file", "-e", f"{since}^{{commit}}").returncode != 0:
        if shallow.stdout.strip() != "true":
            print(f"subjects: {SINCE} names {since}, which this repository lacks: write a commit of its history there")
            return 1
        print(f"subjects: the clone is shallow and ends after {since[:12]}: the commits that it has are checked")
        commits = "HEAD"
    log = git("log", "--no-merges", "--format=%h %s", commits)
    if log.returncode != 0:
        print(f"subjects: git log {commits}: {log.stderr.strip()}")
        return 1
    wrong = 0
    for line in log.stdout.splitlines():
        commit, _, subject = line.partition(" ")
        problem = fault(subject)
        if problem:
            print(f"{commit} {subject}\n  {problem}")
            wrong += 1
    print(f"subjects: {len(log.stdout.splitlines())} commits, {wrong} faults")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--message", metavar="FILE")
    args = parser.parse_args()
    return check_message(args.message) if args.message else check_history(args.root)


if __name__ == "__main__":
    sys.exit(main())
