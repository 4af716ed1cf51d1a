"""Workflows are looked for in what was recorded, and what was found is proposed.

The law:

1. Once in a while, and only if enough is new, the newest commands are mined anew, in a thread of
   its own, one at a time. How much is looked at is bounded; see `shared.mining.options`.
2. What is open follows what is found: a proposal that no longer holds is withdrawn. What people
   decided about stays, and is learned from.
3. After an order to forget, the user's own proposals go at once, and what is open is found anew,
   from the record without what is to be forgotten.
4. A proposal that is new and everybody's is told once. A user's own is told to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast

import structlog

from shared.commands.registry import CommandRegistry
from shared.learning.records import Forget, RecordedCommand
from shared.mining.mine import Mined, mine
from shared.mining.options import MiningOptions
from shared.mining.proposals import Proposal
from shared.mining.proposing import Earlier, Known
from shared.outcomes.views import InsightView
from shared.ports.clock import Clock
from shared.ports.proposals import ProposalStore, StoredProposal
from shared.ports.record import RecordStore
from shared.ports.templates import TemplateStore
from shared.runtime.mining_meter import MiningMeter
from shared.workflow.definition import Template

log = structlog.get_logger()

T = TypeVar("T")

CHECK_S: Final = 3.0
"""How often it is looked whether it is time."""
AGAIN_S: Final = 30.0
"""How long after a failure it is tried again."""
COUNT_MS: Final = 60_000
"""How often it is counted what people decided."""
ENOUGH: Final = 20
"""Items of the record that are new, from which mining again can tell something new."""
MOST_TEMPLATES: Final = 5_000
"""Templates that proposals are compared with."""


class Telling(Protocol):
    """Where what was learned is told."""

    async def tell(self, insight: InsightView) -> object:
        """Tell it, once."""
        ...


@dataclass(frozen=True, slots=True)
class MiningPorts:
    """What a miner reads and writes. `telling` is None where nothing is told."""

    record: RecordStore
    proposals: ProposalStore
    templates: TemplateStore
    clock: Clock
    telling: Telling | None = None


class Miner:
    """Mines every `every_s` seconds; 0: never."""

    def __init__(
        self,
        ports: MiningPorts,
        registry: CommandRegistry,
        every_s: float,
        meter: MiningMeter,
        options: MiningOptions | None = None,
    ) -> None:
        self._ports = ports
        self._registry = registry
        self._every_s = every_s
        self._meter = meter
        self._options = options or MiningOptions()
        self._first = 0
        """The place of the oldest command that was looked at last."""
        self._last = 0
        """The last place that was looked at."""
        self._ordered = -1
        """The place of the last order to forget that took effect; -1: they are still to be looked
        at after the start."""
        self._mined_ms: int | None = None
        self._counted_ms = 0
        self._failing_ms: int | None = None
        """Since when it fails."""

    async def run(self) -> None:
        """Mine, for ever."""
        while True:
            went_well = await self.tend()
            await asyncio.sleep(CHECK_S if went_well else AGAIN_S)

    async def tend(self) -> bool:
        """Mine if it is time; False where that failed, which is told."""
        try:
            if self._every_s and await self.is_due():
                await self.mine()
            await self._count()
        except Exception as error:
            now_ms = self._ports.clock.now_ms()
            self._failing_ms = self._failing_ms if self._failing_ms is not None else now_ms
            self._meter.failed()
            self._meter.failing((now_ms - self._failing_ms) / 1_000)
            what = f"{type(error).__name__}: {error}"[:300]
            log.warning("mining failed; it is tried again", error=what)
            return False
        self._failing_ms = None
        self._meter.failing(0)
        return True

    async def is_due(self) -> bool:
        """Whether it is time, and there is something new; obeys orders to forget."""
        if await self._forget():
            return True
        now_ms = self._ports.clock.now_ms()
        if self._mined_ms is not None and now_ms - self._mined_ms < self._every_s * 1_000:
            return False
        return await self._ports.record.count(self._last) >= ENOUGH

    async def mine(self) -> Sequence[str]:
        """Mine what is recorded; gives the ids of the proposals that are new."""
        commands = await self._commands()
        every = await self._ports.proposals.every()
        known = await self._known(every)
        options = self._options
        begun = time.perf_counter()
        found = await _in_thread(lambda: mine(commands, self._registry, options, known))
        took_s = time.perf_counter() - begun
        now_ms = self._ports.clock.now_ms()
        new = await self._ports.proposals.renew(found.proposals, now_ms)
        self._mined_ms, self._counted_ms = now_ms, 0
        ids = {one.id for one in found.proposals}
        gone = [s for s in every if s.standing == "open" and s.proposal.id not in ids]
        self._meter.mined(found.commands, took_s, now_ms)
        self._meter.proposals("found", len(new))
        self._meter.proposals("withdrawn", len(gone))
        _say(found, len(new))
        for one in found.proposals:
            if one.id in new and not one.owner and self._ports.telling is not None:
                await self._ports.telling.tell(insight_of(one, now_ms))
        return new

    async def _forget(self) -> bool:
        """Remove what orders name that came since; true where there were any."""
        orders = await self._ports.record.orders()
        new = [placed.item for placed in orders if placed.place > self._ordered]
        for order in new:
            if isinstance(order, Forget) and order.user:
                gone = await self._ports.proposals.forget(order.user, order.at_ms)
                self._meter.proposals("forgotten", gone)
        self._ordered = max((one.place for one in orders), default=0)
        if not new:
            return False  # after the start all are new: some may have come while nobody mined
        self._first = 0
        return True

    async def _commands(self) -> list[RecordedCommand]:
        """The newest commands, in order."""
        last = await self._ports.record.last()
        newest: deque[tuple[int, RecordedCommand]] = deque(maxlen=self._options.most_commands)
        async for placed in self._ports.record.read(max(0, self._first - 1), last):
            if isinstance(placed.item, RecordedCommand):
                newest.append((placed.place, placed.item))
        self._last = last
        self._first = newest[0][0] if newest else last
        return [command for _, command in newest]

    async def _count(self) -> None:
        """Count what people decided, once in a while and after mining."""
        now_ms = self._ports.clock.now_ms()
        if now_ms - self._counted_ms >= COUNT_MS:
            every = await self._ports.proposals.every()
            self._meter.standing(Counter(one.standing for one in every))
            self._counted_ms = now_ms

    async def _known(self, every: Sequence[StoredProposal]) -> Known:
        return Known(
            templates=tuple(await self._templates()),
            earlier=tuple(map(_earlier, (one for one in every if one.standing != "rejected"))),
            rejected=tuple(map(_earlier, (one for one in every if one.standing == "rejected"))),
        )

    async def _templates(self) -> list[Template]:
        ids = (await self._ports.templates.ids())[:MOST_TEMPLATES]
        found = [await self._ports.templates.find(template_id) for template_id in ids]
        return [one.template for one in found if one is not None]


def insight_of(found: Proposal, now_ms: int) -> InsightView:
    """What is told of a workflow that was found; nothing in it is of one user alone."""
    support = found.support
    how_often = (
        f"{support.users} users ran it {support.runs} times, in {support.sessions} sessions:"
    )
    more = f"`hv proposals show {found.id}` tells more."
    saves = f"It would save {found.saving.per_run_s:.0f} s a run. {more}"
    return InsightView(
        id=f"new_workflow.{found.id}",
        insight="new_workflow",
        title=f"Found in what was run: {found.title}"[:200],
        text="\n".join([how_often, *found.steps, saves]),
        about=found.id,
        confidence=round(support.sessions / (support.sessions + 2), 3),
        cases=support.runs,
        at_ms=now_ms,
    )


async def _in_thread(work: Callable[[], T]) -> T:
    """Run it in a thread of its own, for which the end of the process does not wait."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", result))

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except Exception as error:
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="mining", daemon=True).start()
    return await done


def _earlier(one: StoredProposal) -> Earlier:
    return Earlier(one.proposal.id, one.proposal.owner, one.proposal.signature)


def _say(found: Mined, new: int) -> None:
    log.info(
        "recorded commands were mined",
        commands=found.commands,
        stretches=found.stretches,
        patterns=found.patterns,
        significant=found.significant,
        proposals=len(found.proposals),
        new=new,
    )
