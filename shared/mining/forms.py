"""The form of a command: its words, which of them are its name, its options and its arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.learning.command_text import kind_of
from shared.mining.splitting import Part, Token

_ASSIGNMENT: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")
_SUDO_WITH_VALUE: Final = re.compile(r"^-(?:[A-Za-z]*[ugpChrtTUD])$")
_WRAPPERS: Final = frozenset({"sudo", "doas"})
_PYTHON: Final = re.compile(r"^python(?:[23](?:\.\d+)?)?$")


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command within a part. `at` is the place of its name among the part's tokens."""

    name: str
    at: int
    options: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    """(kind, text) of the words that are no options and no targets of redirections."""
    follows: tuple[bool, ...] = ()
    """Of each of them, whether it stands right behind an option, whose value it may be."""


@dataclass(frozen=True, slots=True)
class Form:
    """A part read as commands, those of a pipeline in order; the first one names it."""

    part: Part
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """The first program's name."""
        return self.commands[0].name if self.commands else ""

    @property
    def words(self) -> tuple[str, ...]:
        """All words after the first program's name, up to the first operator."""
        if not self.commands:
            return ()
        found = []
        for token in self.part.tokens[self.commands[0].at + 1 :]:
            if token.kind != "word":
                break
            found.append(token.text)
        return tuple(found)


@lru_cache(maxsize=50_000)
def form_of(part: Part) -> Form:
    """The form of a part; without commands where it has no program."""
    commands: list[Command] = []
    piece: list[Token] = []
    start = 0
    for index, token in enumerate((*part.tokens, Token("|", "control", 0, 0))):
        if token.kind == "control":
            one = _command(piece, start)
            if one is not None:
                commands.append(one)
            piece, start = [], index + 1
        else:
            piece.append(token)
    return Form(part, tuple(commands))


def _command(tokens: Sequence[Token], start: int) -> Command | None:
    at = _name_at(tokens)
    if at is None:
        return None
    options, arguments, follows = [], [], []
    target = behind = False
    for token in tokens[at + 1 :]:
        if token.kind == "redirect":
            target = not token.text[-1].isdigit()
        elif target:
            target = False
        elif token.text.startswith("-") and len(token.text) > 1:
            options.append(token.text.partition("=")[0])
            behind = "=" not in token.text
        else:
            arguments.append((kind_of(token.text) or "other", token.text))
            follows.append(behind)
            behind = False
    name = _program(tokens[at].text)
    return Command(name, start + at, tuple(options), tuple(arguments), tuple(follows))


def _name_at(tokens: Sequence[Token]) -> int | None:
    """The place of the program's name: after assignments, and `sudo` with its options."""
    index, wrapped = 0, False
    while index < len(tokens):
        text = tokens[index].text
        if tokens[index].kind != "word":
            return None
        if _ASSIGNMENT.match(text):
            index += 1
        elif text in _WRAPPERS and index + 1 < len(tokens):
            wrapped = True
            index += 1
        elif wrapped and text.startswith("-"):
            index += 2 if _SUDO_WITH_VALUE.match(text) else 1
        else:
            return index
    return None


def _program(name: str) -> str:
    return "python" if _PYTHON.match(name) else name
