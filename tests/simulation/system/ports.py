"""The ports of one process: what is sent gets lost, delayed and overtaken, as on a network."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shared.contracts import subjects
from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimQuestion
from shared.contracts.tasks import StopOrder
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects, _Effect
from shared.memory.faults import Action, OutageError
from shared.memory.journal import MemoryJournalReader
from shared.memory.tasks import MemoryTaskDelivery, MemoryTaskFeed, MemoryTaskPools
from shared.ports.journal import Taken
from shared.workflow.messages import Message
from tests.simulation.system.processes import Process, current

CLAIM_S: Final = 5.0
HOLDS_S: Final = 2.0
AGAIN_S: Final = 0.5
OPEN_S: Final = 4.0

Answer = Callable[[int, ClaimQuestion], Awaitable[ClaimAnswer | None]]


def process() -> Process:
    """The process that is at work."""
    now = current()
    assert now is not None, "a port was used outside of all processes"
    return now


class Network:
    """How long anything takes on its way, and who listens."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.jitter_s = 0.0
        self.claims: list[tuple[Process, Answer]] = []
        self.holds: dict[str, tuple[Process, Callable[[ClaimQuestion], bool]]] = {}

    def delay_s(self) -> float:
        """Of one message."""
        return self._rng.random() * self.jitter_s if self.jitter_s else 0.0

    def deliver(self, to: Process, act: Callable[[], None]) -> None:
        """Let it arrive a little later, if there is anybody then."""

        loop = asyncio.get_running_loop()

        def arrive() -> None:
            if to.still_until > loop.time():
                loop.call_at(to.still_until, arrive)
            elif to.hears:
                act()

        loop.call_later(self.delay_s(), arrive)


class Journal:
    """States facts: tried again until they are stored, as the publisher does."""

    def __init__(self, bus: MemoryBus, network: Network) -> None:
        self._bus = bus
        self._network = network

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        """Store a message; its own first copy, found on a second try, is no other one."""
        payload = message.model_dump_json().encode()
        mine = False
        await asyncio.sleep(self._network.delay_s())
        while True:
            try:
                await self._bus.faults.before(Action.APPEND, execution_id)
                mine |= self._bus.journal.append(execution_id, payload, message_id)
                await self._bus.faults.after(Action.APPEND, execution_id)
            except OutageError:
                continue
            return mine


class Reader(MemoryJournalReader):
    """Reads while its process is connected, in batches of any size."""

    def __init__(self, bus: MemoryBus, rng: random.Random) -> None:
        super().__init__(bus)
        self._rng = rng

    async def open(self, partition: int) -> int:
        """Take a partition over, if the server answers."""
        me = process()
        await me.stands()
        if me.is_cut:
            await asyncio.sleep(OPEN_S)
            raise TimeoutError("no answer")
        return await super().open(partition)

    async def take(self, limit: int) -> Taken:
        """What is there, or only some of it."""
        await self._news.wait()
        await process().connected()
        some = self._rng.choice((1, 2, 5, limit, limit))
        return await super().take(min(some, limit))

    async def last_seq(self, partition: int) -> int:
        """Of the newest entry, if the server answers."""
        me = process()
        await me.stands()
        if me.is_cut:
            raise OSError("not connected")
        return await super().last_seq(partition)

    async def acknowledge(self, partition: int, seq: int) -> None:
        """Sent once; the next one covers one that is lost."""
        try:
            await super().acknowledge(partition, seq)
        except OutageError:
            return


_CHAINS: Final = {
    Action.TASK: "tasks",
    Action.FORGET: "tasks",
    Action.EVENT: "events",
    Action.TIMER: "journal",
    Action.CLEAR_TIMER: "journal",
    Action.APPEND: "journal",
    Action.STOP: "talk",
    Action.DECIDED: "talk",
}


class Effects(MemoryEffects):
    """Carries effects out stream by stream: between streams any order is possible."""

    def __init__(self, bus: MemoryBus, network: Network) -> None:
        super().__init__(bus)
        self._network = network
        self._chains: dict[str, asyncio.Task[None]] = {}

    def forget(self, execution_id: str, *, timers: bool, tasks: bool) -> None:
        """Remove what is left of an ended execution."""
        if timers:
            self._collect(
                Action.CLEAR_TIMER,
                execution_id,
                lambda: self._bus.journal.clear_timers(execution_id),
            )
        if tasks:
            super().forget(execution_id, timers=False, tasks=True)

    def commit(self) -> Awaitable[None]:
        """Carry out what was collected; done when all of it is durable."""
        collected = sorted(self._collected, key=lambda effect: effect.action is Action.DECIDED)
        self._collected = []
        links = []
        for chain in dict.fromkeys(_CHAINS.values()):
            effects = [effect for effect in collected if _CHAINS[effect.action] == chain]
            if effects:
                link = asyncio.ensure_future(self._carry_out(self._chains.get(chain), effects))
                self._chains[chain] = link
                links.append(link)
        return asyncio.ensure_future(_all(links))

    async def _carry_out(self, earlier: asyncio.Task[None] | None, effects: list[_Effect]) -> None:
        await asyncio.sleep(self._network.delay_s())
        await super()._carry_out(earlier, effects)


async def _all(links: Sequence[asyncio.Task[None]]) -> None:
    for link in links:
        await link


class Orders:
    """Short talk: it arrives or it does not."""

    def __init__(self, bus: MemoryBus, network: Network) -> None:
        self._bus = bus
        self._network = network

    async def on_stop(self, handle: Callable[[StopOrder], None]) -> None:
        """Hear orders to stop, while there is a connection."""
        me = process()
        self._bus.listeners.stop.append(
            lambda order: self._network.deliver(me, lambda: handle(order))
        )

    async def on_decided(self, agent: str, handle: Callable[[ClaimDecision], None]) -> None:
        """Hear decisions about this agent's claims."""
        me = process()
        self._bus.listeners.decided[agent] = lambda decision: self._network.deliver(
            me, lambda: handle(decision)
        )

    async def answer_holds(self, agent: str, holds: Callable[[ClaimQuestion], bool]) -> None:
        """Answer whether this agent is at an attempt."""
        self._network.holds[agent] = (process(), holds)

    async def ask_holds(self, agent: str, question: ClaimQuestion, *, silence_s: float = 0) -> bool:
        """True when that agent answers that it is at it; silence is given its time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + silence_s
        while (answer := await self._asked(agent, question)) is None:
            left_s = until - loop.time()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(left_s, AGAIN_S))
        return answer

    async def _asked(self, agent: str, question: ClaimQuestion) -> bool | None:
        try:
            await self._bus.faults.before(Action.ASK, agent)
        except OutageError:
            return None
        there = self._network.holds.get(agent)
        loop = asyncio.get_running_loop()
        if there is None or not there[0].hears or there[0].still_until > loop.time():
            await asyncio.sleep(self._network.delay_s())
            return None
        return there[1](question)

    async def answer_claims(self, answer: Answer) -> None:
        """Answer runners in doubt."""
        self._network.claims.append((process(), answer))

    async def ask_claim(self, question: ClaimQuestion) -> ClaimAnswer:
        """Ask whichever coordinator says that the partition is its own."""
        wait = ClaimAnswer(verdict="wait")
        try:
            await self._bus.faults.before(Action.ASK, question.execution_id)
        except OutageError:
            return wait
        partition = subjects.partition_of(question.execution_id, self._bus.partitions)
        for there, answer in list(self._network.claims):
            if not there.hears:
                continue
            asked = there.spawn(_given(answer, partition, question))
            done, _ = await asyncio.wait({asked}, timeout=CLAIM_S)
            if done and not asked.cancelled() and asked.exception() is None:
                given = asked.result()
                if given is not None:
                    await asyncio.sleep(self._network.delay_s())
                    return given if process().hears else wait
        return wait

    def prune(self) -> None:
        """Forget the dead."""
        self._network.claims = [one for one in self._network.claims if one[0].is_alive]


async def _given(answer: Answer, partition: int, question: ClaimQuestion) -> ClaimAnswer | None:
    await process().stands()
    with contextlib.suppress(OSError):
        return await answer(partition, question)
    return None


class Delivery(MemoryTaskDelivery):
    """A task in hand; what is said of it to the queue is sent once."""

    async def acknowledge(self) -> None:
        """Done with, if the queue hears it."""
        try:
            await super().acknowledge()
        except OutageError:
            return

    async def in_progress(self) -> None:
        """Still at it, if the queue hears it."""
        try:
            await super().in_progress()
        except OutageError:
            return

    async def hand_back(self, delay_s: float = 0) -> None:
        """For another one, if the queue hears it."""
        try:
            await super().hand_back(delay_s)
        except OutageError:
            return


class Feed(MemoryTaskFeed):
    """Takes tasks while its process is connected."""

    async def take(self, limit: int) -> Sequence[Delivery]:
        """Wait for at least one."""
        while not self._closed:
            await self._news.wait()
            await process().connected()
            self._news.clear()
            taken = self._take_now(limit)
            if taken:
                self._news.set()
                return [Delivery(self._bus, one._queued) for one in taken]
        return []


class Pools(MemoryTaskPools):
    """All pools, as an agentless coordinator sees them."""

    async def occupied(self) -> Sequence[str]:
        """Pools that hold tasks, if the server answers."""
        me = process()
        await me.stands()
        if me.is_cut:
            raise TimeoutError("no answer")
        return await super().occupied()

    async def take(self, pool: str, limit: int) -> Sequence[Delivery]:
        """Tasks that no runner has."""
        return [Delivery(self._bus, one._queued) for one in await super().take(pool, limit)]
