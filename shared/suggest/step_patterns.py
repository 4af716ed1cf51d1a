"""The steps of templates as patterns of command lines, by which recorded commands are known again.

The law:

* A `shell` step is its program and arguments, or the lines of its script; any other step is its
  command's name, with `name=value` for what is given to it.
* What a template takes from a parameter alone (`${{ params.host }}`, or a variable of the script
  that is one) gives that parameter's value; any other expression may be anything.
* A line is compared token by token, after leading `cd X &&`, variables and `sudo` are left out.
* What has no program that is written out (it is an expression) is not known again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.learning.command_text import name_of
from shared.workflow.definition import Step, Template

MOST_TOKENS: Final = 100
LONGEST_TOKEN: Final = 500

_EXPRESSION: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_PARAMETER: Final = re.compile(r"^\s*(?:params|parameters)\.([a-z][a-z0-9_]*)\s*$")
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_HOLE: Final = re.compile("\x00([^\x00]*)\x00")


@dataclass(frozen=True)
class TokenPattern:
    """One token: written out, or with holes for parameters and for anything."""

    literal: str
    regex: re.Pattern[str] | None
    names: tuple[str, ...]
    source: str
    """With its holes, for writing it out again."""

    def values(self, token: str) -> Mapping[str, str] | None:
        """The parameters' values where `token` fits, else None."""
        if self.regex is None:
            return {} if token == self.literal else None
        found = self.regex.fullmatch(token[:LONGEST_TOKEN])
        if found is None:
            return None
        return {name: found.group(f"p_{name}") for name in self.names}


@dataclass(frozen=True)
class LinePattern:
    """One line of a step. Tokens of a named command may come in any order, and may lack."""

    step: str
    tokens: tuple[TokenPattern, ...]
    is_named: bool

    @property
    def first(self) -> str:
        """The program, or the command's name."""
        return self.tokens[0].literal

    @property
    def weight(self) -> int:
        """How many tokens are written out, the program not counted: how telling it is."""
        return sum(1 for token in self.tokens[1:] if token.regex is None)

    def values(self, tokens: list[str]) -> dict[str, str] | None:
        """The parameters' values where a line's tokens fit, else None."""
        if self.is_named:
            return self._named_values(tokens)
        if len(tokens) != len(self.tokens):
            return None
        found: dict[str, str] = {}
        for pattern, token in zip(self.tokens, tokens, strict=True):
            values = pattern.values(token)
            if values is None or any(found.get(n, v) != v for n, v in values.items()):
                return None
            found.update(values)
        return found

    def _named_values(self, tokens: list[str]) -> dict[str, str] | None:
        if tokens[0] != self.first:
            return None
        found: dict[str, str] = {}
        for pattern in self.tokens[1:]:
            for token in tokens[1:]:
                found.update(pattern.values(token) or {})
        return found

    def line(self, values: Mapping[str, str]) -> str:
        """The line with its values; empty where one is not known."""
        written = []
        for token in self.tokens:
            text = _filled(token.source, values)
            if text is None:
                return ""
            written.append(shlex.quote(text))
        return " ".join(written)


def patterns_of(template: Template) -> tuple[LinePattern, ...]:
    """The patterns of the main steps that can be known again, in their order."""
    found = []
    for step in template.steps:
        for tokens in _lines_of(step):
            if tokens and tokens[0] and "\x00" not in tokens[0] and len(tokens) <= MOST_TOKENS:
                parts = tuple(_token(token) for token in tokens)
                found.append(LinePattern(step.id, parts, step.command != "shell"))
    return tuple(found)


def tokens_of_line(line: str) -> list[str]:
    """The tokens of a command line from its name on; those of what cannot be read are split at
    blanks."""
    name = name_of(line)
    rest = line[line.find(name) :] if name else line
    try:
        return shlex.split(rest)[:MOST_TOKENS]
    except ValueError:
        return rest.split()[:MOST_TOKENS]


def _lines_of(step: Step) -> Iterable[list[str]]:
    """The tokens of each line of a step, with holes: between two NULs the name of a parameter, or
    nothing."""
    if not step.command:
        return
    if step.command != "shell":
        given = [f"{n}={_holes(v)}" for n, v in step.parameters.items() if isinstance(v, str)]
        yield [step.command, *given]
        return
    argv, script = step.parameters.get("argv"), step.parameters.get("script")
    if isinstance(argv, list):
        yield [_holes(str(one)) for one in argv]
    elif isinstance(script, str):
        yield from _of_script(script, step.parameters.get("env"))


def _of_script(script: str, env: Any) -> Iterable[list[str]]:
    """Its first line that does something: what is typed by hand begins so."""
    given = {n: _holes(str(v)) for n, v in env.items()} if isinstance(env, dict) else {}
    for raw in script.splitlines():
        line = raw.strip()
        if not line or line.startswith(("#", "set ")):
            continue
        text = _VARIABLE.sub(lambda m: given.get(m[1] or m[2], m[0]), _holes(line))
        try:
            yield shlex.split(text)
        except ValueError:
            yield []
        return


def _holes(text: str) -> str:
    return _EXPRESSION.sub(_hole, text)


def _hole(found: re.Match[str]) -> str:
    parameter = _PARAMETER.match(found[1])
    return f"\x00{parameter[1] if parameter else ''}\x00"


def _token(source: str) -> TokenPattern:
    parts = _HOLE.split(source)
    if len(parts) == 1:
        return TokenPattern(source, None, (), source)
    names: list[str] = []
    regex = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            regex += re.escape(part)
        elif not part:
            regex += ".*"
        elif part in names:
            regex += f"(?P=p_{part})"
        else:
            names.append(part)
            regex += f"(?P<p_{part}>.+)"
    return TokenPattern("", re.compile(regex, re.DOTALL), tuple(names), source)


def _filled(source: str, values: Mapping[str, str]) -> str | None:
    parts = _HOLE.split(source)
    for index in range(1, len(parts), 2):
        value = values.get(parts[index])
        if value is None:
            return None
        parts[index] = value
    return "".join(parts)
