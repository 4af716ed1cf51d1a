"""Effects in memory: collected, and carried out one after the other at `commit`."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from shared.contracts.claims import ClaimDecision
from shared.contracts.publishing import WireEvent
from shared.contracts.tasks import StopOrder, Task
from shared.memory.bus import MemoryBus
from shared.memory.faults import Action, OutageError
from shared.ports.journal import TimerOrder
from shared.workflow.messages import Message

_BEST_EFFORT: Final = frozenset({Action.CLEAR_TIMER, Action.STOP, Action.DECIDED, Action.FORGET})
"""Effects that are not tried again: what they leave behind is ignored by the engine."""


@dataclass(frozen=True, slots=True)
class _Effect:
    action: Action
    subject: str
    carry_out: Callable[[], Awaitable[None] | None]


class MemoryEffects:
    """Collects effects for one coordinator."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._collected: list[_Effect] = []
        self._last: asyncio.Task[None] | None = None

    def task(self, pool: str, task: Task, *, again: bool) -> None:
        """Offer a task to a pool of agents."""
        payload = task.model_dump_json(exclude_defaults=True).encode()
        name = f"t.{task.offer_id}"
        self._collect(
            Action.TASK,
            task.execution_id,
            lambda: self._bus.tasks.put(pool, task.execution_id, payload, name, resent=again),
        )

    def event(self, event: WireEvent) -> None:
        """Publish a fact."""
        self._collect(Action.EVENT, event.about, lambda: self._bus.events.publish(event.read()))

    def timer(self, order: TimerOrder) -> None:
        """Set a durable timer."""
        setting = f"{order.due_ms}.{zlib.crc32(order.payload)}"
        name = f"timer.{order.execution_id}.{order.name}.{setting}"
        self._collect(
            Action.TIMER, order.execution_id, lambda: self._bus.journal.set_timer(order, name)
        )

    def clear_timer(self, execution_id: str, name: str) -> None:
        """Forget a timer, as far as it has not fired."""
        self._collect(
            Action.CLEAR_TIMER,
            execution_id,
            lambda: self._bus.journal.clear_timer(execution_id, name),
        )

    def append(self, execution_id: str, message: Message, message_id: str) -> None:
        """State a fact in the journal."""
        payload = message.model_dump_json().encode()
        self._collect(
            Action.APPEND, execution_id, lambda: self._append(execution_id, payload, message_id)
        )

    def stop(self, order: StopOrder) -> None:
        """Tell the agents to stop an attempt."""
        self._collect(Action.STOP, order.execution_id, lambda: self._tell(order))

    def decided(self, decision: ClaimDecision) -> None:
        """Tell an agent what became of its claim."""
        self._collect(Action.DECIDED, decision.execution_id, lambda: self._hear(decision))

    def withdraw(self, execution_id: str, step: str) -> None:
        """Remove a step's tasks from the queues."""
        prefix = f"t.{execution_id}.{step}."
        self._collect(
            Action.FORGET, execution_id, lambda: self._bus.tasks.forget(execution_id, prefix)
        )

    def forget(self, execution_id: str, *, timers: bool, tasks: bool) -> None:
        """Remove what is left of an ended execution."""
        if timers:
            self._collect(
                Action.FORGET, execution_id, lambda: self._bus.journal.clear_timers(execution_id)
            )
        if tasks:
            self._collect(Action.FORGET, execution_id, lambda: self._bus.tasks.forget(execution_id))

    def commit(self) -> Awaitable[None]:
        """Carry out what was collected, after what earlier commits collected; decisions last."""
        collected = sorted(self._collected, key=lambda effect: effect.action is Action.DECIDED)
        self._collected = []
        self._last = asyncio.ensure_future(self._carry_out(self._last, collected))
        return self._last

    async def _carry_out(self, earlier: asyncio.Task[None] | None, effects: list[_Effect]) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        for effect in effects:
            while not await self._carried_out(effect):  # noqa: ASYNC110 - tried again, not polled
                await asyncio.sleep(0)

    async def _carried_out(self, effect: _Effect) -> bool:
        try:
            await self._bus.faults.before(effect.action, effect.subject)
            done = effect.carry_out()
            if done is not None:
                await done
            await self._bus.faults.after(effect.action, effect.subject)
        except OutageError:
            return effect.action in _BEST_EFFORT
        return True

    def _collect(
        self, action: Action, subject: str, carry_out: Callable[[], Awaitable[None] | None]
    ) -> None:
        self._collected.append(_Effect(action, subject, carry_out))

    def _append(self, execution_id: str, payload: bytes, message_id: str) -> None:
        self._bus.journal.append(execution_id, payload, message_id)

    def _hear(self, decision: ClaimDecision) -> None:
        handle = self._bus.listeners.decided.get(decision.agent)
        if handle is not None:
            handle(decision)

    def _tell(self, order: StopOrder) -> None:
        for handle in self._bus.listeners.stop:
            handle(order)
