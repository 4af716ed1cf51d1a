"""The task queues as a server holds them: each task is with one runner, until acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from shared.memory.clock import Alarm, ManualClock
from shared.memory.message_ids import MessageIds


@dataclass(slots=True, eq=False)
class QueuedTask:
    """A task in a queue. `alarm` is set while a runner has it, or while it waits after it was
    handed back with a delay."""

    pool: str
    execution_id: str
    payload: bytes
    resent: bool
    queued_at_ms: int
    message_id: str = ""
    deliveries: int = 0
    alarm: Alarm | None = None


class TaskQueue:
    """All pools. Whoever `watch`es is called when there may be something to take."""

    def __init__(self, clock: ManualClock, ack_wait_ms: int, duplicates_ms: int) -> None:
        self._clock = clock
        self._ack_wait_ms = ack_wait_ms
        self._ids = MessageIds(clock, duplicates_ms)
        self._tasks: list[QueuedTask] = []
        self._watchers: list[Callable[[], None]] = []

    def __len__(self) -> int:
        """Tasks that are not acknowledged."""
        return len(self._tasks)

    def watch(self, on_news: Callable[[], None]) -> None:
        """Call `on_news` from now on."""
        self._watchers.append(on_news)

    def unwatch(self, on_news: Callable[[], None]) -> None:
        """No more."""
        self._watchers.remove(on_news)

    def put(
        self, pool: str, execution_id: str, payload: bytes, message_id: str, *, resent: bool
    ) -> None:
        """Queue a task, unless its id is known. Bytes are not looked at."""
        if self._ids.is_new(message_id):
            now = self._clock.now_ms()
            self._tasks.append(QueuedTask(pool, execution_id, payload, resent, now, message_id))
            self._news()

    def take(self, pools: Collection[str], limit: int) -> list[QueuedTask]:
        """Give the oldest free tasks of these pools to a runner."""
        free = (t for t in self._tasks if t.alarm is None and t.pool in pools)
        taken = [task for task, _ in zip(free, range(limit), strict=False)]
        for task in taken:
            task.deliveries += 1
            self._free_after(task, self._ack_wait_ms)
        return taken

    def pools(self) -> list[str]:
        """The pools that hold tasks."""
        return sorted({task.pool for task in self._tasks})

    def acknowledge(self, task: QueuedTask) -> None:
        """It is done with, whoever says so."""
        self._stop_alarm(task)
        if task in self._tasks:
            self._tasks.remove(task)

    def in_progress(self, task: QueuedTask) -> None:
        """Whoever has it keeps it."""
        if task.alarm is not None:
            self._free_after(task, self._ack_wait_ms)

    def hand_back(self, task: QueuedTask, delivery: int, delay_ms: int) -> None:
        """Give it to another runner, unless another has it already."""
        if task.deliveries != delivery or task.alarm is None:
            return
        if delay_ms:
            self._free_after(task, delay_ms)
        else:
            self._stop_alarm(task)
            self._news()

    def forget(self, execution_id: str, prefix: str = "") -> None:
        """Remove the tasks of an execution whose message ids begin so, also those that a runner
        has."""
        for task in [t for t in self._tasks if t.execution_id == execution_id]:
            if task.message_id.startswith(prefix):
                self.acknowledge(task)

    def _free_after(self, task: QueuedTask, ms: int) -> None:
        self._stop_alarm(task)
        task.alarm = self._clock.call_at(self._clock.now_ms() + ms, lambda: self._free(task))

    def _free(self, task: QueuedTask) -> None:
        task.alarm = None
        self._news()

    def _stop_alarm(self, task: QueuedTask) -> None:
        if task.alarm is not None:
            task.alarm.cancel()
            task.alarm = None

    def _news(self) -> None:
        for on_news in self._watchers:
            on_news()
