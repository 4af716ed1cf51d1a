"""What every durable feed of events keeps to."""

import asyncio
import time
from collections.abc import Sequence

from shared.ports.webhooks import EventFeed, FedEvent
from tests.contract.webhooks.conftest import Feeds


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def taken(feed: EventFeed, count: int) -> list[FedEvent]:
    """So many events of a feed, in order, acknowledged."""
    found: list[FedEvent] = []
    while len(found) < count:
        found += await feed.take(count - len(found))
    await feed.acknowledge(found)
    return found


def numbers(events: Sequence[FedEvent]) -> list[int]:
    """The numbers of events, as they were published."""
    return [int(one.event.id.partition("_")[2]) for one in events]


class TestEventFeed:
    async def test_gives_events_that_are_followed(self, feeds: Feeds) -> None:
        """Events that fit a pattern come in order; others need not."""
        feed = feeds.new()
        await feed.follow(["execution.*", "step.failed"], now_ms())
        for number, kind in enumerate(["execution.started", "agent.joined", "step.failed"]):
            await feeds.publish(number, kind)
        found = await taken(feed, 2)
        assert numbers(found) == [0, 2]
        assert found[0].seq + 2 == found[1].seq
        await feed.follow([], 0)
        await feed.close()

    async def test_what_was_not_acknowledged_comes_to_another(self, feeds: Feeds) -> None:
        """A follower that goes leaves what it had read to the next one."""
        one, other = feeds.new(), feeds.new()
        await one.follow(["*"], now_ms())
        await feeds.publish(1)
        assert numbers(await one.take(5)) == [1]
        await one.close()
        await other.follow(["*"], now_ms())
        assert numbers(await taken(other, 1)) == [1]
        await feeds.publish(2)
        assert numbers(await taken(other, 1)) == [2]
        await other.follow([], 0)
        await other.close()

    async def test_patterns_are_widened(self, feeds: Feeds) -> None:
        """What is followed later is given too, from then on."""
        feed = feeds.new()
        await feed.follow(["execution.completed"], now_ms())
        await feed.follow(["execution.completed", "*.failed"], now_ms())
        await feeds.publish(1, "step.failed")
        await feeds.publish(2, "execution.completed")
        assert numbers(await taken(feed, 2)) == [1, 2]
        await feed.follow([], 0)
        await feed.close()

    async def test_a_forgotten_feed_begins_anew(self, feeds: Feeds) -> None:
        """After following nothing, what happened meanwhile is not given."""
        feed = feeds.new()
        await feed.follow(["execution.*"], now_ms())
        await feed.follow([], 0)
        await feeds.publish(1)
        await asyncio.sleep(0.01)  # the clock must have moved on
        await feed.follow(["execution.*"], now_ms())
        await feeds.publish(2)
        assert numbers(await taken(feed, 1)) == [2]
        await feed.follow([], 0)
        await feed.close()

    async def test_followers_share(self, feeds: Feeds) -> None:
        """Two followers together get each event once."""
        one, other = feeds.new(), feeds.new()
        await one.follow(["*"], now_ms())
        await other.follow(["*"], now_ms())
        for number in range(40):
            await feeds.publish(number)
        found: list[int] = []

        async def drain(feed: EventFeed) -> None:
            while len(found) < 40:
                events = await feed.take(8)
                found.extend(numbers(events))
                await feed.acknowledge(events)

        tasks = [asyncio.create_task(drain(feed)) for feed in (one, other)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        assert sorted(found) == list(range(40))
        await one.follow([], 0)
        await one.close()
        await other.close()
