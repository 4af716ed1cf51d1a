"""Effects: what the coordinator does to the world after it decided."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from shared.contracts.claims import ClaimDecision
from shared.contracts.publishing import WireEvent
from shared.contracts.tasks import StopOrder, Task
from shared.ports.journal import TimerOrder
from shared.workflow.messages import Message


class Effects(Protocol):
    """Collects effects without waiting; `commit` sends them.

    Each carries a deterministic id, so that sending it again after a crash changes nothing.
    """

    def task(self, pool: str, task: Task, *, again: bool) -> None:
        """Offer a task to a pool of agents. `again`: it may have been offered before a crash."""
        ...

    def event(self, event: WireEvent) -> None:
        """Publish a fact."""
        ...

    def timer(self, order: TimerOrder) -> None:
        """Set a durable timer, replacing one of the same execution and name."""
        ...

    def clear_timer(self, execution_id: str, name: str) -> None:
        """Forget a timer, as far as it has not fired."""
        ...

    def append(self, execution_id: str, message: Message, message_id: str) -> None:
        """State a fact in the journal, for example that no agent fits."""
        ...

    def stop(self, order: StopOrder) -> None:
        """Tell the agents to stop an attempt (best effort; the engine repeats it)."""
        ...

    def decided(self, decision: ClaimDecision) -> None:
        """Tell an agent what became of its claim, after the orders to stop (best effort; an agent
        that hears nothing asks)."""
        ...

    def withdraw(self, execution_id: str, step: str) -> None:
        """Remove a step's tasks from the queues, as far as no runner has them."""
        ...

    def forget(self, execution_id: str, *, timers: bool, tasks: bool) -> None:
        """Remove what is left of an ended execution: its timers, its tasks in the queues."""
        ...

    def commit(self) -> Awaitable[None]:
        """Send what was collected since the last commit; done when all of it is durable.

        Sending starts at once; it is tried again until it succeeds.
        """
        ...
