"""Where several standing pulls put what they bring, read or not, until somebody takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

M = TypeVar("M")


class Mailbox(Generic[M]):
    """Messages that nobody has taken yet, in the order in which they came."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._messages: deque[M] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    @property
    def room(self) -> int:
        """How many more messages it should hold."""
        return max(0, self._capacity - len(self._messages))

    def put(self, message: M) -> None:
        """Add a message."""
        self._messages.append(message)
        self._arrived.set()

    def wake(self) -> None:
        """Let a waiting `take` return, even with nothing."""
        self._arrived.set()

    def remove(self, unwanted: Callable[[M], bool]) -> list[M]:
        """Remove and give some of them."""
        removed = [message for message in self._messages if unwanted(message)]
        self._messages = deque(message for message in self._messages if not unwanted(message))
        return removed

    def close(self) -> list[M]:
        """From now on `take` returns at once, with nothing. Gives what nobody took."""
        self._closed = True
        self._arrived.set()
        return self.remove(lambda _message: True)

    async def take(self, limit: int) -> list[M]:
        """Wait until something is there, then take at most `limit`."""
        await self._arrived.wait()
        count = min(limit, len(self._messages))
        taken = [self._messages.popleft() for _ in range(count)]
        if not self._messages and not self._closed:
            self._arrived.clear()
        return taken
