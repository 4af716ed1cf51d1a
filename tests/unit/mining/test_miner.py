"""The miner: when it mines, what it proposes and withdraws, what it tells, what it forgets."""

from __future__ import annotations

from collections.abc import Iterable

from services.learning.mining import ENOUGH, Miner, MiningPorts
from shared.learning.records import AnyRecord, Forget
from shared.memory.clock import ManualClock
from shared.memory.proposals import MemoryProposals
from shared.memory.record import MemoryRecordStore
from shared.memory.templates import MemoryTemplateStore
from shared.outcomes.views import InsightView
from shared.ports.record import Placed
from shared.ports.templates import StoredTemplate
from tests.unit.mining.recorded import REGISTRY, START_MS, many

LINES = ["systemctl stop {x}", "cp /backup/{x}.conf /etc/{x}.conf", "systemctl start {x}"]
VALUES = {"x": ["nginx", "redis", "haproxy", "grafana"]}


class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.insights: list[InsightView] = []

    async def tell(self, insight: InsightView) -> None:
        self.insights.append(insight)


class World:
    """A miner with everything in memory."""

    def __init__(self) -> None:
        self.record, self.proposals = MemoryRecordStore(), MemoryProposals()
        self.templates, self.told = MemoryTemplateStore(), Told()
        self.clock = ManualClock(START_MS + 10**9)
        ports = MiningPorts(self.record, self.proposals, self.templates, self.clock, self.told)
        self.miner = Miner(ports, REGISTRY, 600)

    async def add(self, items: Iterable[AnyRecord]) -> None:
        last = await self.record.last()
        await self.record.put([Placed(last + n, item) for n, item in enumerate(items, 1)])

    async def forget(self, user: str) -> None:
        order = Forget(id=f"f-{user}", at_ms=self.clock.now_ms(), by="admin", user=user)
        await self.record.remove(order, await self.record.last() + 1)
        await self.add([order])


async def test_mines_when_enough_is_new_and_it_is_time() -> None:
    """Not for a handful of commands, and not again before the interval is over."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES)[: ENOUGH - 1])
    assert not await world.miner.is_due()
    await world.add(many(["cyd", "dan"], 6, LINES, VALUES))
    assert await world.miner.is_due()
    assert len(await world.miner.mine()) == 1
    await world.add(many(["eve", "fay"], 6, LINES, VALUES))
    assert not await world.miner.is_due()
    world.clock.advance(600_000)
    assert await world.miner.is_due()
    assert await world.miner.mine() == []


async def test_a_new_workflow_of_several_is_told_once() -> None:
    """What is found for all is told with its id; found again, and one's own, it is not."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    await world.add(many(["cyd"], 6, ["tar -cf {x}.tar {x}", "scp {x}.tar b1:{x}.tar",
                                      "rm {x}.tar"], {"x": ["a1", "b2", "c3", "d4"]}))  # fmt: skip
    await world.miner.mine()
    await world.miner.mine()
    owners = sorted(one.proposal.owner for one in await world.proposals.every())
    assert owners == ["", "cyd"]
    (told,) = world.told.insights
    assert told.insight == "new_workflow"
    assert (await world.proposals.get(told.about)) is not None


async def test_what_was_decided_is_learned_from() -> None:
    """What was rejected does not come back, and what was accepted is a template."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    (found,) = await world.miner.mine()
    there = await world.proposals.get(found)
    assert there is not None
    await world.proposals.decide(there.model_copy(update={"standing": "rejected"}))
    await world.add(many(["cyd", "dan"], 6, LINES, VALUES))
    assert await world.miner.mine() == []
    assert [one.standing for one in await world.proposals.every()] == ["rejected"]


async def test_what_is_a_template_already_is_not_proposed() -> None:
    """A stored template that does the same keeps it from being proposed."""
    first, world = World(), World()
    for one in (first, world):
        await one.add(many(["ann", "bob"], 6, LINES, VALUES))
    (found,) = await first.miner.mine()
    there = await first.proposals.get(found)
    assert there is not None
    await world.templates.put(StoredTemplate(there.proposal.template, "hash", 1, "ann"))
    assert await world.miner.mine() == []


async def test_forgetting_a_user_takes_what_was_found_in_it() -> None:
    """After an order to forget the user's own proposals go at once, and what rested on the user's
    commands is withdrawn with the next mining, which is due."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    await world.miner.mine()
    assert not await world.miner.is_due()
    world.clock.advance(1_000)
    await world.forget("bob")
    assert await world.miner.is_due()
    await world.miner.mine()
    assert [one.proposal.owner for one in await world.proposals.every()] == ["ann"]
    world.clock.advance(1_000)
    await world.forget("ann")
    assert await world.miner.is_due()
    assert await world.proposals.every() == []
    assert not await world.miner.is_due()


async def test_a_window_of_the_newest_is_read() -> None:
    """Mining again, from where the window begins, finds what mining all of it finds."""
    world, again = World(), World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    await world.miner.mine()
    more = many(["cyd", "dan"], 6, LINES, VALUES)
    await world.add(more)
    await world.miner.mine()
    await again.add([*many(["ann", "bob"], 6, LINES, VALUES), *more])
    await again.miner.mine()
    first = [one.proposal for one in await world.proposals.every()]
    assert first == [one.proposal for one in await again.proposals.every()]
