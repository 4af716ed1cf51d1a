"""Notifications of templates become broadcasts: once each, whatever is repeated or dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.executor.notifier import EXPIRES_MS, RAISED, Notifier
from shared.contracts.collective import Broadcast, Origin, Severity
from shared.contracts.events import PublicEvent
from shared.memory.event_feed import MemoryEventFeed, MemoryFeedPlace
from shared.memory.events import MemoryEvents
from shared.ports.collective import Broadcasts, HiveUnavailableError
from shared.ports.webhooks import FedEvent
from tests.unit.collective.hive import LittleHive

PATIENCE_S = 10.0


class Telling:
    """A hive, the events of its executions, and processes that notify."""

    def __init__(self, folder: Path) -> None:
        self.hive = LittleHive(folder)
        self.events = MemoryEvents()
        self.place = MemoryFeedPlace()

    def notifier(self, broadcasts: Broadcasts | None = None) -> Notifier:
        return Notifier(
            feed=MemoryEventFeed(self.events, self.place),
            broadcasts=broadcasts or self.hive.port.broadcasts,
            agents=self.hive.directory,
            control=self.hive.control,
            clock=self.hive.clock,
        )

    def raised(self, number: int = 1, **fields: object) -> PublicEvent:
        event = PublicEvent(
            id=f"ex_1.{number}",
            type=RAISED,
            at_ms=self.hive.clock.now_ms(),
            execution_id="ex_1",
            template_id="rollout",
            category="maintenance",
            data={"severity": "critical", "message": "The rollout failed."},
        )
        return event.model_copy(update=fields)

    async def has(self, count: int) -> bool:
        return len(await self.kept()) == count

    async def kept(self) -> list[Broadcast]:
        return list(await self.hive.port.broadcasts.newest())


@pytest.fixture
def telling(tmp_path: Path) -> Telling:
    return Telling(tmp_path)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - other tasks change it
            await asyncio.sleep(0.01)


async def test_a_notification_becomes_a_broadcast(telling: Telling) -> None:
    """It has the template's category and severity, its message and its execution, and the live
    agents have it; other events are left alone."""
    await telling.hive.join("a", "b")
    notifier = telling.notifier()
    await notifier.start()
    await telling.events.publish(telling.raised(1, type="execution.failed"))
    await telling.events.publish(telling.raised(2))
    store = telling.hive.port.broadcasts

    async def acknowledged() -> bool:
        return any(len(told.acknowledgements) == 2 for told in await store.newest())

    await until(acknowledged)
    await notifier.close()
    [told] = await telling.kept()
    assert (told.category, told.severity, told.message) == (
        "maintenance",
        Severity.CRITICAL,
        "The rollout failed.",
    )
    assert told.origin == Origin(execution_id="ex_1")
    assert told.sender == "workflow rollout"
    assert told.expected == ("a", "b")


async def test_a_repeated_delivery_changes_nothing(telling: Telling) -> None:
    """The same event again, also to another process and when other agents live, is the broadcast
    that is kept already."""
    fed = FedEvent(telling.raised(), 1, "receipt")
    await telling.notifier().deal_with(fed)
    await telling.hive.join("late")
    await telling.notifier().deal_with(fed)
    assert [told.expected for told in await telling.kept()] == [()]


async def test_two_notifications_are_two_broadcasts(telling: Telling) -> None:
    """Two of one execution, even with equal words, are told both."""
    for number in (1, 2):
        await telling.notifier().deal_with(FedEvent(telling.raised(number), number, str(number)))
    assert {told.id for told in await telling.kept()} == {"bc_ex_1.1", "bc_ex_1.2"}


async def test_of_several_processes_one_deals_with_each(telling: Telling) -> None:
    """Twenty notifications and three followers give twenty broadcasts."""
    notifiers = [telling.notifier() for _ in range(3)]
    for notifier in notifiers:
        await notifier.start()
    for number in range(20):
        await telling.events.publish(telling.raised(number))
    await until(lambda: telling.has(20))
    for notifier in notifiers:
        await notifier.close()
    assert len(await telling.kept()) == 20


async def test_what_could_not_be_stored_goes_to_another(telling: Telling) -> None:
    """While the store is away the event is not acknowledged; when this process ends, another one
    tells it."""
    tried = asyncio.Event()

    class Away:
        def __getattr__(self, _name: str) -> object:
            async def fail(_told: Broadcast) -> Broadcast:
                tried.set()
                raise HiveUnavailableError("the store is away")

            return fail

    first = telling.notifier(Away())  # type: ignore[arg-type]
    await first.start()
    await telling.events.publish(telling.raised())
    await asyncio.wait_for(tried.wait(), PATIENCE_S)
    await first.close()
    assert await telling.kept() == []
    second = telling.notifier()
    await second.start()
    await until(lambda: telling.has(1))
    await second.close()
    assert [told.id for told in await telling.kept()] == ["bc_ex_1.1"]


async def test_what_is_too_old_or_cannot_be_read_is_passed_over(telling: Telling) -> None:
    """Neither comes again: an event whose broadcast would have expired, and one without words."""
    old = telling.raised(1, at_ms=telling.hive.clock.now_ms() - EXPIRES_MS)
    for event in (old, telling.raised(2, data={"omitted": "too large"})):
        await telling.notifier().deal_with(FedEvent(event, 1, "receipt"))
    assert await telling.kept() == []
