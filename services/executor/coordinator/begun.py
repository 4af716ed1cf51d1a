"""Executions that have only just begun, which need not be looked for in the store."""

from __future__ import annotations

from typing import Final

from shared.ports.journal import RawEntry
from shared.workflow.identity import created_ms

REQUESTED: Final = b'"execution_requested"'
FRESH_MS: Final = 60_000
"""An execution younger than this whose request is delivered first cannot be in the store: the
journal remembers the request's message id for longer, and this process the execution."""
MOST: Final = 100_000


class Begun:
    """Remembers what began a short while ago: a second request for it, under another message id,
    finds it in the store even when it has ended meanwhile."""

    def __init__(self) -> None:
        self._at_ms: dict[str, int] = {}

    def is_new(self, raw: RawEntry) -> bool:
        """True for the first request of an execution whose id was made a moment before."""
        if raw.redelivered or REQUESTED not in raw.payload[:64]:
            return False
        made_ms = created_ms(raw.execution_id)
        if made_ms is None or not 0 <= raw.at_ms - made_ms < FRESH_MS:
            return False
        known = raw.execution_id in self._at_ms
        self._at_ms.setdefault(raw.execution_id, raw.at_ms)
        self._forget(raw.at_ms)
        return not known

    def _forget(self, now_ms: int) -> None:
        while self._at_ms:
            oldest = next(iter(self._at_ms))
            if self._at_ms[oldest] + FRESH_MS >= now_ms and len(self._at_ms) <= MOST:
                return
            del self._at_ms[oldest]
