"""Partitions: which of them this coordinator holds, by leases, in fair shares.

Every coordinator announces itself by a lease of its own name. Each takes free partitions up to its
share (partitions divided by coordinators, rounded up) and gives up what it holds beyond, so that a
newcomer gets its part. A coordinator that does not renew loses its leases after their time to live,
and the others take them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from shared.contracts import subjects
from shared.ports.leases import Leases

log = structlog.get_logger()

RENEW_S: Final = 1.5
SETTLE_S: Final = 0.3
"""Time between rounds while partitions are free."""
MEMBER: Final = subjects.MEMBER_LEASE
PARTITION: Final = subjects.PARTITION_LEASE

OnChange = Callable[[int], Awaitable[None]]


class PartitionKeeper:
    """Acquires, renews and releases leases; tells the coordinator what to open and close.

    Leases are renewed side by side and partitions opened beside that: while servers elect leaders
    each may take seconds, and in a row they would outlast a lease.
    """

    def __init__(
        self,
        leases: Leases,
        owner: str,
        *,
        on_gained: OnChange,
        on_lost: OnChange,
        partitions: int = subjects.PARTITIONS,
    ) -> None:
        self._leases = leases
        self._owner = subjects.token(owner)
        self._on_gained = on_gained
        self._on_lost = on_lost
        self._partitions = partitions
        self._task: asyncio.Task[None] | None = None
        self._reopen: set[int] = set()
        self._openings: dict[int, asyncio.Task[None]] = {}
        self._settled = False
        self._hurry = asyncio.Event()
        self.held: set[int] = set()

    async def start(self) -> None:
        """Begin; a first round is done when this returns, however long the leases are away."""
        while not await self._reached():  # noqa: ASYNC110 - the server is what is asked
            await asyncio.sleep(SETTLE_S)
        if self._openings:
            await asyncio.wait(self._openings.values())
        self._task = asyncio.create_task(self._rounds())

    async def close(self) -> None:
        """Give every lease up at once."""
        if self._task is not None:
            self._task.cancel()
        for opening in self._openings.values():
            opening.cancel()
        for partition in sorted(self.held):
            await self._leases.release(f"{PARTITION}{partition}")
        await self._leases.release(MEMBER + self._owner)
        self.held.clear()

    def reader_lost(self, partition: int) -> None:
        """The journal's reader was cut off: open it again if the lease is still ours."""
        if partition in self.held:
            self._reopen.add(partition)
            self._hurry.set()

    async def _rounds(self) -> None:
        while True:
            await self._pause()
            try:
                await self._reached()
            except Exception:
                log.exception("leases: round failed")

    async def _reached(self) -> bool:
        """One round; whether the leases answered."""
        try:
            await self._round()
        except (TimeoutError, OSError) as error:
            log.info("leases not reached", error=str(error) or type(error).__name__)
            return False
        return True

    async def _pause(self) -> None:
        """Until the next round is due, or a partition must be opened again."""
        if not self._settled:
            await asyncio.sleep(SETTLE_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RENEW_S):
                await self._hurry.wait()
        self._hurry.clear()

    async def _round(self) -> None:
        member = MEMBER + self._owner
        if not await self._leases.renew(member, self._owner):
            await self._leases.acquire(member, self._owner)
        await self._each(self._renew, sorted(self.held))
        holders = await self._leases.holders()
        members = {name for name in holders if name.startswith(MEMBER)} | {member}
        share = math.ceil(self._partitions / len(members))
        await self._give_up_beyond(share)
        free = [p for p in range(self._partitions) if f"{PARTITION}{p}" not in holders]
        await self._each(self._gain, free[: max(0, share - len(self.held))])
        self._settled = not free and not self._reopen

    async def _each(self, act: OnChange, partitions: Sequence[int]) -> None:
        """Side by side; raises the first error once all are done."""
        done = await asyncio.gather(*map(act, partitions), return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error

    async def _renew(self, partition: int) -> None:
        if not await self._leases.renew(f"{PARTITION}{partition}", self._owner):
            log.warning("partition lost", partition=partition)
            await self._drop(partition)
        elif partition in self._reopen:
            self._begin_opening(partition)

    async def _give_up_beyond(self, share: int) -> None:
        for partition in sorted(self.held, reverse=True)[: max(0, len(self.held) - share)]:
            await self._drop(partition)
            await self._leases.release(f"{PARTITION}{partition}")

    async def _gain(self, partition: int) -> None:
        if await self._leases.acquire(f"{PARTITION}{partition}", self._owner):
            self.held.add(partition)
            self._reopen.add(partition)  # until it is open: opening can fail
            self._begin_opening(partition)

    def _begin_opening(self, partition: int) -> None:
        if partition not in self._openings:
            opening = asyncio.create_task(self._open(partition), name=f"open-{partition}")
            self._openings[partition] = opening

    async def _open(self, partition: int) -> None:
        """Open it; where that fails, a later round tries again."""
        self._reopen.discard(partition)  # before: it may be lost again at once
        try:
            await self._on_gained(partition)
        except Exception as error:
            self._reopen.add(partition)
            words = str(error) or type(error).__name__
            log.warning("partition not opened now", partition=partition, error=words[:300])
        finally:
            self._openings.pop(partition, None)

    async def _drop(self, partition: int) -> None:
        self.held.discard(partition)
        self._reopen.discard(partition)
        opening = self._openings.pop(partition, None)
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        await self._on_lost(partition)
