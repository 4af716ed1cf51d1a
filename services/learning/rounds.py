"""Something that is done again and again, and tried again where it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

import structlog

log = structlog.get_logger()


async def rounds(
    one: Callable[[], Awaitable[object]],
    every_s: float,
    *,
    waits: str,
    again_s: float,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
    failed: Callable[[], None] = lambda: None,
) -> None:
    """Do one every so many seconds, for ever. Where one fails, `waits` is logged with the error,
    and the next comes after `again_s`; `around` is entered for each, `failed` called before that.
    """
    while True:
        try:
            with around():
                await one()
            await asyncio.sleep(every_s)
        except Exception as error:
            failed()
            log.warning(waits, error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(again_s)
