"""The task queues: each task with one runner, until acknowledged."""

import asyncio
from collections.abc import Awaitable, Sequence

from shared.contracts import subjects
from shared.ports.tasks import TaskDelivery
from tests.contract.bus.rig import ACK_WAIT_MS, PATIENCE_S, BusRig, no_task_for, tasks_of
from tests.contract.bus.samples import EXECUTION, task


async def _offer(rig: BusRig, *steps: str) -> None:
    effects = rig.effects()
    for step in steps:
        effects.task(subjects.pool_any(), task(step), again=False)
    await effects.commit()


class TestDelivery:
    async def test_the_first_delivery_says_so(self, rig: BusRig) -> None:
        """A fresh task counts one delivery, is young, and no copy."""
        feed = await rig.feed("alpha", [], slots=2)
        await _offer(rig, "a")
        [delivery] = await tasks_of(feed, 1)
        assert delivery.task == task("a")
        assert (delivery.deliveries, delivery.resent) == (1, False)
        assert 0 <= delivery.age_ms < 60_000

    async def test_each_task_goes_to_one_runner(self, rig: BusRig) -> None:
        """Runners of one pool share its tasks."""
        feeds = [await rig.feed(f"agent{n}", [], slots=10) for n in range(3)]
        await _offer(rig, *(f"s{n}" for n in range(30)))
        found = [await tasks_of(feed, 10) for feed in feeds]
        steps = [d.task.step for deliveries in found for d in deliveries if d.task is not None]
        assert sorted(steps) == sorted(f"s{n}" for n in range(30))

    async def test_no_more_come_than_there_are_slots(self, rig: BusRig) -> None:
        """Beyond the free slots nothing comes until `done`."""
        feed = await rig.feed("alpha", [], slots=2)
        await _offer(rig, "a", "b", "c", "d", "e")
        first = await tasks_of(feed, 2)
        assert await no_task_for(feed)
        await first[0].acknowledge()
        await feed.done()
        await tasks_of(feed, 1)
        assert await no_task_for(feed)
        for delivery in first:
            await delivery.acknowledge()
        await feed.done(2)
        await tasks_of(feed, 2)

    async def test_what_cannot_be_read_is_delivered_as_it_came(self, rig: BusRig) -> None:
        """A task that is not one has no `task`, only its bytes, and stops nothing."""
        await rig.put_raw_task(subjects.pool_any(), EXECUTION, b"\xff{")
        await _offer(rig, "a")
        feed = await rig.feed("alpha", [], slots=2)
        poison, good = await tasks_of(feed, 2)
        assert (poison.task, poison.payload) == (None, b"\xff{")
        assert good.task == task("a")
        await poison.acknowledge()

    async def test_all_of_many_arrive(self, rig: BusRig) -> None:
        """A feed with few slots works off a long queue without standing still."""
        count = 150
        await _offer(rig, *(f"s{n}" for n in range(count)))
        feed = await rig.feed("alpha", ["shell"], slots=4)
        seen: set[str] = set()
        async with asyncio.timeout(PATIENCE_S * 2):
            while len(seen) < count:
                for delivery in await feed.take(64):
                    assert delivery.task is not None
                    seen.add(delivery.task.step)
                    await delivery.acknowledge()
                    await feed.done()
        assert len(seen) == count


class TestAcknowledgement:
    async def test_a_task_of_a_silent_runner_goes_to_another(self, rig: BusRig) -> None:
        """Not acknowledged within the wait, it is delivered again, and says so."""
        silent = await rig.feed("silent", [], slots=1)
        await _offer(rig, "a")
        await tasks_of(silent, 1)
        other = await rig.feed("other", [], slots=1)
        await rig.pass_time(ACK_WAIT_MS)
        [again] = await tasks_of(other, 1)
        assert (again.task, again.deliveries) == (task("a"), 2)
        assert again.age_ms >= ACK_WAIT_MS

    async def test_work_in_progress_stays_with_its_runner(self, rig: BusRig) -> None:
        """Saying so often enough keeps a task."""
        feed = await rig.feed("alpha", [], slots=4)
        await _offer(rig, "a")
        [delivery] = await tasks_of(feed, 1)
        for _ in range(5):
            await rig.pass_time(ACK_WAIT_MS // 3)
            await delivery.in_progress()
        assert await no_task_for(feed)
        await delivery.acknowledge()
        await rig.pass_time(2 * ACK_WAIT_MS)
        assert await no_task_for(feed)

    async def test_what_is_handed_back_comes_again(self, rig: BusRig) -> None:
        """At once without a delay, and counted."""
        first = await rig.feed("one", [], slots=1)
        await _offer(rig, "a")
        [delivery] = await tasks_of(first, 1)
        second = await rig.feed("two", [], slots=1)
        await delivery.hand_back()
        [again] = await tasks_of(second, 1)
        assert again.deliveries == 2

    async def test_a_delay_holds_it_back(self, rig: BusRig) -> None:
        """Handed back with a delay it comes again, not before."""
        feed = await rig.feed("alpha", [], slots=2)
        await _offer(rig, "a")
        [delivery] = await tasks_of(feed, 1)
        await delivery.hand_back(1.0)
        await feed.done()
        assert await no_task_for(feed)
        await rig.pass_time(1_000)
        [again] = await tasks_of(feed, 1)
        assert again.deliveries == 2


class TestClosing:
    async def test_take_ends_when_the_feed_is_closed(self, rig: BusRig) -> None:
        """One who waits gets nothing, and so does one who asks later."""
        feed = await rig.feed("alpha", [], slots=1)
        waiting = asyncio.create_task(_count(feed.take(1)))
        await asyncio.sleep(0.05)
        await feed.close()
        assert await waiting == 0
        assert await _count(feed.take(1)) == 0
        await feed.close()

    async def test_who_takes_from_a_closed_feed_can_be_cancelled(self, rig: BusRig) -> None:
        """A loop that takes goes round once the feed is closed; it holds up nobody, not even its
        end."""
        feed = await rig.feed("alpha", [], slots=1)

        async def take_all() -> None:
            while True:
                await feed.take(1)

        await feed.close()
        loop = asyncio.create_task(take_all())
        await asyncio.sleep(0)
        loop.cancel()
        await asyncio.wait([loop])
        assert loop.cancelled()

    async def test_a_closed_feed_leaves_the_tasks_to_others(self, rig: BusRig) -> None:
        """What comes after, and what had come and was not taken, goes to other runners at once."""
        closed = await rig.feed("closed", [], slots=4)
        await _offer(rig, "a", "b")
        await tasks_of(closed, 1)
        await rig.pass_time(100)
        await closed.close()
        await _offer(rig, "c")
        other = await rig.feed("other", [], slots=4)
        found = {d.task.step for d in await tasks_of(other, 2) if d.task is not None}
        assert found == {"b", "c"}


async def _count(taking: Awaitable[Sequence[TaskDelivery]]) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return len(await taking)
