"""The latest commands of each session: what a suggestion starts from when none are told.

They are their user's: nobody else is shown them, and nothing is learned from them here.
"""

from __future__ import annotations

import json
from typing import Any, Final

from shared.learning.records import AnyRecord, Forget, RecordedCommand

NAME: Final = "sessions"
MOST_SESSIONS: Final = 2_000
KEPT: Final = 30
LONGEST: Final = 1_000
"""Characters of a line that are kept."""


class SessionsFold:
    """See the module."""

    name = NAME
    version = 1
    personal = True

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[str]] = {}

    def lines(self, user: str, session: str) -> tuple[str, ...]:
        """The latest commands of a session, the oldest first; none where it is not known."""
        return tuple(self._lines.get((user, session), ()))

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - a fold's signature
        """Take a command in."""
        if not isinstance(item, RecordedCommand):
            return
        key = (item.user, item.session)
        lines = self._lines.pop(key, [])
        lines.append(item.command[:LONGEST])
        self._lines[key] = lines[-KEPT:]
        if len(self._lines) > MOST_SESSIONS:
            del self._lines[next(iter(self._lines))]

    def forget(self, order: Forget) -> bool:
        """Nothing is known of the user: nothing to forget. Otherwise it must be rebuilt: sessions
        that gave way to what is forgotten would be here without it."""
        return not any(order.user in ("", user) for user, _ in self._lines)

    def save(self) -> bytes:
        """The whole state as JSON."""
        rows = [[user, session, lines] for (user, session), lines in self._lines.items()]
        return json.dumps({"sessions": rows}).encode()

    def load(self, data: bytes) -> None:
        """Be as the fold that saved `data`. Raises ValueError for anything else."""
        try:
            rows: Any = json.loads(data)["sessions"]
            self._lines = {(user, session): list(lines) for user, session, lines in rows}
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"this is no snapshot of sessions: {error!r}") from error
