"""What can be read off the bus from outside: for metrics and `hv status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StreamSize:
    """How much a stream holds."""

    name: str
    messages: int
    size_bytes: int


class BusSamples(Protocol):
    """Sizes as of now. Each call raises `TimeoutError` or `OSError` when the server is away."""

    async def streams(self) -> Sequence[StreamSize]:
        """Every stream of the system."""
        ...

    async def queues(self) -> Mapping[str, int]:
        """Tasks that wait for a runner, by kind of pool (`any`, `cap`, `host`)."""
        ...

    async def in_journal(self, execution_id: str) -> bool:
        """Whether the journal holds anything about an execution, applied or not."""
        ...

    async def lag(self, partition: int) -> int:
        """Entries of a partition that its coordinator has not acknowledged; 0 if none reads it."""
        ...
