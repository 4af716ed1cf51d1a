"""Processes within one event loop: each task belongs to one, and dies with it.

A process that is killed does nothing any more: its tasks are cancelled, and whatever they still try
on their way out never reaches a server. One that is cut off hears and reaches nobody for a while;
one that stands still goes on later as if nothing had happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar

T = TypeVar("T")

_CURRENT: Final[ContextVar[Process | None]] = ContextVar("process", default=None)


class Process:
    """What lives and dies together."""

    def __init__(self, name: str, *, crashes: bool = True) -> None:
        self.name = name
        self.crashes = crashes
        self.is_alive = True
        self.cut_until = 0.0
        self.still_until = 0.0
        self.died = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something as this process."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def kill(self) -> None:
        """End at once, midway in whatever it does."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.died.set()
        for task in sorted(self._tasks, key=lambda task: task.get_name()):
            task.cancel()

    def own(self, task: asyncio.Task[Any]) -> None:
        """A task of this process began."""
        if not self.is_alive:
            task.cancel()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def is_cut(self) -> bool:
        """Whether it reaches nobody now."""
        return asyncio.get_running_loop().time() < self.cut_until

    @property
    def hears(self) -> bool:
        """Whether what is sent to it now arrives."""
        return self.is_alive and not self.is_cut

    async def stands(self) -> None:
        """Wait while the process stands still; for ever if it is dead."""
        if not self.is_alive:
            await asyncio.Event().wait()
        left_s = self.still_until - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def connected(self) -> None:
        """Wait until it stands and is connected."""
        await self.stands()
        left_s = self.cut_until - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)
            await self.connected()


def current() -> Process | None:
    """The process that is at work; none outside of all processes."""
    return _CURRENT.get()


def owning_tasks(
    loop: asyncio.AbstractEventLoop,
    work: Any,
    context: Context | None = None,
    **named: Any,
) -> asyncio.Task[Any]:
    """A task factory: a task belongs to the process that begins it."""
    process = _CURRENT.get() if context is None else context.get(_CURRENT)
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context, **named)
    if process is not None:
        process.own(task)
    return task
