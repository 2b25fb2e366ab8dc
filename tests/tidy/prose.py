#!/usr/bin/env python3
"""Holds the prose of the tree to plain English: docs, comments, help, errors and log lines.

usage: prose.py [PATH...]             show each sentence that breaks a rule, in files or below folders
                                      (default: the whole tree); exit code 1 if there is one
       prose.py --lengths FILE... [--longest N] [--median-max M] [--p90-max P]
                                      words a sentence of Markdown files; exit code 1 when all together exceed a limit

Rules:
  begin      no sentence begins with What, Who, Where, One, Those, That, Of, As or None
  pronoun    nobody, somebody, who, the other: a person, never a component
  colon      a paragraph has at most one; lists, tables and code do not count
  register   goes, comes, stands, says, hears: the field has a verb for it
"""
import argparse
import math
import pathlib
import re
import statistics
import subprocess
import sys

import prose_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
GENERATED = {"docs/guide/configuration.md", "docs/guide/metrics.md"}  # their sentences are those of flags and metrics

PEOPLE = (
    "users?|operators?|readers?|developers?|people|persons?|newcomers?|attackers?|administrators?|humans?|authors?|anyone|"
    "everyone|man|men|woman|maintainers?|contributors?|applicants?|teams?"
)
NOUNLESS = (
    r"[.,;:!?)\"']|$|(?:is|are|was|were|be|has|have|had|may|can|must|might|will|would|should|does|do|did|and|or|but|nor|"
    r"in|on|at|to|of|for|from|by|with|as|when|while|if|that|than|then|so|which|who|whose|it|its|they|the|a|an|after|"
    r"before|until|way|not|no|still|alone|too|first|where|because|sees|holds|gets|takes|waits|knows)\b"
)
DOCUMENTS = r"errors?|logs?|messages?|pages?|comments?|headers?|names?|text|help|README|documentation|manual|RFC \d+|specification|operators?|users?|\S+\.(?:h|cc|md|thrift|txt)"

RULES = {
    "begin": re.compile(
        r"(?P<at>(?:What|Who|Whoever|Where|That|Those|Of|As|None(?!:))\b(?!-)|"
        r"One(?=[,.;:]|\s+(?:that|which|who|whose|is|was|may|can|has|had|must|will|would|should|does|with|without|in|at|on|"
        r"for|to|from|by|alone|not|more|takes|waits|gets|holds|knows|begins|ends|needs)\b))"
    ),
    "pronoun": re.compile(
        r"\b(?:[Nn]obody|[Ss]omebody|[Aa]nybody|[Ss]omeone|[Nn]o one|[Ww]hoever|[Ww]homever)\b|"
        r"\b[Tt]he others\b|\b(?<!one after )[Tt]he other\b(?=\s*(?:" + NOUNLESS + r"))|"
        r"(?<!-)\b(?P<who>[Ww]ho|[Ww]hom)\b(?!')"
    ),
    "colon": re.compile(r"(?<!\bCode)(?<![A-Z_]{4}):(?=\s)"),
    "register": re.compile(r"\b(?:goes|(?<!\bwhichever )comes|stands(?! for\b)|hears|says|went|came|stood|heard|"
                           r"(?:is|are|was|were|be) taken for|beg[ia]ns? anew)\b"),
}
DEFINED = re.compile(r"(?:^|[;.,] )[\w'\"]+$")  # "0: none; 1: all" is a list
SENTENCE_END = re.compile(r"(?<=[.!?])[\")]*\s+(?=[\"(]*[A-Z0-9])")
PERSON_BEFORE = re.compile(rf"(?:{PEOPLE})(?:,| and)?\s+(?:\S+\s+){{0,2}}$", re.I)
SUBJECT_DOCUMENT = re.compile(rf"(?:{DOCUMENTS})\s+(?:also\s+)?$", re.I)


def sentences(text):
    return SENTENCE_END.split(text)


def faults(path, text):
    """(line, rule, excerpt) of each breach in a file."""
    for paragraph in prose_text.paragraphs(path, text) or ():
        for sentence in sentences(paragraph.text):
            match = RULES["begin"].match(sentence.lstrip('"('))
            if match and not sentence.rstrip('")').endswith("?"):
                yield paragraph.line, "begin", sentence
            for match in RULES["pronoun"].finditer(sentence):
                before = sentence[:match.start()]
                asks = not before or sentence.endswith("?")  # the rule "begin" counts the first
                if match["who"] and (asks or PERSON_BEFORE.search(before)):
                    continue
                yield paragraph.line, "pronoun", f"{match.group(0)}: {sentence}"
            for match in RULES["register"].finditer(sentence):
                if match.group(0) == "says" and SUBJECT_DOCUMENT.search(sentence[:match.start()]):
                    continue
                yield paragraph.line, "register", f"{match.group(0)}: {sentence}"
        if paragraph.kind == "text":
            colons = [
                match
                for match in RULES["colon"].finditer(paragraph.text)
                if not DEFINED.search(paragraph.text[: match.start()])
            ]
            for _ in colons[1:]:
                yield paragraph.line, "colon", paragraph.text


def tracked(root):
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True
    )
    return sorted(path for path in set(out.stdout.splitlines()) if (root / path).is_file())


def check(root, shown):
    broken = 0
    for path in tracked(root):
        if not any((root / path).is_relative_to(root / one) for one in shown):
            continue
        if path in GENERATED or path.startswith("tests/tidy/prose") or not prose_text.may_have_prose(path):
            continue
        for line, rule, text in sorted(faults(path, (root / path).read_text(errors="replace"))):
            print(f"{path}:{line}: {rule}: {text}")
            broken += 1
    print(f"prose: {broken} breaches of the rules in tests/tidy/prose.py")
    return 1 if broken else 0


WORD = re.compile(r"\w[\w'’.-]*")


def percentile(counts, part):
    ordered = sorted(counts)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def lengths(files, longest, median_max, p90_max):
    """Prints words a sentence for each file and for all; a span of `code` is one word."""
    def line(name, counts):
        return f"{name}: {len(counts)} sentences, median {statistics.median(counts):g}, 90th percentile {percentile(counts, 0.9)}"
    total = []
    for file in files:
        texts = [paragraph.text for paragraph in prose_text.markdown(file.read_text()) if paragraph.kind == "text"]
        found = [(len(WORD.findall(sentence)), sentence) for text in texts for sentence in sentences(text)]
        counts = [words for words, _ in found if words > 1]
        if not counts:
            print(f"{file}: no sentences")
            continue
        total += counts
        print(line(file, counts))
        for words, sentence in sorted(found, reverse=True)[:longest]:
            print(f"    {words}: {sentence}")
    if not total:
        print("no sentences at all")
        return 1
    print(line("all", total))
    return 1 if statistics.median(total) > median_max or percentile(total, 0.9) > p90_max else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("paths", nargs="*", default=["."], metavar="PATH")
    parser.add_argument("--lengths", nargs="+", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--longest", type=int, default=0, metavar="N", help="show the N longest sentences of each file")
    parser.add_argument("--median-max", type=float, default=math.inf, metavar="M")
    parser.add_argument("--p90-max", type=float, default=math.inf, metavar="P")
    args = parser.parse_args()
    root = args.root.resolve()
    if args.lengths:
        return lengths(args.lengths, args.longest, args.median_max, args.p90_max)
    for path in args.paths:
        if not (root / path).exists():
            parser.error(f"{path} is not in {root}")
    return check(root, args.paths)


if __name__ == "__main__":
    sys.exit(main())
