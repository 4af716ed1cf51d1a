"""Files of shells' histories: what was typed, and when where the file tells.

| shell | a command |
|---|---|
| bash | a line; before it `#<seconds>` where HISTTIMEFORMAT was set: then up to the next one |
| zsh | a line; `: <seconds>:<duration>;<line>` with EXTENDED_HISTORY; `\\` at its end goes on |
| fish | `- cmd: <line>`, then `  when: <seconds>`; `\\n` and `\\\\` are escaped |
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

Shell = Literal["bash", "zsh", "fish"]
SHELLS: Final[tuple[Shell, ...]] = ("bash", "zsh", "fish")

_BASH_TIME: Final = re.compile(r"#(\d{9,11})")
_ZSH_HEAD: Final = re.compile(r": (\d{9,11}):(\d+);", re.DOTALL)
_FISH_ESCAPE: Final = re.compile(r"\\(.)")
_META: Final = 0x83


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of a history. `at_s` 0: the file does not tell."""

    text: str
    at_s: int = 0
    duration_s: int | None = None


def shell_of(data: bytes) -> Shell:
    """The shell that wrote a history, by its form."""
    head = data[:100_000].decode("utf-8", "replace")
    if re.search(r"(?m)^- cmd: ", head):
        return "fish"
    return "zsh" if re.search(r"(?m)^: \d{9,11}:\d+;", head) else "bash"


def typed(data: bytes, shell: Shell) -> list[Typed]:
    """The commands of a history, oldest first."""
    if shell == "zsh":
        return list(_zsh(_unmetafied(data).decode("utf-8", "replace")))
    text = data.decode("utf-8", "replace")
    return list(_fish(text) if shell == "fish" else _bash(text))


def ids_of(commands: list[Typed], shell: Shell) -> list[str]:
    """An id for each: from what was typed, when, and how often that was before. So a file that is
    imported again, after it has grown or lost its oldest lines, adds only what is new."""
    seen: Counter[tuple[str, int]] = Counter()
    ids = []
    for one in commands:
        key = (one.text, one.at_s)
        seen[key] += 1
        text = f"{shell}\n{one.at_s}\n{seen[key]}\n{one.text}"
        ids.append(f"history-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}")
    return ids


def _bash(text: str) -> Iterator[Typed]:
    """With times, a command of several lines reaches to the next time; without, each is one."""
    at_s, lines, timed = 0, list[str](), False
    for line in text.splitlines():
        match = _BASH_TIME.fullmatch(line)
        if match is None:
            if timed:
                lines.append(line)
            elif line.strip():
                yield Typed(line)
            continue
        yield from _timed(lines, at_s)
        at_s, lines, timed = int(match[1]), [], True
    yield from _timed(lines, at_s)


def _timed(lines: list[str], at_s: int) -> Iterator[Typed]:
    text = "\n".join(lines)
    if text.strip():
        yield Typed(text, at_s)


def _zsh(text: str) -> Iterator[Typed]:
    for entry in re.split(r"(?<!\\)\n", text):
        line = entry.replace("\\\n", "\n")
        match = _ZSH_HEAD.match(line)
        found = Typed(line[match.end() :], int(match[1]), int(match[2])) if match else Typed(line)
        if found.text.strip():
            yield found


def _fish(text: str) -> Iterator[Typed]:
    command, at_s = "", 0
    for line in [*text.splitlines(), "- cmd: "]:
        if line.startswith("- cmd: "):
            if command.strip():
                yield Typed(command, at_s)
            command, at_s = _FISH_ESCAPE.sub(_unescaped, line[7:]), 0
        elif line.startswith("  when: ") and line[8:].strip().isdecimal():
            at_s = int(line[8:])


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _unmetafied(data: bytes) -> bytes:
    """zsh writes some bytes as 0x83 and the byte with its sixth bit turned."""
    plain, after_meta = bytearray(), False
    for byte in data:
        if after_meta:
            plain.append(byte ^ 0x20)
        elif byte != _META:
            plain.append(byte)
        after_meta = byte == _META and not after_meta
    return bytes(plain)
