"""What coordinators decide about this agent's claims, handed to the tasks that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.executor.runner.identity import Key, key_of
from shared.contracts.claims import ClaimDecision


class Decisions:
    """Hands each decision to the task that waits for it."""

    def __init__(self) -> None:
        self._awaited: dict[Key, asyncio.Future[ClaimDecision]] = {}

    def take(self, decision: ClaimDecision) -> None:
        """A decision has come; one that nobody waits for is of an earlier time."""
        awaited = self._awaited.get(key_of(decision))
        if awaited is not None and not awaited.done():
            awaited.set_result(decision)

    @contextmanager
    def awaited(self, key: Key) -> Iterator[asyncio.Future[ClaimDecision]]:
        """Wait for the decision about a claim that is about to be stated."""
        future: asyncio.Future[ClaimDecision] = asyncio.get_running_loop().create_future()
        self._awaited[key] = future
        try:
            yield future
        finally:
            self._awaited.pop(key, None)
