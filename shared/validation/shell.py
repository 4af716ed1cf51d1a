"""Shell scripts as rules see them: commands with their words, pipelines, and what is put into them.

A script is parsed by the grammar of bash (tree-sitter), which also reads what is broken. Nothing is
expanded: a word has the text that the shell would see, with variables as they were written. Places
of the template (`${{ … }}`) are filled in before any shell reads the script; to the parser they are
plain letters, and each is told with where it stands: bare, in quotes, in a here-document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_LANGUAGE: Final = Language(tree_sitter_bash.language())
_PLACE: Final = re.compile(rb"\$\{\{.*?\}\}", re.DOTALL)
_FILLER: Final = b"H"
MAX_SCRIPT: Final = 65_536
"""Longest script that is looked at, in bytes; what is longer belongs into a file of its own."""
MAX_WORD: Final = 4_096
"""Longest part of a word that is kept, in bytes: commands within commands are parts of words."""
MAX_NESTING: Final = 200
"""Deepest nesting that is looked into, in nodes of the tree."""
_KEPT: Final = 512
"""Parsed scripts that are kept: the same definition is looked at again and again."""

Context = Literal["bare", "double", "single", "heredoc", "literal", "arithmetic", "comment"]
"""`heredoc`: variables are expanded in it; `literal`: a here-document with a quoted delimiter."""
_CONTEXTS: Final[dict[str, Context]] = {
    "string": "double",
    "raw_string": "single",
    "ansi_c_string": "single",
    "heredoc_body": "heredoc",
    "arithmetic_expansion": "arithmetic",
    "comment": "comment",
    "command_substitution": "bare",
    "process_substitution": "bare",
}
_EXPANSIONS: Final = frozenset({"simple_expansion", "expansion"})


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command. `text` has its quotes removed; `bare` are variables that stand outside
    of quotes, `variables` all of them; `start` and `end` are offsets in the script."""

    text: str
    start: int = 0
    end: int = 0
    variables: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    substitutes: bool = False
    """Whether a command's output is part of it."""
    has_place: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether its text is known."""
        return not (self.variables or self.substitutes or self.has_place)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words, of which the first is its name; where its output goes, and what it
    assigns for itself. `substituted` are commands whose output becomes a part of it."""

    words: tuple[Word, ...]
    start: int = 0
    writes_to: tuple[Word, ...] = ()
    substituted: tuple[Command, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The program's name, without its folder."""
        return self.words[0].text.rpartition("/")[2] if self.words else ""

    @property
    def arguments(self) -> tuple[Word, ...]:
        """All words but the first."""
        return self.words[1:]


@dataclass(frozen=True, slots=True)
class PlaceUse:
    """Where a place of the template stands in a script."""

    start: int
    end: int
    context: Context


@dataclass(frozen=True, slots=True)
class Script:
    """A script, parsed. `broken_at` is the offset of the first thing that is no shell, if any."""

    text: str
    commands: tuple[Command, ...] = ()
    pipelines: tuple[tuple[Command, ...], ...] = ()
    places: tuple[PlaceUse, ...] = ()
    assigned: tuple[tuple[str, Word], ...] = ()
    """Variables with what they are set to, in order."""
    broken_at: int | None = None


@lru_cache(maxsize=_KEPT)
def parse_script(text: str) -> Script:
    """A script, parsed; one that is too long is cut off at the end of a line."""
    source = text.encode("utf-8", "replace")
    if len(source) > MAX_SCRIPT:
        source = source[: source.rfind(b"\n", 0, MAX_SCRIPT) + 1]
    closed = source.rfind(b"}}") + 2 if b"}}" in source else 0
    found = [match.span() for match in _PLACE.finditer(source, 0, closed)]
    filled = _PLACE.sub(lambda match: _FILLER * len(match.group()), source[:closed])
    filled += source[closed:]
    root = Parser(_LANGUAGE).parse(filled).root_node
    reader = _Reader(source, found)
    reader.statement(root)
    return Script(
        text,
        tuple(reader.commands),
        tuple(reader.pipelines),
        tuple(reader.place(root, span) for span in found),
        tuple(reader.assigned),
        _first_error(root, reader),
    )


def _first_error(root: Node, reader: _Reader) -> int | None:
    if not root.has_error:
        return None
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            return reader.offset(node.start_byte)
        stack += [child for child in reversed(node.children) if child.has_error or child.is_missing]
    return 0


class _Reader:
    """Walks the tree of one script."""

    def __init__(self, source: bytes, places: list[tuple[int, int]]) -> None:
        self._source = source
        self._plain = source.isascii()
        self._places = places
        self.commands: list[Command] = []
        self.pipelines: list[tuple[Command, ...]] = []
        self.assigned: list[tuple[str, Word]] = []

    def offset(self, byte: int) -> int:
        """An offset in characters."""
        return byte if self._plain else len(self._source[:byte].decode("utf-8", "ignore"))

    def statement(self, root: Node) -> None:
        """Take every command beneath a node, without recursion: scripts may nest deeply."""
        stack = [(root, 0)]
        while stack:
            node, depth = stack.pop()
            if node.type == "command":
                self.commands.append(self.command(node))
            elif node.type == "pipeline":
                self.pipelines.append(self._stages(node))
            elif node.type == "variable_assignment":
                self._assign(node)
            elif node.type == "redirected_statement" and node.child_by_field_name("body") is None:
                targets = tuple(t for one in _redirects(node) for t in self._target(one))
                self.commands.append(Command((), self.offset(node.start_byte), targets))
            if depth < MAX_NESTING:
                stack += [(child, depth + 1) for child in reversed(node.children)]

    def _assign(self, node: Node) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is not None and value is not None:
            self.assigned.append((self._text(name), self.word(value)))

    def command(self, node: Node, *, whole: bool = True) -> Command:
        """A command with its words, and where its output goes; with `whole` also the commands whose
        output is a part of it, but not what is a part of those."""
        words = [
            self.word(child)
            for child in node.named_children
            if child.type not in ("variable_assignment", "file_redirect", "herestring_redirect")
        ]
        holder = node.parent
        redirects = [c for c in node.children if c.type == "file_redirect"]
        if holder is not None and holder.type == "redirected_statement":
            redirects += _redirects(holder)
        inside = _substituted(node) if whole else ()
        inner = tuple(self.command(one, whole=False) for one in inside)
        targets = [t for one in redirects for t in self._target(one)]
        return Command(tuple(words), self.offset(node.start_byte), tuple(targets), inner)

    def _target(self, redirect: Node) -> Iterator[Word]:
        writes = any(c.type in (">", ">>", ">|", "&>", "&>>") for c in redirect.children)
        destination = redirect.child_by_field_name("destination")
        if writes and destination is not None:
            yield self.word(destination)

    def _stages(self, node: Node) -> tuple[Command, ...]:
        """The commands of a pipeline, the first of each stage."""
        stages: list[Command] = []
        for child in node.named_children:
            first = _first_command(child)
            if first is not None:
                stages.append(self.command(first))
        return tuple(stages)

    def word(self, node: Node) -> Word:
        """A word, with its quotes removed and its variables named."""
        parts = _Parts()
        self._collect(node, parts, quoted=False)
        inside = any(s >= node.start_byte and e <= node.end_byte for s, e in self._places)
        start, end = self.offset(node.start_byte), self.offset(node.end_byte)
        return Word(
            "".join(parts.text),
            start,
            end,
            tuple(parts.variables),
            tuple(parts.bare),
            parts.substitutes,
            inside,
        )

    def _collect(self, node: Node, parts: _Parts, *, quoted: bool) -> None:
        kind, text = node.type, self._text(node)
        if kind in _EXPANSIONS:
            parts.variable(text, quoted=quoted)
        elif kind in ("command_substitution", "process_substitution"):
            parts.substitutes = True
            parts.text.append(text)
        elif kind == "raw_string":
            parts.text.append(text[1:-1])
        elif kind == "ansi_c_string":
            parts.text.append(text[2:-1])
        elif kind == "string":
            self._inside(node, parts, node.start_byte + 1, node.end_byte - 1)
        elif kind in ("concatenation", "command_name"):
            for child in node.children:
                self._collect(child, parts, quoted=quoted)
        else:
            parts.text.append(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL))

    def _inside(self, node: Node, parts: _Parts, start: int, end: int) -> None:
        """What stands between double quotes; the grammar leaves blanks out of its nodes."""
        at = start
        for child in node.named_children:
            if child.type in (*_EXPANSIONS, "command_substitution"):
                parts.text.append(self._decoded(at, child.start_byte))
                self._collect(child, parts, quoted=True)
                at = child.end_byte
        parts.text.append(self._decoded(at, end))

    def _text(self, node: Node) -> str:
        return self._decoded(node.start_byte, node.end_byte)

    def _decoded(self, start: int, end: int) -> str:
        return self._source[start : min(end, start + MAX_WORD)].decode("utf-8", "replace")

    def place(self, root: Node, span: tuple[int, int]) -> PlaceUse:
        """Where a place stands."""
        node: Node | None = root.descendant_for_byte_range(span[0], span[0] + 1)
        context: Context = "bare"
        for _ in range(MAX_NESTING):
            if node is None:
                break
            if node.type in _CONTEXTS:
                context = _CONTEXTS[node.type]
                if context == "heredoc" and self._is_literal(node):
                    context = "literal"
                break
            node = node.parent
        return PlaceUse(self.offset(span[0]), self.offset(span[1]), context)

    def _is_literal(self, body: Node) -> bool:
        """Whether the delimiter of a here-document is quoted."""
        holder = body.parent
        starts = [c for c in holder.children if c.type == "heredoc_start"] if holder else []
        return any(self._text(one)[:1] in ("'", '"', "\\") for one in starts)


class _Parts:
    """What a word is made of, as it is read."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.variables: list[str] = []
        self.bare: list[str] = []
        self.substitutes = False

    def variable(self, text: str, *, quoted: bool) -> None:
        self.text.append(text)
        self.variables.append(text)
        if not quoted:
            self.bare.append(text)


def _redirects(statement: Node) -> Iterator[Node]:
    """The redirections of a statement, those behind a here-document among them."""
    for child in statement.children:
        if child.type == "file_redirect":
            yield child
        elif child.type == "heredoc_redirect":
            yield from (one for one in child.children if one.type == "file_redirect")


def _first_command(node: Node) -> Node | None:
    stack = [node]
    while stack:
        one = stack.pop()
        if one.type == "command":
            return one
        stack += reversed(one.named_children)
    return None


def _substituted(node: Node) -> Iterator[Node]:
    """The commands whose output becomes part of a command."""
    stack: list[Any] = list(node.named_children)
    while stack:
        one = stack.pop()
        if one.type in ("command_substitution", "process_substitution"):
            first = _first_command(one)
            if first is not None:
                yield first
        elif one.type != "command":
            stack += one.named_children
