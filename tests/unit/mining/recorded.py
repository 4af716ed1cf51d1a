"""Recorded commands for tests, written as short as they can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.commands.registry import BUILTIN, CommandRegistry
from shared.learning.records import RecordedCommand

REGISTRY = CommandRegistry(BUILTIN)
START_MS = 1_767_600_000_000


def session(
    user: str,
    name: str,
    lines: Iterable[str | tuple[str, int]],
    *,
    at_s: float = 0.0,
    every_s: float = 10.0,
    took_s: float = 1.0,
    cwd: str = "/srv/work",
    host: str = "ops1",
) -> list[RecordedCommand]:
    """The lines of a session; one may come with its exit code."""
    found = []
    for number, line in enumerate(lines):
        text, code = (line, 0) if isinstance(line, str) else line
        found.append(
            RecordedCommand(
                id=f"{user}-{name}-{number}",
                at_ms=START_MS + int(1_000 * (at_s + number * every_s)),
                user=user,
                command=text,
                session=f"{user}-{name}",
                cwd=cwd,
                host=host,
                exit=code,
                duration_ms=int(1_000 * took_s),
            )
        )
    return found


def many(
    users: Sequence[str], each: int, lines: Sequence[str], values: Mapping[str, Sequence[str]]
) -> list[RecordedCommand]:
    """Each user runs the lines so often, each time with the next of the values in their places."""
    found, run = [], 0
    for number in range(each):
        for user in users:
            filled = {name: pool[run % len(pool)] for name, pool in values.items()}
            text = [line.format(**filled) for line in lines]
            found += session(user, str(number), text, at_s=run * 7_200)
            run += 1
    return found
