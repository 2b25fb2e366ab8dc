#!/usr/bin/env python3
"""Measures how long the sentences of Markdown files are.

usage: prose.py FILE... [--longest N] [--median-max M] [--p90-max P]

Prints sentences, median and 90th percentile of words a sentence for each file and for all together. Code blocks, tables,
headings, pictures and link targets do not count; a span of `code` counts as one word. --longest shows the longest
sentences. With a limit, exit code 1 when all files together exceed it.
"""
import argparse
import math
import pathlib
import re
import statistics
import sys

WORD = re.compile(r"\w[\w'’.-]*")
ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+", re.M)


def prose(text):
    """The paragraphs and list items of a Markdown text, each as one line."""
    text = re.sub(r"^```.*?^```", "\n", text, flags=re.S | re.M)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"(?<=\n\n)(?:(?: {4}|\t)[^\n]*\n)+", "", text)
    text = re.sub(r"^\s*[#|>].*$", "", text, flags=re.M)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "Code", text)
    text = ITEM.sub("\n\n", text)
    for paragraph in re.split(r"\n\s*\n", text):
        line = " ".join(paragraph.replace("*", "").split())
        if line:
            yield line


def sentences(text):
    """(words, sentence) of each sentence of more than one word."""
    for paragraph in prose(text):
        for sentence in re.split(r"(?<=[.!?])[\")]*\s+(?=[\"(A-Z0-9])", paragraph):
            words = len(WORD.findall(sentence))
            if words > 1:
                yield words, sentence


def percentile(counts, part):
    ordered = sorted(counts)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def line(name, counts):
    return f"{name}: {len(counts)} sentences, median {statistics.median(counts):g}, 90th percentile {percentile(counts, 0.9)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--longest", type=int, default=0, metavar="N", help="show the N longest sentences of each file")
    parser.add_argument("--median-max", type=float, default=math.inf, metavar="M")
    parser.add_argument("--p90-max", type=float, default=math.inf, metavar="P")
    args = parser.parse_args()
    total = []
    for file in args.files:
        found = list(sentences(file.read_text()))
        if not found:
            print(f"{file}: no sentences")
            continue
        counts = [words for words, _ in found]
        total += counts
        print(line(file, counts))
        for words, sentence in sorted(found, reverse=True)[:args.longest]:
            print(f"    {words}: {sentence}")
    if not total:
        print("no sentences at all")
        return 1
    print(line("all", total))
    return 1 if statistics.median(total) > args.median_max or percentile(total, 0.9) > args.p90_max else 0


if __name__ == "__main__":
    sys.exit(main())
