"""Reads the `console` blocks of a Markdown page: commands, and the output that they promise.

A line that begins with `$ ` is a command; what follows is its output. `…` stands for any text
within a line, a line that is only `…` for any number of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS = {"delegations", "executions", "show", "agents"}
_CHANGES = {"accept", "complete", "decline"}
_ANY_LINES = r"(?:.*\n)*?"


@dataclass(frozen=True)
class Example:
    """One command and the pattern of its output."""

    command: str
    expected: tuple[str, ...]

    @property
    def only_looks(self) -> bool:
        """Whether it changes nothing, so that it can be repeated."""
        words = self.command.split()
        return words[0] == "./hv" and words[1] in _LOOKS and not set(words[2:]) & _CHANGES

    def matches(self, output: str) -> bool:
        """Whether an output keeps the promise; blanks at the ends of lines do not count."""
        lines = [line.rstrip() for line in output.splitlines()]
        text = "".join(f"{line}\n" for line in lines)
        return re.fullmatch("".join(map(_pattern, self.expected)), text) is not None


def _pattern(line: str) -> str:
    if line.strip() == "…":
        return _ANY_LINES
    return re.escape(line.rstrip()).replace("…", ".*") + "\n"


def examples(page: str) -> list[Example]:
    """All commands of a page, in order."""
    found: list[Example] = []
    for block in _BLOCK.findall(page):
        command, output = "", []
        for line in [*block.splitlines(), "$ "]:
            if not line.startswith("$ "):
                output.append(line)
                continue
            if command:
                found.append(Example(command, tuple(output)))
            command, output = line[2:], []
    return found
