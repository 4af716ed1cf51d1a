"""The miner: when it mines, what it proposes and withdraws, what it tells, what it forgets."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from services.learning.mining import ENOUGH, Miner, MiningPorts
from shared.learning.records import AnyRecord, Forget
from shared.memory.clock import ManualClock
from shared.memory.proposals import MemoryProposals
from shared.memory.record import MemoryRecordStore
from shared.memory.templates import MemoryTemplateStore
from shared.outcomes.views import InsightView
from shared.ports.record import Placed
from shared.ports.templates import StoredTemplate
from shared.runtime.mining_meter import MiningMeter
from tests.unit.mining.recorded import REGISTRY, START_MS, many

LINES = ["systemctl stop {x}", "cp /backup/{x}.conf /etc/{x}.conf", "systemctl start {x}"]
VALUES = {"x": ["nginx", "redis", "haproxy", "grafana"]}


class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.insights: list[InsightView] = []

    async def tell(self, insight: InsightView) -> None:
        self.insights.append(insight)


class BreakingRecord(MemoryRecordStore):
    """A record that cannot be read while it is broken."""

    broken = False

    async def count(self, after: int = 0) -> int:
        if self.broken:
            raise ConnectionError("no record")
        return await super().count(after)


class World:
    """A miner with everything in memory."""

    def __init__(self) -> None:
        self.record, self.proposals = BreakingRecord(), MemoryProposals()
        self.templates, self.told = MemoryTemplateStore(), Told()
        self.registry = CollectorRegistry()
        self.clock = ManualClock(START_MS + 10**9)
        self.meter = MiningMeter(self.registry)
        self.miner = self.restarted()

    def restarted(self) -> Miner:
        """A miner that has seen nothing yet."""
        ports = MiningPorts(self.record, self.proposals, self.templates, self.clock, self.told)
        return Miner(ports, REGISTRY, 600, self.meter)

    async def add(self, items: Iterable[AnyRecord]) -> None:
        last = await self.record.last()
        await self.record.put([Placed(last + n, item) for n, item in enumerate(items, 1)])

    def value(self, name: str, **labels: str) -> float:
        found = self.registry.get_sample_value(name, labels)
        assert found is not None
        return found

    async def forget(self, user: str, line: str = "") -> None:
        order = Forget(
            id=f"f-{user}{line}", at_ms=self.clock.now_ms(), by="admin", user=user, command=line
        )
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


async def test_a_command_that_is_forgotten_is_in_no_proposal() -> None:
    """After an order to forget a line, mining is due, and what used it is found without it."""
    world = World()
    await world.add(many(["ann", "bob"], 6, [*LINES, "logger restored"], VALUES))
    assert await world.miner.tend()
    (found,) = await world.proposals.every()
    assert "logger restored" in found.proposal.steps
    world.clock.advance(1_000)
    for user in ("ann", "bob"):
        await world.forget(user, "logger restored")
    assert await world.miner.tend()
    (found,) = await world.proposals.every()
    assert "logger" not in found.model_dump_json()
    assert found.proposal.steps[0] == "systemctl stop <service>"


async def test_what_was_ordered_while_nobody_mined_is_obeyed_after_the_start() -> None:
    """However little is left in the record, what rested on what was forgotten is withdrawn."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    assert await world.miner.tend()
    world.clock.advance(1_000)
    for user in ("ann", "bob"):
        await world.forget(user)
    assert await world.restarted().tend()
    assert await world.proposals.every() == []


async def test_what_was_mined_is_counted() -> None:
    """Commands, times and proposals: those found, withdrawn, and by what was decided."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    assert await world.miner.tend()
    assert world.value("hive_mining_total", outcome="mined") == 1
    assert world.value("hive_mining_commands") == 36
    assert world.value("hive_mining_duration_seconds") > 0
    assert world.value("hive_mining_timestamp_seconds") == world.clock.now_ms() / 1_000
    assert world.value("hive_mining_proposals_total", change="found") == 1
    assert world.value("hive_proposals", standing="open") == 1
    world.clock.advance(1_000)
    for user in ("ann", "bob"):
        await world.forget(user)
    assert await world.miner.tend()
    assert world.value("hive_mining_proposals_total", change="withdrawn") == 1
    assert world.value("hive_proposals", standing="open") == 0


async def test_how_long_mining_fails_is_counted() -> None:
    """From the first failure on, until it goes well again."""
    world = World()
    await world.add(many(["ann", "bob"], 6, LINES, VALUES))
    world.record.broken = True
    assert not await world.miner.tend()
    world.clock.advance(60_000)
    assert not await world.miner.tend()
    assert world.value("hive_mining_total", outcome="failed") == 2
    assert world.value("hive_mining_failing_seconds") == 60
    world.record.broken = False
    assert await world.miner.tend()
    assert world.value("hive_mining_failing_seconds") == 0
