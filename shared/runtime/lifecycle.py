"""Starting and stopping a service process: one story for all of them.

A service is one coroutine that is given a `stop` event. SIGTERM and SIGINT set it; the service then
stops taking work, finishes or hands back what is in hand, and returns. A second signal is obeyed
at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

log = structlog.get_logger()

COLLECT_AFTER: Final = (50_000, 20, 20)
"""New objects before the youngest generation is searched; searches of one before the next one."""

Service = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def run_service(service: Service) -> None:
    """Run a service on uvloop (where there is one) until it returns; logs how it ended.

    Raises `SystemExit(1)` after an error, with the reason in the log.
    """
    collect_seldom()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_stopped(service))


async def _until_stopped(service: Service) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, number, stop, task)
    try:
        await service(stop)
    except asyncio.CancelledError:
        log.warning("stopped at once by a second signal")
        raise SystemExit(1) from None
    except Exception as error:
        log.exception("service ended by an error", error=type(error).__name__)
        raise SystemExit(1) from error
    log.info("stopped")


def collect_seldom() -> None:
    """Let the cycle collector look at what was loaded never again, and at the rest seldom.

    Services keep many small objects for long (states, programs, queues) and make few cycles: with
    the interpreter's own thresholds an eighth of an executor's time was spent looking for them.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _on_signal(number: int, stop: asyncio.Event, task: asyncio.Task[Any] | None) -> None:
    if stop.is_set() and task is not None:
        task.cancel()
        return
    log.info("stopping", signal=signal.Signals(number).name)
    stop.set()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def until_stopped(stop: asyncio.Event, loops: Sequence[asyncio.Task[None]]) -> None:
    """Wait for `stop`; raises at once what one of the loops raised. A service must not live on as
    a shell that holds leases and answers health checks while its work has died."""
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({waiting, *loops}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in done - {waiting}:
        task.result()
        raise RuntimeError(f"{task.get_name()} ended by itself")


async def done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`, such as waiting for what others make; false when told to stop meanwhile. Raises
    what the work raises."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if working in done:
        working.result()
    return working in done


async def close_all(*closers: Callable[[], Awaitable[None]]) -> None:
    """Call each, in order, whatever the ones before raised; log what went wrong."""
    for close in closers:
        try:
            await close()
        except Exception as error:
            log.warning("did not close cleanly", part=repr(close), error=str(error))
