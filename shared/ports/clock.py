"""Time and ids for the edges; the core gets both with its messages."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall-clock time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...


class Ids(Protocol):
    """Makes ids."""

    def execution_id(self) -> str:
        """A new execution id: `ex_` and 26 characters that sort by time."""
        ...

    def new(self, prefix: str) -> str:
        """A new id of another kind: the prefix, `_` and 26 characters that sort by time."""
        ...
