"""The task queues: a runner's side, and the view of all pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.contracts.tasks import Task


class TaskDelivery(Protocol):
    """One task in the hands of a runner, until acknowledged.

    `task` is `None` when the payload cannot be read (`payload` says what came). `deliveries` counts
    from 1; `age_ms` is the time since the task was queued; `resent` is true when another copy of
    the task may have been queued before.
    """

    task: Task | None
    payload: bytes
    deliveries: int
    age_ms: int
    resent: bool

    async def acknowledge(self) -> None:
        """The task is done with: its report is in the journal."""
        ...

    async def in_progress(self) -> None:
        """Still working on it: do not give it to another."""
        ...

    async def hand_back(self, delay_s: float = 0) -> None:
        """Give it to another runner; nothing of it was started."""
        ...


class TaskFeed(Protocol):
    """Tasks for one agent, from every pool that it may pull from."""

    async def start(self) -> None:
        """Begin. Once more after it failed, or did not."""
        ...

    async def take(self, limit: int) -> Sequence[TaskDelivery]:
        """Wait for at least one task, then give what is there, at most `limit`."""
        ...

    async def done(self, count: int = 1) -> None:
        """So many slots are free again."""
        ...

    async def close(self) -> None:
        """Ask for no more."""
        ...


class TaskPools(Protocol):
    """All pools, as whoever looks for orphaned tasks sees them. What the server says is raised as
    `TimeoutError` or `OSError` when it is away."""

    async def occupied(self) -> Sequence[str]:
        """The pools that hold tasks, waiting or in the hands of a runner."""
        ...

    async def take(self, pool: str, limit: int) -> Sequence[TaskDelivery]:
        """Tasks of a pool that no runner has, at most `limit`; does not wait for any."""
        ...
