"""Housekeeping: ended executions move to the archive, and out of it, each when its template says.

One coordinator keeps house at a time, by a lease; when it dies another one takes over, and finishes
what it left. Two that both believe to hold the lease do no harm: every move may be done again.

It works in small batches and rests four times as long as each took, so that it never takes more
than a fifth of the store's time from those who run workflows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from services.executor.coordinator.capture_keeping import CaptureKeeper
from shared.ports.archive import Archiving
from shared.ports.clock import Clock
from shared.ports.quarantine import Quarantine
from shared.ports.templates import StoredTemplate
from shared.runtime.meters import HousekeepingMeter
from shared.workflow.definition import Retention

log = structlog.get_logger()

LEASE: Final = "housekeeping"
BATCH: Final = 200
REST: Final = 4.0
MOST_BATCHES: Final = 1_000
"""Batches of one template in one round: others wait."""
DAY_MS: Final = 86_400_000
RESOLVED_DAYS: Final = 30
"""Quarantined messages are kept so long after they were resolved."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds where a template does not say otherwise. `settle_s`: nothing moves earlier;
    `every_s`: how often it is looked what is due."""

    keep_days: float = 30
    keep_last: int = 100_000
    archive_days: float = 365
    settle_s: float = 600
    batch: int = BATCH
    every_s: float = 60.0

    def of(self, retention: Retention | None) -> Rules:
        """The rules of a template."""
        own = retention or Retention()
        keep = self.keep_days if own.keep_days is None else own.keep_days
        archive = self.archive_days if own.archive_days is None else own.archive_days
        last = self.keep_last if own.keep_last is None else own.keep_last
        return replace(self, keep_days=keep, keep_last=last, archive_days=max(keep, archive))


class Templates(Protocol):
    """Where the newest version of a template is found."""

    async def find(self, template_id: str, version: str | None = None) -> StoredTemplate | None:
        """The newest version, or `None`."""
        ...


class Housekeeper:
    """Keeps house while that is its work."""

    def __init__(
        self,
        *,
        archiving: Archiving,
        quarantine: Quarantine,
        captures: CaptureKeeper,
        templates: Templates,
        clock: Clock,
        rules: Rules,
        meter: HousekeepingMeter,
        mine: Callable[[], bool],
    ) -> None:
        """`mine` tells whether it is this one's work at the moment."""
        self._archiving = archiving
        self._quarantine = quarantine
        self._captures = captures
        self._templates = templates
        self._clock = clock
        self._rules = rules
        self._meter = meter
        self._mine = mine
        self._every_s = rules.every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._keep(), name="housekeeping")

    async def close(self) -> None:
        """Stop, wherever it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def round(self) -> None:
        """Everything that is due now; raises what the store raises, and leaves the rest."""
        while ids := await self._archiving.unfinished(self._rules.batch):
            await self._gently(self._archiving.finish, ids)
        for template_id in await self._archiving.templates():
            stored = await self._templates.find(template_id)
            retention = stored.template.policies.retention if stored is not None else None
            await self._of_template(template_id, self._rules.of(retention))
        before_ms = self._clock.now_ms() - RESOLVED_DAYS * DAY_MS
        await self._quarantine.forget(before_ms, self._rules.batch)
        await self._captures.round()
        self._meter.round(await self._archiving.count(), self._clock.now_ms())

    async def _of_template(self, template_id: str, rules: Rules) -> None:
        now_ms = self._clock.now_ms()
        settled_ms = now_ms - round(rules.settle_s * 1000)
        keep_ms = now_ms - round(rules.keep_days * DAY_MS)

        async def due() -> Sequence[str]:
            return await self._archiving.due(
                template_id,
                ended_before_ms=min(keep_ms, settled_ms),
                keep_last=rules.keep_last,
                settled_ms=settled_ms,
                limit=self._rules.batch,
            )

        async def expired() -> Sequence[str]:
            old_ms = now_ms - round(rules.archive_days * DAY_MS)
            return await self._archiving.expired(template_id, old_ms, self._rules.batch)

        await self._batches(due, self._move)
        await self._batches(expired, self._delete)

    async def _batches(
        self,
        find: Callable[[], Awaitable[Sequence[str]]],
        act: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        """Batch after batch; the same one again means that it cannot be moved now."""
        before: Sequence[str] = ()
        for _ in range(MOST_BATCHES):
            found = await find()
            if not found or list(found) == list(before):
                return
            await self._gently(act, found)
            before = found

    async def _move(self, ids: Sequence[str]) -> None:
        copied = await self._archiving.copy(ids, self._clock.now_ms())
        await self._archiving.finish(copied)
        self._meter.archived.inc(len(copied))

    async def _delete(self, ids: Sequence[str]) -> None:
        self._meter.deleted.inc(await self._archiving.delete(ids))
        await self._captures.forget(ids)

    async def _gently(
        self, act: Callable[[Sequence[str]], Awaitable[None]], ids: Sequence[str]
    ) -> None:
        """Do it, and rest. Raises `LeaseLostError` when it is another one's work by now."""
        if not self._mine():
            raise LeaseLostError
        loop = asyncio.get_running_loop()
        began = loop.time()
        await act(ids)
        await asyncio.sleep(min(REST * (loop.time() - began), self._every_s))

    async def _keep(self) -> None:
        while True:
            if self._mine():
                await self._one_round()
            else:
                self._meter.elsewhere()
            await asyncio.sleep(self._every_s)

    async def _one_round(self) -> None:
        try:
            await self.round()
        except LeaseLostError:
            log.info("housekeeping is another one's now")
        except Exception as error:
            self._meter.errors.count("mongo")
            log.warning("housekeeping goes on later", error=str(error) or type(error).__name__)


class LeaseLostError(Exception):
    """Another coordinator keeps house."""
