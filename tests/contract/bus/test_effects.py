"""Effects: what was decided reaches the world once, in order, and durably."""

import asyncio

from shared.contracts import subjects
from shared.contracts.publishing import WireEvent
from shared.contracts.tasks import StopOrder
from shared.ports.effects import Effects
from tests.contract.bus.rig import BusRig, entries_of, no_task_for, nothing_for, tasks_of, until
from tests.contract.bus.samples import (
    EXECUTION,
    PARTITION,
    event,
    execution_in,
    generation_of,
    reason_of,
    request,
    task,
    timer,
)

SOON_MS = 600


class TestTasks:
    async def test_a_task_reaches_its_pool_only(self, rig: BusRig) -> None:
        """Each pool's tasks go to the agents that may take them, and to no other."""
        effects = rig.effects()
        effects.task(subjects.pool_any(), task("any"), again=False)
        effects.task(subjects.pool_capability("gpu.big"), task("gpu"), again=False)
        effects.task(subjects.pool_host("alpha"), task("host"), again=True)
        await effects.commit()
        beta = await rig.feed("beta", [], slots=8)
        [delivery] = await tasks_of(beta, 1)
        assert delivery.task == task("any")
        await delivery.acknowledge()
        assert await no_task_for(beta)
        alpha = await rig.feed("alpha", ["gpu.big", "shell"], slots=8)
        found = {d.task.step: d for d in await tasks_of(alpha, 2) if d.task is not None}
        assert sorted(found) == ["gpu", "host"]
        assert (found["gpu"].resent, found["host"].resent) == (False, True)

    async def test_a_task_of_one_id_is_queued_once(self, rig: BusRig) -> None:
        """Offering a task again, before or after it was done, changes nothing."""
        for _ in range(2):
            effects = rig.effects()
            effects.task(subjects.pool_any(), task(), again=True)
            await effects.commit()
        feed = await rig.feed("alpha", [], slots=8)
        [delivery] = await tasks_of(feed, 1)
        await delivery.acknowledge()
        effects.task(subjects.pool_any(), task(), again=True)
        effects.task(subjects.pool_any(), task(attempt=2), again=False)
        await effects.commit()
        [other] = await tasks_of(feed, 1)
        assert other.task == task(attempt=2)
        assert await no_task_for(feed)

    async def test_forgotten_tasks_are_not_delivered(self, rig: BusRig) -> None:
        """Forgetting an execution's tasks empties its queues, and nobody else's."""
        effects = rig.effects()
        other = task("stays", execution_id=execution_in(0))
        effects.task(subjects.pool_any(), task("a"), again=False)
        effects.task(subjects.pool_host("alpha"), task("b"), again=False)
        effects.task(subjects.pool_any(), other, again=False)
        await effects.commit()
        effects.forget(EXECUTION, timers=False, tasks=True)
        await effects.commit()
        await rig.pass_time(300)
        feed = await rig.feed("alpha", [], slots=8)
        [delivery] = await tasks_of(feed, 1)
        assert delivery.task == other
        assert await no_task_for(feed)

    async def test_withdrawn_tasks_are_not_delivered(self, rig: BusRig) -> None:
        """Withdrawing a step takes its tasks out of every queue, and no other step's."""
        effects = rig.effects()
        effects.task(subjects.pool_any(), task("a"), again=False)
        effects.task(subjects.pool_host("alpha"), task("a", attempt=2), again=False)
        effects.task(subjects.pool_any(), task("ab"), again=False)
        await effects.commit()
        effects.withdraw(EXECUTION, "a")
        await effects.commit()
        await rig.pass_time(300)
        feed = await rig.feed("alpha", [], slots=8)
        [delivery] = await tasks_of(feed, 1)
        assert delivery.task == task("ab")
        assert await no_task_for(feed)

    async def test_a_task_offered_after_forgetting_stays(self, rig: BusRig) -> None:
        """Forgetting strikes what was before it, not what the same turn offers after it."""
        effects = rig.effects()
        effects.task(subjects.pool_any(), task("before"), again=False)
        await effects.commit()
        effects.forget(EXECUTION, timers=False, tasks=True)
        effects.task(subjects.pool_any(), task("after"), again=False)
        await effects.commit()
        await rig.pass_time(300)
        feed = await rig.feed("alpha", [], slots=8)
        steps = {d.task.step for d in await tasks_of(feed, 1) if d.task is not None}
        assert steps == {"after"}


class TestTimers:
    async def test_a_timer_fires_into_the_journal_when_due(self, rig: BusRig) -> None:
        """Its payload appears in the execution's journal, not before its time."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        due_ms = rig.now_ms() + SOON_MS
        effects.timer(timer(due_ms))
        await effects.commit()
        await rig.pass_time(SOON_MS)
        [entry] = await entries_of(reader, 1)
        assert entry.payload == timer(due_ms).payload
        assert (entry.partition, entry.execution_id) == (PARTITION, EXECUTION)
        assert entry.at_ms >= due_ms - 1
        assert await nothing_for(reader)

    async def test_a_timer_replaces_one_of_its_name(self, rig: BusRig) -> None:
        """Of two settings of one name only the later fires."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        now = rig.now_ms()
        effects.timer(timer(now + SOON_MS, generation=1))
        await effects.commit()
        effects.timer(timer(now + 2 * SOON_MS, generation=2))
        await effects.commit()
        await rig.pass_time(2 * SOON_MS)
        [entry] = await entries_of(reader, 1)
        assert generation_of(entry.payload) == 2
        assert await nothing_for(reader)

    async def test_a_cleared_timer_does_not_fire(self, rig: BusRig) -> None:
        """Clearing one leaves those of other names."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        due_ms = rig.now_ms() + SOON_MS
        effects.timer(timer(due_ms, name="retry-a", generation=1))
        effects.timer(timer(due_ms, name="retry-b", generation=2))
        await effects.commit()
        effects.clear_timer(EXECUTION, "retry-a")
        await effects.commit()
        await rig.pass_time(SOON_MS)
        [entry] = await entries_of(reader, 1)
        assert generation_of(entry.payload) == 2
        assert await nothing_for(reader)

    async def test_a_timer_set_after_clearing_fires(self, rig: BusRig) -> None:
        """Clearing strikes the setting before it, not one that the same turn makes after it."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        for generation in range(1, 21):
            effects.clear_timer(EXECUTION, "retry-a")
            effects.timer(timer(rig.now_ms() + SOON_MS, generation=generation))
            await effects.commit()
        await rig.pass_time(SOON_MS)
        [entry] = await entries_of(reader, 1)
        assert generation_of(entry.payload) == 20

    async def test_a_timer_set_again_for_the_same_time_fires(self, rig: BusRig) -> None:
        """Set, cleared, and set again for the same time: it is another setting."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        due_ms = rig.now_ms() + 2 * SOON_MS
        effects.timer(timer(due_ms, generation=1))
        await effects.commit()
        effects.clear_timer(EXECUTION, "retry-a")
        await effects.commit()
        await rig.pass_time(200)
        effects.timer(timer(due_ms, generation=2))
        await effects.commit()
        await rig.pass_time(2 * SOON_MS)
        [entry] = await entries_of(reader, 1)
        assert generation_of(entry.payload) == 2

    async def test_a_timer_that_is_past_fires_at_once(self, rig: BusRig) -> None:
        """A due time in the past is no error."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        effects.timer(timer(rig.now_ms() - 3_600_000))
        await effects.commit()
        [entry] = await entries_of(reader, 1)
        assert generation_of(entry.payload) == 1

    async def test_two_timers_of_one_time_both_fire(self, rig: BusRig) -> None:
        """Timers of one execution do not push each other aside."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        due_ms = rig.now_ms() + SOON_MS
        for number in range(1, 6):
            effects.timer(timer(due_ms, name=f"retry-{number}", generation=number))
        await effects.commit()
        await rig.pass_time(SOON_MS)
        entries = await entries_of(reader, 5)
        assert sorted(generation_of(e.payload) for e in entries) == [1, 2, 3, 4, 5]

    async def test_forgetting_removes_all_timers(self, rig: BusRig) -> None:
        """No timer of a forgotten execution fires."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        for name in ("retry-a", "deadline"):
            effects.timer(timer(rig.now_ms() + SOON_MS, name=name))
        await effects.commit()
        effects.forget(EXECUTION, timers=True, tasks=False)
        await effects.commit()
        await rig.pass_time(SOON_MS)
        assert await nothing_for(reader)


class TestFacts:
    async def test_events_arrive_in_order_and_once(self, rig: BusRig) -> None:
        """A turn's events, also sent again, stand in EVENTS once and in the order decided."""
        for _ in range(2):
            effects = rig.effects()
            for number in range(1, 31):
                effects.event(WireEvent.of(event(number)))
            await effects.commit()
        assert await rig.events() == [event(number) for number in range(1, 31)]

    async def test_a_fact_stated_by_the_engine_is_in_the_journal(self, rig: BusRig) -> None:
        """Appends of effects go the way of all facts, once for each id."""
        effects, reader = rig.effects(), rig.reader("one")
        await reader.open(PARTITION)
        effects.append(EXECUTION, request("unplaced"), "u.1")
        effects.append(EXECUTION, request("unplaced"), "u.1")
        await effects.commit()
        [entry] = await entries_of(reader, 1)
        assert reason_of(entry.payload) == "unplaced"
        assert not await rig.journal().append(EXECUTION, request("other"), "u.1")


class TestCommit:
    async def test_it_is_done_when_all_is_durable(self, rig: BusRig) -> None:
        """After a commit of many effects every one of them is there."""
        effects, reader = rig.effects(), rig.reader("one")
        for number in range(100):
            effects.task(subjects.pool_any(), task(f"s{number}"), again=False)
            effects.event(WireEvent.of(event(number + 1)))
            effects.append(EXECUTION, request(str(number)), f"m.{number}")
        await effects.commit()
        assert len(await rig.events()) == 100
        await reader.open(PARTITION)
        entries = await entries_of(reader, 100)
        assert all(entry.redelivered for entry in entries)
        feed = await rig.feed("alpha", [], slots=200)
        assert len(await tasks_of(feed, 100)) == 100

    async def test_commits_may_overlap(self, rig: BusRig) -> None:
        """Effects of a later commit do not overtake those of an earlier one."""
        effects = rig.effects()
        commits = []
        for number in range(1, 41):
            effects.event(WireEvent.of(event(number)))
            commits.append(asyncio.ensure_future(effects.commit()))
        await asyncio.gather(*commits)
        assert await rig.events() == [event(number) for number in range(1, 41)]

    async def test_an_empty_commit_is_done_at_once(self, rig: BusRig) -> None:
        """Nothing collected, nothing to wait for."""
        effects: Effects = rig.effects()
        async with asyncio.timeout(5):
            await effects.commit()


class TestStopOrders:
    async def test_every_agent_hears_an_order_to_stop(self, rig: BusRig) -> None:
        """An order of the engine reaches all who listen."""
        order = StopOrder(execution_id=EXECUTION, step="a", attempt=1, leg=0)
        heard: list[StopOrder] = []
        orders = rig.orders()
        await orders.on_stop(heard.append)
        await orders.on_stop(heard.append)
        effects = rig.effects()

        async def heard_twice() -> bool:
            effects.stop(order)
            await effects.commit()
            return len(heard) >= 2

        await until(heard_twice)
        assert set(heard) == {order}
