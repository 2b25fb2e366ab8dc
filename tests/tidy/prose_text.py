"""Finds the prose of a file: paragraphs of Markdown, comments, docstrings, help and messages.

A paragraph has the line where it begins, its text on one line, and its kind: "text", "cell" of a table, or "message", a
string of a program. Spans of code, targets of links and drawings are left out.
"""
import collections
import io
import re
import tokenize

Paragraph = collections.namedtuple("Paragraph", "line text kind")

ITEM = re.compile(r"^\s*(?:[-*]|\d+[.)]|\([a-z\d]\))\s+")
LABEL = re.compile(
    r"^(?:[A-Z][\w ]{0,30}|\w+):(?:\s{2,}|\s*$)|^[A-Z]\w+(?: \w+){0,2}:\s"
)  # "Threads:    ..." of a banner
DRAWING = re.compile(r"[|+]--|--[->+|]|\w\s{3,}\w|^\s*\|.*\|\s*$|^[-=|+\\/ ]+$|[{};]\s*$")
DIRECTIVE = re.compile(
    r"^\s*(NOLINT|clang-format|namespace\b|static$|static (int|void|bool|std)|shellcheck|noqa|type:|!|[\w./-]+\.\w+$)"
)
CPP_PIECE = re.compile(
    r'R"(?P<tag>\w*)\((?P<raw>.*?)\)(?P=tag)"|//(?P<line>[^\n]*)|/\*(?P<block>.*?)\*/'
    r"|\"(?P<string>(?:\\.|[^\"\\\n])*)\"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'",
    re.S,
)
WORDS_OF_MESSAGE = 4


def plain(lines):
    """Lines of a paragraph as one, without code, emphasis and targets of links."""
    text = " ".join(" ".join(lines).split())
    text = re.sub(r"\*\*([^*]+?):\*\*|\*\*([^*]+)\*\*:", r"\1\2", text)  # a label is no sentence of its own
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "Code", text)
    return text.replace("*", "").strip()


class Collector:
    """Gathers lines into paragraphs."""

    def __init__(self, kind="text"):
        self.found, self.kind, self.lines, self.first = [], kind, [], 0

    def add(self, number, line):
        if not self.lines:
            self.first = number
        self.lines.append(line)

    def end(self):
        text = plain(self.lines)
        if text:
            self.found.append(Paragraph(self.first, text, self.kind))
        self.lines = []


def markdown(text):
    text = re.sub(r"<!--.*?-->", lambda match: "\n" * match.group(0).count("\n"), text, flags=re.S)
    out = Collector()
    in_fence = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_fence = not in_fence
            out.end()
        elif in_fence:
            continue
        elif not line.strip() or line.lstrip().startswith(("#", ">")):
            out.end()
        elif line.lstrip().startswith("|"):
            out.end()
            for cell in re.sub(r"`[^`]*`", "Code", line).strip().strip("|").split("|"):
                if plain([cell]).strip("-: "):
                    out.found.append(Paragraph(number, plain([cell]), "cell"))
        elif re.match(r" {4}|\t", line) and not out.lines:
            continue  # code
        elif ITEM.match(line):
            out.end()
            out.add(number, ITEM.sub("", line))
        else:
            out.add(number, line)
    out.end()
    return out.found


def comment_block(lines):
    """The paragraphs of the (number, line) of one comment: items and labels of a banner begin one of their own."""
    out = Collector()
    for number, line in lines:
        if not line.strip() or DIRECTIVE.match(line) or DRAWING.search(LABEL.sub("", line)):
            out.end()
        elif ITEM.match(line) or LABEL.match(line):
            out.end()
            out.add(number, ITEM.sub("", LABEL.sub("", line)))
        else:
            out.add(number, line)
    out.end()
    return out.found


def message(number, text):
    """A string of a program, when it is prose."""
    text = re.sub(r"\\[nt]", " ", text).replace('\\"', '"')
    if len(re.findall(r"\b[A-Za-z][a-z'-]+\b", text)) < WORDS_OF_MESSAGE or re.search(r"::|[{}<>;]\s|\w\(\w*\)", text):
        return []
    return [Paragraph(number, plain([text]), "message")]


def cpp(text, with_messages):
    found = []
    block, column = [], 0  # the lines of the present comment, and where it begins
    strings = []           # literals that the compiler joins
    line, position, end = 1, 0, 0

    def end_comment():
        nonlocal block
        found.extend(comment_block(block))
        block = []

    def end_strings():
        nonlocal strings
        if strings and with_messages:
            found.extend(message(strings[0][0], "".join(part for _, part in strings)))
        strings = []

    for match in CPP_PIECE.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        if text[end:position].strip():
            end_strings()
        end = match.end()
        if match["line"] is not None:
            start = text.rfind("\n", 0, position) + 1
            own = not text[start:position].strip()
            if not (block and own and block[-1][0] == line - 1 and column == position - start):
                end_comment()
                column = position - start
            block.append(
                (line, match["line"].lstrip("/")[1:] if match["line"].startswith((" ", "/")) else match["line"])
            )
        elif match["block"] is not None:
            end_comment()
            found.extend(
                comment_block(
                    [(line + i, re.sub(r"^\s*\*+ ?", "", part)) for i, part in enumerate(match["block"].split("\n"))]
                )
            )
        elif match["string"] is not None:
            strings.append((line, match["string"]))
        elif match["raw"] is not None and with_messages:
            for part in comment_block([(line + i, part) for i, part in enumerate(match["raw"].split("\n"))]):
                found.extend(message(part.line, part.text))
    end_comment()
    end_strings()
    return found


def hashes(text):
    """Comments that begin with #, of shell, CMake, flags and units."""
    found, block = [], []
    for number, line in enumerate(text.splitlines() + [""], 1):
        match = re.match(r"^\s*#(?!!)\s?(.*)$", line)
        if match:
            block.append((number, match[1]))
            continue
        found.extend(comment_block(block))
        match = re.search(r"\s{2}#\s(.*)$", line)
        block = [(number, match[1])] if match else []
    found.extend(comment_block(block))
    return found


def python(text, with_messages):
    found, block, strings, last = [], [], [], None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if block and block[-1][0] != token.start[0] - 1:
                found.extend(comment_block(block))
                block = []
            block.append((token.start[0], re.sub(r"^#+ ?", "", token.string)))
        if token.type == tokenize.STRING:
            body = re.sub(r"^\w*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$", "", token.string)
            if token.string.startswith(('"""', 'r"""')) and last in (
                None,
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.NL,
            ):
                found.extend(comment_block([(token.start[0] + i, line) for i, line in enumerate(body.split("\n"))]))
            else:
                strings.append((token.start[0], body))
        elif token.type not in (tokenize.NL, tokenize.COMMENT):
            if strings and with_messages:
                found.extend(message(strings[0][0], "".join(part for _, part in strings)))
            strings = []
        if token.type not in (tokenize.COMMENT, tokenize.ENCODING):
            last = token.type
    found.extend(comment_block(block))
    return found


HASHED = (".sh", ".cmake", ".flags", ".env", "CMakeLists.txt")
SCRIPTS = ("dev", "quickstart", ".ci/run")


def may_have_prose(path):
    return path.endswith((".md", ".cc", ".h", ".thrift", ".py", *HASHED)) or path in SCRIPTS


def paragraphs(path, text):
    """The prose of a file, by its name. Strings of tests are data."""
    is_test = path.startswith("tests/") or "/testing/" in path or re.search(r"_(test|bench)\.\w+$", path) is not None
    if path.endswith(".md"):
        return markdown(text)
    if path.endswith((".cc", ".h")):
        return cpp(text, not is_test)
    if path.endswith(".thrift"):
        return cpp(text, False)
    if path.endswith(".py"):
        return python(text, not is_test)
    return hashes(text)
