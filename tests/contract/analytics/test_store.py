"""Tables of analytics in memory and in MongoDB: replaced by later ones only, read by name."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.analytics import AT_ONCE, MongoAnalyticsStore
from shared.adapters.mongo.connection import Mongo
from shared.analytics.periods import DAY_MS, HOUR_MS, Kept, Level, Period
from shared.analytics.views import Name
from shared.memory.analytics import MemoryAnalyticsStore
from shared.ports.analytics import AnalyticsStore, Counted, digest_of


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[AnalyticsStore]:
    """An empty store."""
    if request.param == "memory":
        yield MemoryAnalyticsStore()
        return
    url = request.getfixturevalue("mongo_url")
    mongo = Mongo(url, database=f"analytics_{secrets.token_hex(4)}", journaled=False)
    made = MongoAnalyticsStore(mongo)
    await made.ensure_indexes()
    yield made
    await mongo.database.client.drop_database(mongo.database.name)
    await mongo.close()


def name(start_ms: int = 0, level: Level = "d", scope: str = "") -> Name:
    return Name("totals", scope, Period(level, start_ms))


async def test_what_is_written_is_read(store: AnalyticsStore) -> None:
    """Those that are there, whatever their scopes are called."""
    odd = name(scope="t:Straße/…/1")
    await store.write({name(): "[]", odd: '[["é"]]'}, 1)
    assert await store.read([name(), odd, name(DAY_MS)]) == {name(): "[]", odd: '[["é"]]'}
    digests = await store.digests()
    assert digests == {name(): digest_of("[]"), odd: digest_of('[["é"]]')}
    assert await store.read([]) == {}


async def test_a_table_is_replaced_only_by_a_later_one(store: AnalyticsStore) -> None:
    """The same place again replaces, an earlier one does not; others in the write are written."""
    await store.write({name(): "five"}, 5)
    await store.write({name(): "four", name(DAY_MS): "new"}, 4)
    assert await store.read([name(), name(DAY_MS)]) == {name(): "five", name(DAY_MS): "new"}
    await store.write({name(): "five again"}, 5)
    await store.write({name(DAY_MS): "six"}, 6)
    assert await store.read([name(), name(DAY_MS)]) == {name(): "five again", name(DAY_MS): "six"}


async def test_many_are_written(store: AnalyticsStore) -> None:
    """More than one write takes."""
    tables = {name(number * DAY_MS): str(number) for number in range(AT_ONCE + 7)}
    await store.write(tables, 1)
    assert await store.read(list(tables)) == tables
    await store.remove(list(tables)[1:])
    assert list(await store.digests()) == [name()]


async def test_how_far_it_is_counted_never_goes_back(store: AnalyticsStore) -> None:
    """Nothing at first; then the latest that was told."""
    assert await store.counted() == Counted()
    later = Counted(7, 1_000, Kept(3, 2, 1))
    await store.tell(later)
    await store.tell(Counted(6, 900))
    assert await store.counted() == later
    assert await store.digests() == {}


async def test_it_never_goes_back_between_rivals(store: AnalyticsStore) -> None:
    """Also where two tell at once."""
    await asyncio.gather(*(store.tell(Counted(place)) for place in (3, 9, 5)))
    await store.tell(Counted(8))
    assert (await store.counted()).place == 9


async def test_old_tables_expire_by_their_level(store: AnalyticsStore) -> None:
    """Hours, days and months, each by its own age."""
    names = [name(at, level) for level in ("h", "d", "m") for at in (0, HOUR_MS, DAY_MS)]
    await store.write(dict.fromkeys(names, "[]"), 1)
    await store.tell(Counted(1))
    assert await store.expire(Kept(DAY_MS, HOUR_MS, 0)) == 3
    left = {(one.period.level, one.period.start_ms) for one in await store.digests()}
    assert left == {
        ("h", DAY_MS),
        *(("d", at) for at in (HOUR_MS, DAY_MS)),
        *(("m", at) for at in (0, HOUR_MS, DAY_MS)),
    }
    assert (await store.counted()).place == 1
