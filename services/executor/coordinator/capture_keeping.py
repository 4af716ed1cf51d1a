"""Housekeeping of captures: what was kept before steps goes with its execution, or earlier.

The law:

* What was kept for an execution is removed `keep_days` after its end, and once the execution is
  deleted. Of one that has not ended nothing is removed, however old it is.
* An execution that nobody knows is one that was deleted, or one that is so new that it is not
  stored yet: only those that were made more than `UNSTORED_MS` ago are taken for deleted.
* Contents that nothing names any more are swept two days after they were put (`shared.ports
  .captures` tells why that is safe).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import structlog

from shared.contracts.archive import Archived
from shared.ports.captures import DAY_MS, CaptureError, CaptureKeeping
from shared.ports.clock import Clock
from shared.ports.store import ExecutionStore
from shared.runtime.meters import HousekeepingMeter
from shared.workflow.identity import created_ms

log = structlog.get_logger()

EVERY_MS: Final = 15 * 60_000
"""How often it is looked what is due; how full the store is, is told in every round."""
UNSTORED_MS: Final = 3_600_000
BATCH: Final = 100


class ArchiveReads(Protocol):
    """Where archived executions are found."""

    async def get(self, execution_id: str) -> Archived | None:
        """One execution whole, as far as it is archived."""
        ...


class CaptureKeeper:
    """Removes captures whose time is over."""

    def __init__(
        self,
        *,
        captures: CaptureKeeping,
        store: ExecutionStore,
        archive: ArchiveReads,
        clock: Clock,
        keep_days: float,
        meter: HousekeepingMeter,
    ) -> None:
        self._captures = captures
        self._store = store
        self._archive = archive
        self._clock = clock
        self._keep_ms = round(keep_days * DAY_MS)
        self._meter = meter
        self._due_ms = 0

    async def round(self) -> None:
        """Everything that is due now. Raises what the store of executions raises."""
        now_ms = self._clock.now_ms()
        try:
            if now_ms >= self._due_ms:
                await self._remove(now_ms)
                self._due_ms = now_ms + EVERY_MS
            await self._tell()
        except CaptureError as error:
            self._meter.errors.count("nats")
            log.warning("captures are kept for now", error=str(error))

    async def forget(self, execution_ids: Sequence[str]) -> None:
        """These executions are deleted."""
        try:
            for execution_id in execution_ids:
                await self._forget(execution_id)
        except CaptureError as error:  # a later round takes them for deleted
            log.info("captures of deleted executions go later", error=str(error))

    async def _remove(self, now_ms: int) -> None:
        old = [
            execution_id
            for execution_id in sorted(await self._captures.executions())
            if (created_ms(execution_id) or 0) < now_ms - max(self._keep_ms, UNSTORED_MS)
        ]
        for batch in _batches(old):
            for execution_id in await self._due(batch, now_ms):
                await self._forget(execution_id)
        swept = await self._captures.sweep(now_ms)
        if swept.blobs:
            log.info("contents of captures swept", blobs=swept.blobs, bytes=swept.bytes)

    async def _due(self, execution_ids: Sequence[str], now_ms: int) -> list[str]:
        """Those that ended long enough ago, and those that are not there any more."""
        loaded = await self._store.load(execution_ids)
        due = []
        for execution_id in execution_ids:
            if execution_id in loaded.unreadable:
                continue
            stored = loaded.states.get(execution_id)
            if stored is None:
                archived = await self._archive.get(execution_id)
                stored = archived.stored if archived is not None else None
            state = stored.state if stored is not None else None
            if state is None or (state.ended and state.ended_at_ms <= now_ms - self._keep_ms):
                due.append(execution_id)
        return due

    async def _forget(self, execution_id: str) -> None:
        self._meter.captures_forgotten.inc(await self._captures.forget(execution_id))

    async def _tell(self) -> None:
        usage = await self._captures.usage()
        self._meter.captures("manifests", usage.manifest_bytes, usage.manifest_limit_bytes)
        self._meter.captures("contents", usage.blob_bytes, usage.blob_limit_bytes)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
