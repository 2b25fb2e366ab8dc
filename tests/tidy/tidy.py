#!/usr/bin/env python3
"""Holds the tree to its rules: layers of includes, sizes of files and functions, links in the docs.

Layers:    thrift, common <- master, tabletserver, client <- tools, tests. master and tabletserver never meet.
Rooms:     the folders of a component do not include each other in a circle, and nothing lies loose in its root.
Sizes:     a source has at most 600 lines, a test 1,000, a function 70. What is larger stands in exemptions.txt with its
           size; an entry that is exceeded, or no longer needed, fails.
Links:     every relative link in a Markdown file points at something that exists (and at a heading, when it names one).
Rules:     each rule of docs/design/replication-rules.md that holds today is shown by a story or test that
           tests/stories/README.md names.
Run alone: python3 tests/tidy/tidy.py [--root DIR]. Exit code 1 when anything is wrong, each fault on a line.
"""
import argparse
import pathlib
import re
import subprocess
import sys

FILE_LINES_MAX = 600
TEST_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70

# Which folders each folder's files may include from.
LAYERS = {
    "common": {"common", "idl"},
    "master": {"master", "common", "idl"},
    "tabletserver": {"tabletserver", "common", "idl"},
    "client": {"client", "common", "idl"},
    "tools": {"tools", "master", "tabletserver", "client", "common", "idl"},
    "tests": {"tests", "tools", "master", "tabletserver", "client", "common", "idl"},
}
# Whose folders may not include each other in a circle, and whose root holds nothing but main.cc.
ROOMED = ("common", "master", "tabletserver", "client", "tools/ebla")
PURE = {  # cores: no clock, lock, disk, socket or Thrift
    "tabletserver/replication/": ("<mutex>", "<thread>", "<chrono>", "event2/", "wiredtiger.h", "zookeeper", "idl/", "thrift/"),
    "master/balancer/planner/": ("<mutex>", "<thread>", "event2/", "wiredtiger.h", "zookeeper", "thrift/"),
}


def is_test(path):
    return path.startswith("tests/") or "/testing/" in path or re.search(r"_test\.(cc|h|py)$|_bench\.cc$", path) is not None


def tracked(root):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True)
    return sorted(p for p in set(out.stdout.splitlines()) if (root / p).is_file())


def check_layers(root, files):
    for path in files:
        if not path.endswith((".cc", ".h")) or "/" not in path:
            continue
        top = path.split("/")[0]
        allowed = LAYERS.get(top)
        if allowed is None:
            continue
        # A test beside its module may use the other modules' test helpers, but no higher layer.
        for number, line in enumerate((root / path).read_text(errors="replace").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            target = public_path(match.group(2)) if match.group(1) == '"' else match.group(2)
            first = target.split("/")[0] if "/" in target else ""
            if match.group(1) == '"' and first in LAYERS and first not in allowed:
                yield f"{path}:{number}: includes {target}: {top}/ may only include from {', '.join(sorted(allowed))}"
            for prefix, forbidden in PURE.items():
                if path.startswith(prefix) and not is_test(path):
                    spelled = f"<{target}>" if match.group(1) == "<" else target
                    for bad in forbidden:
                        if spelled.strip("<>").startswith(bad.strip("<>")) and (not bad.startswith("<") or spelled == bad):
                            yield f"{path}:{number}: includes {spelled}: {prefix} is pure"


def includes(text):
    """What a source includes in quotation marks, by its path from the root."""
    return [public_path(name) for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M)]


def public_path(name):
    """The SDK's public headers are included as their users include them."""
    return f"client/include/{name}" if name.startswith("ebla/") else name


def check_rooms(root, files):
    """Within a component no folders include each other in a circle, and nothing lies loose in the component's root."""
    for component in ROOMED:
        uses = {}  # folder -> {folder it includes from: one include as an example}
        for path in files:
            if not path.startswith(f"{component}/") or not path.endswith((".cc", ".h")) or is_test(path):
                continue
            folder = str(pathlib.PurePosixPath(path).parent)
            if folder == component and path != f"{component}/main.cc":
                yield f"{path}: lies loose in {component}/: put it into the folder of its subject"
            for target in includes((root / path).read_text(errors="replace")):
                other = str(pathlib.PurePosixPath(target).parent)
                if target.startswith(f"{component}/") and other != folder:
                    uses.setdefault(folder, {}).setdefault(other, f"{path} includes {target}")
        for circle in circles(uses):
            steps = "; ".join(uses[a][b] for a, b in zip(circle, circle[1:] + circle[:1]))
            yield f"{component}: folders include each other in a circle: {steps}"


def circles(uses):
    """One circle of each group of folders that reach each other."""
    done = set()

    def find(folder, way):
        if folder in way:
            return way[way.index(folder):]
        if folder in done:
            return None
        for other in sorted(uses.get(folder, ())):
            circle = find(other, way + [folder])
            if circle:
                return circle
        done.add(folder)
        return None

    for folder in sorted(uses):
        circle = find(folder, [])
        if circle:
            yield circle
            done.update(circle)


def strip_code(text):
    """The text with comments, strings and characters blanked, newlines kept, so that braces can be counted."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    pattern = r'R"(\w*)\((?:.|\n)*?\)\1"|//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z_])\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, blank, text)


FUNCTION_HEAD = re.compile(r"\)\s*(?:const|noexcept|override|final|mutable|&&|&|->\s*[\w:<>,\s\*&]+|:\s*[^;{}]*(?:\{[^{}]*\}[^;{}]*)*)*\s*$")


def functions(text):
    """(first line, lines, head) of each outermost function body: a brace that follows a parameter list at namespace or class level."""
    code = strip_code(text)
    stack = []  # is_function for each open brace
    line = 1
    start_of_statement = 0
    for position, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char == "{":
            head = code[start_of_statement:position]
            inside = any(entry[0] for entry in stack)
            keyword = re.search(r"\b(namespace|class|struct|enum|union|extern)\b[^()]*$", head)
            is_function = not inside and not keyword and ")" in head and FUNCTION_HEAD.search(head) is not None
            stack.append((is_function, line, head.strip().splitlines()[0] if head.strip() else ""))
            start_of_statement = position + 1
        elif char == "}":
            if stack:
                is_function, first, head = stack.pop()
                if is_function:
                    yield first, line - first + 1, head
            start_of_statement = position + 1
        elif char == ";":
            start_of_statement = position + 1


def sizes(root, files):
    """Everything over its limit: (name, size, limit)."""
    for path in files:
        if not path.endswith((".cc", ".h", ".py", ".sh")) and path not in ("dev", "quickstart"):
            continue
        text = (root / path).read_text(errors="replace")
        count = text.count("\n")
        limit = TEST_LINES_MAX if is_test(path) else FILE_LINES_MAX
        if count > limit:
            yield path, count, limit
        if path.endswith((".cc", ".h")):
            for _, lines, head in functions(text):
                if lines > FUNCTION_LINES_MAX:
                    match = re.search(r"([\w:~]+)\s*\(", head)
                    yield f"{path}:{match.group(1) if match else head}", lines, FUNCTION_LINES_MAX


def check_sizes(root, files, exemptions_path):
    exempt = {}
    if exemptions_path.exists():
        for line in exemptions_path.read_text().splitlines():
            line = line.split("#")[0].strip()
            if line:
                name, size = line.rsplit(None, 1)
                exempt[name] = int(size)
    over = {}
    for name, size, limit in sizes(root, files):
        over[name] = max(over.get(name, (0, 0)), (size, limit))
    for name, (size, limit) in sorted(over.items()):
        if name not in exempt:
            yield f"{name}: {size} lines, over {limit}: split it"
        elif size > exempt[name]:
            yield f"{name}: {size} lines, over the {exempt[name]} that exemptions.txt holds for it"
    for name in sorted(set(exempt) - set(over)):
        yield f"exemptions.txt: {name} no longer needs its entry"


def anchors(text):
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", text, re.M):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).strip().replace(" ", "-")
        found.add(slug)
    return found


def check_links(root, files):
    for path in files:
        if not path.endswith(".md"):
            continue
        text = (root / path).read_text()
        visible = re.sub(r"```.*?```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
        for match in re.finditer(r"\[[^\]]*\]\(([^)\s]+)\)", visible):
            target = match.group(1)
            line = visible.count("\n", 0, match.start()) + 1
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (root / path).parent / name if name else root / path
            if not file.exists():
                yield f"{path}:{line}: dead link {target}"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                yield f"{path}:{line}: no heading #{anchor} in {name or path}"


def known_tests(root, files):
    known = set()
    for path in files:
        if is_test(path) and path.endswith(".cc"):
            for suite, name in re.findall(r"\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", (root / path).read_text()):
                known.add(f"{suite}.{name}")
    return known


def check_named_tests(root, files):
    """Every `Suite.Test` in docs/faults.md and tests/stories/README.md is a test that exists."""
    known = None
    for doc in ("docs/faults.md", "tests/stories/README.md"):
        if not (root / doc).exists():
            continue
        known = known if known is not None else known_tests(root, files)
        for number, line in enumerate((root / doc).read_text().splitlines(), 1):
            for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", line):
                if name not in known:
                    yield f"{doc}:{number}: there is no test {name}"


# Those that hold today (docs/design/replication-rules.md): each is shown by a story, or by a test.
SHOWN_RULES = range(1, 26)


def check_rules(root, files):
    """The table in tests/stories/README.md names a story or a test for each rule, and no story that is gone."""
    doc = root / "tests/stories/README.md"
    if not doc.exists():
        return
    shown = {}
    for number, line in enumerate(doc.read_text().splitlines(), 1):
        row = re.match(r"\| (\d+) \|(.*)\|\s*$", line)
        if not row:
            continue
        names = re.findall(r"`([\w.]+)`", row.group(2))
        shown[int(row.group(1))] = names
        for name in names:
            if "." not in name and f"tests/stories/{name}.txt" not in files:
                yield f"tests/stories/README.md:{number}: there is no story {name}"
    for rule in SHOWN_RULES:
        if not shown.get(rule):
            yield f"tests/stories/README.md: nothing is named that shows rule {rule}"
    named = {name for names in shown.values() for name in names}
    for path in files:
        match = re.match(r"tests/stories/(rule_\d+_\w+)\.txt$", path)
        if match and match.group(1) not in named:
            yield f"{path}: is not in the table of tests/stories/README.md"


def check_readmes(root, files):
    """Each top folder, and each module under common, master and tabletserver, says what lives there."""
    folders = {str(pathlib.PurePosixPath(p).parent) for p in files if p.endswith((".cc", ".thrift", ".flags"))}
    for folder in sorted(folders):
        if folder in (".", "tests/data") or (root / folder / "README.md").exists():
            continue
        if any((root / parent / "README.md").exists() for parent in list(pathlib.PurePosixPath(folder).parents)[:-1]):
            continue  # told of in that of a folder above
        yield f"{folder}: has no README.md, nor has a folder above it"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    root = parser.parse_args().root.resolve()
    files = tracked(root)
    if not any(f.endswith(".cc") for f in files):
        print(f"{root}: found no sources: wrong --root?")
        return 1
    faults = [*check_layers(root, files), *check_rooms(root, files), *check_sizes(root, files, root / "tests/tidy/exemptions.txt"),
              *check_links(root, files), *check_named_tests(root, files), *check_rules(root, files), *check_readmes(root, files)]
    for fault in faults:
        print(fault)
    print(f"tidy: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
