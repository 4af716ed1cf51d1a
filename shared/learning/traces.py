"""Recorded commands as lines of JSON: the format that `hv eval commands` reads.

An object a line: `user` and `command` (strings), and where known `session`, `ts` (ISO 8601 or a
number), `host`, `osuser`, `cwd` (before the command), `shell` (strings), `exit` (an integer: how
this command ended) and `ml` (true: the command had more lines). Other fields are ignored; null is
unknown.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.learning.history import Recorded, Situation


class TraceError(ValueError):
    """A line that is no recorded command; the message says why."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A recorded command and when it was typed, in seconds since 1970 (None: unknown)."""

    recorded: Recorded
    at: float | None


def parse_row(line: str | bytes) -> TraceRow:
    """The command on one line of a trace; raises TraceError."""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise TraceError("must be an object")
    user, command = _text(value, "user"), _text(value, "command")
    if not user:
        raise TraceError('"user" is missing')
    if not command.strip():
        raise TraceError('"command" is missing or blank')
    situation = Situation(
        user, *(_text(value, each) for each in ("session", "cwd", "host", "osuser", "shell"))
    )
    return TraceRow(Recorded(situation, command, _exit(value), _flag(value)), _seconds(value))


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if text is not None and not isinstance(text, str):
        raise TraceError(f'"{name}" must be a string')
    return text or ""


def _exit(value: dict[str, Any]) -> int | None:
    code = value.get("exit")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int)):
        raise TraceError('"exit" must be an integer')
    return code


def _flag(value: dict[str, Any]) -> bool:
    flag = value.get("ml")
    if flag is not None and not isinstance(flag, bool):
        raise TraceError('"ml" must be true or false')
    return bool(flag)


def _seconds(value: dict[str, Any]) -> float | None:
    at = value.get("ts")
    if at is None or (isinstance(at, int | float) and not isinstance(at, bool)):
        return at
    try:
        parsed = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        raise TraceError('"ts" must be a time in ISO 8601 or a number of seconds') from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
