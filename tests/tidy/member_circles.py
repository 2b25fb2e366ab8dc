"""Circles of member references: classes of one component that hold each other.

A class holds the classes that its data members name, by reference, pointer, smart pointer or value, in a container, or
through a struct of references such as Parts or Context. Classes of a circle cannot be read, made or tested alone, and
forward declarations hide the circle from the check of includes. Functions to be called (std::function) do not count,
because a class tells its owner something by them without knowing the owner. A nested class counts as its outermost one.

Headers are read as text. A name means the class of that name in the same class, else in the same header, folder or
component; a name that the rest of a component has twice means neither.
"""
import collections
import pathlib
import re

from cpp_text import strip_code

# `class X final : public Y` or `struct X`, just before its brace.
CLASS_HEAD = re.compile(r"(?<!enum )\b(?:class|struct)\s+(?:\w+\s+)*?(\w+)(?:\s+final)?\s*(?::(?!:)[^()]*)?$")
ACCESS = re.compile(r"\b(public|private|protected)\s*:(?!:)")
NAME = re.compile(r"\b[A-Z]\w*(?:::[A-Z]\w*)*")


class Class:
    def __init__(self, path, name):
        self.path, self.name = path, name  # the name with its enclosing classes: CopyTarget::Parts
        self.members = []                  # the text of each data member's declaration


def without_calls(statement):
    """Without function pointers, and the arguments of std::function and its kind, whatever nests in them."""
    statement = re.sub(r"\(\s*\*[^()]*\)\s*\([^()]*\)", "", statement)
    while True:
        match = re.search(r"\b(?:function|move_only_function|copyable_function)\s*<", statement)
        if match is None:
            return statement
        depth, end = 1, match.end()
        while end < len(statement) and depth > 0:
            depth += {"<": 1, ">": -1}.get(statement[end], 0)
            end += 1
        statement = statement[:match.start()] + statement[end:]


def is_data_member(statement):
    if re.match(
        r"(friend|typedef|static_assert|enum|class|struct|template|static|return|using|explicit|virtual)\b", statement
    ):
        return False
    declaration = re.sub(r"\s*=[^=].*$", "", statement, flags=re.S)  # without its first value
    while True:  # neither templates nor their arguments are calls
        shorter = re.sub(r"<[^<>]*>", "", declaration)
        if shorter == declaration:
            break
        declaration = shorter
    return "(" not in declaration and re.search(r"[\w>&*]\s+[&*]?\s*\w+$|[&*]\s*\w+$|>\s*\w+$", declaration) is not None


def read(path, text):
    """The classes of a header, and the meanings of its aliases by name."""
    code = re.sub(r"^\s*#[^\n]*(?:\\\n[^\n]*)*", "", strip_code(text), flags=re.M)
    code = re.sub(r"\bEBLA_[A-Z_]+(\([^()]*\))?", "", code)
    found, aliases, stack, start = [], {}, [], 0  # stack: the class of each open brace, or None
    for position, char in enumerate(code):
        if char not in "{};":
            continue
        statement = " ".join(ACCESS.sub("", code[start:position]).split())
        inside = stack[-1] if stack else None
        in_function = any(one is False for one in stack)
        if char == "{":
            opens = None if in_function else CLASS_HEAD.search(statement)
            if opens:
                outer = [one.name for one in stack if one]
                stack.append(Class(path, "::".join(outer[-1:] + [opens.group(1)])))
                found.append(stack[-1])
            elif re.match(r"(inline )?namespace\b|extern\b", statement) or not statement:
                stack.append(None)
            else:
                if inside and is_data_member(statement):
                    inside.members.append(without_calls(statement))  # with its first value in braces
                stack.append(False)
        elif char == "}":
            if stack:
                stack.pop()
        elif not in_function:
            alias = re.match(r"using (\w+) = (.*)$", statement)
            if alias:
                aliases["::".join([one.name for one in stack if one][-1:] + [alias.group(1)])] = without_calls(
                    alias.group(2)
                )
            elif inside and is_data_member(statement):
                inside.members.append(without_calls(statement))
        start = position + 1
    return found, aliases


class Component:
    """The classes of a component, and the classes that they hold."""
    def __init__(self, sources):
        self.places = collections.defaultdict(list)  # name -> where it is declared
        self.members = {}                            # (path, name) -> declarations of members; an alias has one
        for path, text in sources:
            found, aliases = read(path, text)
            for one in found:
                self.places[one.name].append(path)
                self.members[path, one.name] = one.members
            for name, meaning in aliases.items():
                self.places[name].append(path)
                self.members[path, name] = [meaning]

    def resolve(self, path, holder, name):
        """The (path, name) that `name` means within the class `holder`; None: nothing of this component."""
        outer = holder.split("::")
        for candidate in ["::".join(outer[:depth] + [name]) for depth in range(len(outer), -1, -1)]:
            places = self.places.get(candidate, [])
            folder = pathlib.PurePosixPath(path).parent
            for near in (
                [p for p in places if p == path],
                [p for p in places if pathlib.PurePosixPath(p).parent == folder],
                places,
            ):
                if len(near) == 1:
                    return near[0], candidate
        return None

    def held(self):
        """For each outermost class the classes that it holds, with a member that shows it. An alias counts as a class."""
        graph = {}
        for (path, holder), members in self.members.items():
            mine = path, holder.split("::")[0]
            holds = graph.setdefault(mine, {})
            for member in members:
                for name in NAME.findall(re.sub(r"\s*=[^=].*$", "", member)):
                    found = self.resolve(path, holder, name)
                    if found and (found[0], found[1].split("::")[0]) != mine:
                        holds.setdefault((found[0], found[1].split("::")[0]), member)
        return graph


def shortest_circle(graph, start):
    """The fewest steps from `start` back to itself; None: there is no way back."""
    before, todo = {start: None}, collections.deque([start])
    while todo:
        at = todo.popleft()
        for to in sorted(graph.get(at, ())):
            if to == start:
                way = [at]
                while before[way[-1]] is not None:
                    way.append(before[way[-1]])
                return way[::-1]
            if to not in before:
                before[to] = at
                todo.append(to)
    return None


def circles(graph):
    """Circles until every circle of the graph shares a step with one of them: shortest first, each a list of classes."""
    graph = {one: dict(holds) for one, holds in graph.items()}
    while True:
        ways = [way for way in (shortest_circle(graph, one) for one in sorted(graph)) if way]
        if not ways:
            return
        way = min(ways, key=lambda one: (len(one), one))
        yield way
        del graph[way[-1]][way[0]]


def member_circles(root, headers):
    """(the names of the classes, their fault) of each circle within a component."""
    components = collections.defaultdict(list)
    for path in headers:
        components[path.split("/")[0]].append((path, (root / path).read_text(errors="replace")))
    for component, sources in sorted(components.items()):
        graph = Component(sources).held()
        for way in circles(graph):
            steps = [
                f'{name} has "{graph[path, name][held]}" ({path})' for (path, name), held in zip(way, way[1:] + way[:1])
            ]
            yield [name for _, name in way], f"{component}: classes hold each other in a circle: {'; '.join(steps)}"
