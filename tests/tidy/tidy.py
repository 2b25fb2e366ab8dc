#!/usr/bin/env python3
"""Holds the tree to its rules: layers of includes, sizes of files and functions, links in the docs.

Layers:    thrift, common <- functions, master, client; functions <- tabletserver, gateway; all <- tools, tests. master and
           tabletserver never meet.
           gateway depends only on client; ebla-standalone contains a gateway.
Rooms:     the folders of a component do not include each other in a circle, and nothing lies loose in its root.
Circles:   the classes of a component do not hold each other in a circle (member_circles.py). exemptions.txt
           lists the circles that cannot be cut: `circle`, the classes, their number and, after a #, why.
Sizes:     a source has at most 600 lines, a test 1,000, a function 70. Larger ones are listed in exemptions.txt with
           their size; an entry that is exceeded, or no longer needed, fails.
Classes:   a class has at most 40 member functions, defined in at most two sources. Larger ones are listed in
           exemptions.txt with their number and, after a #, the reason.
Locks:     common/base/mutex.h alone names the standard's mutexes: clang checks what the ones in it guard.
Words:     what retired_words.txt lists does not come back: a regular expression, what to say instead, where (globs), by
           tabs.
Columns:   a line of Markdown has at most 100, outside tables, code blocks and links; a line of any other text file 120,
           addresses apart. long_lines.txt names files that have longer ones, each with a reason.
Links:     every relative link in a Markdown file points at something that exists (and at a heading, when it names one).
Rules:     each rule of docs/design/replication-rules.md that holds today is shown by a story or test that
           tests/stories/README.md names.
Includes:  a source includes nothing twice.
Banners:   the first line of a header is its path.
Tests:     a `Tests:` line of a header's banner names tests that exist, by their paths. In the folders whose tests are
           mostly elsewhere, each header has a test beside it or such a line.
Run alone: python3 tests/tidy/tidy.py [--root DIR]. Exit code 1 when anything is wrong, each fault on a line.
"""
import argparse
import collections
import fnmatch
import pathlib
import re
import subprocess
import sys

from cpp_text import strip_code
from member_circles import member_circles

FILE_LINES_MAX = 600
TEST_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
CLASS_METHODS_MAX = 40
CLASS_SOURCES_MAX = 2
DOC_COLUMNS_MAX = 100
CODE_COLUMNS_MAX = 120

# Which folders each folder's files may include from.
LAYERS = {
    "common": {"common", "idl"},
    "master": {"master", "common", "idl"},
    "functions": {"functions", "common", "idl"},
    "tabletserver": {"tabletserver", "functions", "common", "idl"},
    "client": {"client", "common", "idl"},
    "gateway": {"gateway", "client", "functions", "common", "idl"},
    "tools": {"tools", "gateway", "master", "tabletserver", "client", "functions", "common", "idl"},
    "tests": {"tests", "tools", "gateway", "master", "tabletserver", "client", "functions", "common", "idl"},
}
# Whose folders may not include each other in a circle, and whose root holds nothing but main.cc.
ROOMED = ("common", "functions", "master", "tabletserver", "client", "gateway", "tools/ebla")
PURE = {  # cores: no clock, lock, disk, socket or Thrift
    "tabletserver/replication/": (
        "<mutex>",
        "<thread>",
        "<chrono>",
        "event2/",
        "wiredtiger.h",
        "zookeeper",
        "idl/",
        "thrift/",
    ),
    "master/balancer/planner/": ("<mutex>", "<thread>", "event2/", "wiredtiger.h", "zookeeper", "thrift/"),
}


def is_test(path):
    return (
        path.startswith("tests/")
        or "/testing/" in path
        or re.search(r"_test\.(cc|h|py)$|_bench\.cc$", path) is not None
    )


def tracked(root):
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True
    )
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
                        if spelled.strip("<>").startswith(bad.strip("<>")) and (
                            not bad.startswith("<") or spelled == bad
                        ):
                            yield f"{path}:{number}: includes {spelled}: {prefix} is pure"


def includes(text):
    """The paths, from the root, of the headers that a source includes in quotation marks."""
    return [public_path(name) for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M)]


def public_path(name):
    """The SDK's public headers are included as their users include them."""
    return f"client/include/{name}" if name.startswith("ebla/") else name


def check_includes(root, files):
    for path in files:
        if path.endswith((".cc", ".h")):
            text = (root / path).read_text(errors="replace")
            lines = collections.Counter(re.findall(r'^\s*#\s*include\s+([<"][^>"]+[>"])', text, re.M))
            for name in sorted(name for name, times in lines.items() if times > 1):
                yield f"{path}: includes {name} twice"


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


FUNCTION_HEAD = re.compile(
    r"\)\s*(?:const|noexcept|override|final|mutable|&&|&|->\s*[\w:<>,\s\*&]+|:\s*[^;{}]*(?:\{[^{}]*\}[^;{}]*)*)*\s*$"
)


def functions(text):
    """(first line, lines, head) of each outermost function body: a brace that follows a parameter list at namespace
    or class level."""
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


def classes(text):
    """(name, member functions) of each class of a header, without those that are deleted or defaulted."""
    code = re.sub(r"^\s*#[^\n]*(?:\\\n[^\n]*)*", "", strip_code(text), flags=re.M)
    code = re.sub(r"\bEBLA_[A-Z_]+(\([^()]*\))?", "", code)
    stack = []  # [class name or None, member functions] for each open brace
    start = 0
    for position, char in enumerate(code):
        if char not in "{};":
            continue
        head = re.sub(r"\b(public|private|protected)\s*:(?!:)", "", code[start:position]).strip()
        opens = re.search(r"(?<!enum )\b(?:class|struct)\s+(?:\w+::)*(\w+)[^()=;]*$", head) if char == "{" else None
        if char in "{;" and opens is None and stack and stack[-1][0] is not None and is_method(head):
            stack[-1][1] += 1
        if char == "{":
            stack.append([opens.group(1) if opens else None, 0])
        elif char == "}" and stack:
            name, methods = stack.pop()
            if name is not None:
                yield name, methods
        start = position + 1


def is_method(statement):
    if re.match(r"(using|friend|typedef|static_assert|return|enum|class|struct)\b", statement):
        return False
    if re.search(r"=\s*(delete|default)$", statement):
        return False
    head = re.sub(r"^template\s*<[^()]*>\s*", "", statement)
    while True:  # arguments of templates may be functions: std::function<void()>
        shorter = re.sub(r"<[^<>]*>", "", head)
        if shorter == head:
            break
        head = shorter
    return re.match(r"[^=]*?(?:~?\b\w+|\boperator\W{1,3})\s*\(", head) is not None


def class_sizes(root, files):
    """Everything over its limit: (name, size, limit, what is counted)."""
    declared = collections.defaultdict(list)  # (component, class) -> headers
    sources = collections.defaultdict(set)
    for path in files:
        if not path.endswith((".cc", ".h")):
            continue
        text = (root / path).read_text(errors="replace")
        component = path.split("/")[0]
        if path.endswith(".h"):
            for name, methods in classes(text):
                declared[component, name].append(path)
                if methods > CLASS_METHODS_MAX:
                    yield f"{path}:class {name}", methods, CLASS_METHODS_MAX, "member functions"
        else:
            for _, _, head in functions(text):
                match = re.search(r"(?:^|[\s*&])(\w+)(?:<[^<>()]*>)?::~?\w+\s*\(", head)
                if match:
                    sources[component, match.group(1)].add(path)
    for (component, name), places in sorted(sources.items()):
        headers = declared.get((component, name), [])
        if len(places) > CLASS_SOURCES_MAX and len(headers) == 1:  # two of one name in a component are not told apart
            yield f"{headers[0]}:sources of {name}", len(places), CLASS_SOURCES_MAX, "sources"


class Exemptions:
    """The entries of exemptions.txt, each with its size, and the faults of the file itself."""
    def __init__(self, path):
        self.sizes, self.circles, self.faults = {}, {}, []
        for line in path.read_text().splitlines() if path.exists() else ():
            entry, _, why = line.partition("#")
            if not entry.strip():
                continue
            name, size = entry.strip().rsplit(None, 1)
            (self.circles if name.startswith("circle ") else self.sizes)[name] = int(size)
            if " " in name and not why.strip():
                self.faults.append(f"exemptions.txt: {name} does not say why")


def check_member_circles(root, files, exempt):
    """No classes of a component hold each other in a circle."""
    found = set()
    for names, fault in member_circles(
        root, [path for path in files if path.endswith(".h") and "/" in path and not is_test(path)]
    ):
        found.add(f"circle {' '.join(names)}")
        if f"circle {' '.join(names)}" not in exempt:
            yield fault
    for name in sorted(set(exempt) - found):
        yield f"exemptions.txt: {name} no longer needs its entry"


def check_sizes(root, files, exempt):
    over = {}
    for name, size, limit, unit in [*((*found, "lines") for found in sizes(root, files)), *class_sizes(root, files)]:
        over[name] = max(over.get(name, (0, 0, unit)), (size, limit, unit))
    for name, (size, limit, unit) in sorted(over.items()):
        if name not in exempt:
            yield f"{name}: {size} {unit}, over {limit}: split it"
        elif size > exempt[name]:
            yield f"{name}: {size} {unit}, over the {exempt[name]} that exemptions.txt holds for it"
    for name in sorted(set(exempt) - set(over)):
        yield f"exemptions.txt: {name} no longer needs its entry"


STANDARD_LOCK = re.compile(
    r"\bstd::((?:recursive_|timed_|recursive_timed_|shared_|shared_timed_)?mutex|lock_guard|unique_lock|shared_lock|"
    r"scoped_lock|condition_variable(?:_any)?)\b|#\s*include\s+<(?:mutex|shared_mutex|condition_variable)>"
)


def check_locks(root, files):
    for path in files:
        if not path.endswith((".cc", ".h")) or path == "common/base/mutex.h":
            continue
        text = (root / path).read_text(errors="replace")
        for number, line in enumerate(strip_code(text).splitlines(), 1):
            match = STANDARD_LOCK.search(line)
            if match and not ("include" in match.group(0) and re.search(r"\bstd::(once_flag|call_once)\b", text)):
                yield f"{path}:{number}: {match.group(0)}: use common/base/mutex.h, whose guard clang checks"


def check_words(root, files):
    """Words that were given up for the field's own: in sources, docs and what the tools print."""
    listed = root / "tests/tidy/retired_words.txt"
    if not listed.exists():
        return
    retired = []
    for line in listed.read_text().splitlines():
        if line and not line.startswith("#"):
            regex, instead, scope = line.split("\t")
            retired.append((re.compile(regex), instead, scope.split()))
    for path in files:
        if not path.endswith((".cc", ".h", ".md", ".txt", ".py", ".sh", ".thrift", ".flags")) and path not in (
            "dev",
            "quickstart",
        ):
            continue
        if path.startswith("tests/tidy/") or path in ("docs/glossary.md", "CHANGELOG.md"):
            continue  # they name the retired words
        mine = [
            (regex, instead)
            for regex, instead, scope in retired
            if any(fnmatch.fnmatchcase(path, glob) for glob in scope)
        ]
        if not mine:
            continue
        for number, line in enumerate((root / path).read_text(errors="replace").splitlines(), 1):
            for regex, instead in mine:
                match = regex.search(line)
                if match:
                    yield f"{path}:{number}: {match.group(0)}: say {instead}"


def long_lines(path, text):
    """(line, columns, at most) of each line of a file that is too long. An address or a link cannot be broken."""
    markdown, in_code = path.endswith(".md"), False
    most = DOC_COLUMNS_MAX if markdown else CODE_COLUMNS_MAX
    for number, line in enumerate(text.splitlines(), 1):
        if markdown and line.lstrip().startswith("```"):
            in_code = not in_code
        elif not (markdown and (in_code or line.lstrip().startswith("|"))):
            columns = len(re.sub(r"\]\([^)\s]*\)|https?://\S+", "", line))
            if columns > most:
                yield number, columns, most


def check_columns(root, files):
    exempt = {}  # by glob: the number of its line
    allowed = root / "tests/tidy/long_lines.txt"
    if allowed.exists():
        for number, line in enumerate(allowed.read_text().splitlines(), 1):
            glob, mark, why = line.partition("#")
            if glob.strip() and not (mark and why.strip()):
                yield f"tests/tidy/long_lines.txt:{number}: {glob.strip()} has no reason behind a #"
            if glob.strip():
                exempt[glob.strip()] = number
    needed = set()
    for path in files:
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            continue  # no text
        globs = [glob for glob in exempt if fnmatch.fnmatchcase(path, glob)]
        for number, columns, most in long_lines(path, text):
            needed.update(globs)
            if not globs:
                yield f"{path}:{number}: {columns} columns, over {most}"
    for glob in sorted(exempt.keys() - needed):
        yield f"tests/tidy/long_lines.txt:{exempt[glob]}: no line of {glob} is too long: take the entry out"


def anchors(text):
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", text, re.M):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).strip().replace(" ", "-")
        found.add(slug)
    return found


def check_banners(root, files):
    """A header begins with its path, so that a reader of an excerpt, or of a search, knows where he is."""
    for path in files:
        if path.endswith(".h") and path.split("/")[0] in LAYERS:
            first = (root / path).read_text(errors="replace").partition("\n")[0]
            if first != f"// {path}":
                yield f"{path}:1: begin the header with the line: // {path}"


# Folders that have few tests beside the sources.
TESTED_ELSEWHERE = ("master/procedures", "tabletserver/replication")


def tests_of_banner(text):
    """The paths in the `Tests:` line of a header's banner, which may go on in further lines; none: None."""
    banner = re.match(r"(?://[^\n]*\n)*", text).group()
    found = re.search(r"^// Tests:((?:[^\n]*,\n//  )*[^\n]*)", banner, re.M)
    return None if found is None else re.findall(r"[^\s,/][^\s,]*", found.group(1))


def check_test_lines(root, files):
    for path in files:
        if not path.endswith(".h") or path.split("/")[0] not in LAYERS or is_test(path):
            continue
        tests = tests_of_banner((root / path).read_text(errors="replace"))
        beside = path.removesuffix(".h") + "_test.cc"
        if tests is None and str(pathlib.PurePosixPath(path).parent) in TESTED_ELSEWHERE and beside not in files:
            yield f"{path}: name its tests in the banner, as in // Tests: master/host/master_test.cc"
        if tests == []:
            yield f"{path}: the Tests: line names no test"
        for test in tests or ():
            if test not in files or not is_test(test):
                yield f"{path}: there is no test {test}"


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


def check_tests_are_built(root, files):
    built = set()
    for path in {root / folder / "CMakeLists.txt" for file in files for folder in pathlib.PurePath(file).parents}:
        if path.exists():
            built.update(pathlib.PurePath(word).name for word in re.findall(r"[\w./-]+\.cc\b", path.read_text()))
    for path in files:
        if path.endswith("_test.cc") and pathlib.PurePath(path).name not in built:
            yield f"{path}: no CMakeLists.txt names it, so nothing runs it"


def known_tests(root, files):
    known = set()
    for path in files:
        if is_test(path) and path.endswith(".cc"):
            for suite, name in re.findall(
                r"\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", (root / path).read_text()
            ):
                known.add(f"{suite}.{name}")
    return known


def check_named_tests(root, files):
    """Every `Suite.Test` in these pages is a test that exists."""
    known = None
    for doc in ("docs/faults.md", "docs/guide/memcached.md", "tests/stories/README.md"):
        if not (root / doc).exists():
            continue
        known = known if known is not None else known_tests(root, files)
        for number, line in enumerate((root / doc).read_text().splitlines(), 1):
            for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", line):
                if name not in known:
                    yield f"{doc}:{number}: there is no test {name}"


# Rules in force (docs/design/replication-rules.md), each of which a story or a test shows.
SHOWN_RULES = range(1, 29)


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
    """Each top folder, and each module under common, master and tabletserver, has a README of its contents."""
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
    exemptions = Exemptions(root / "tests/tidy/exemptions.txt")
    faults = [
        *exemptions.faults,
        *check_layers(root, files),
        *check_includes(root, files),
        *check_rooms(root, files),
        *check_member_circles(root, files, exemptions.circles),
        *check_sizes(root, files, exemptions.sizes),
        *check_links(root, files),
        *check_named_tests(root, files),
        *check_rules(root, files),
        *check_readmes(root, files),
        *check_tests_are_built(root, files),
        *check_banners(root, files),
        *check_test_lines(root, files),
        *check_locks(root, files),
        *check_words(root, files),
        *check_columns(root, files),
    ]
    for fault in faults:
        print(fault)
    print(f"tidy: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
