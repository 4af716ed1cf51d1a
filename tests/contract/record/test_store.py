"""What the record at rest does, in memory and in MongoDB."""

from __future__ import annotations

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.record import MongoRecordStore
from shared.learning.records import AnyRecord, Forget
from shared.ports.record import Expired, Placed, RecordStore
from tests.contract.record.samples import command, feedback, forget, rollback, run

FAR = 1_790_000_000_000_000
"""A place as the real stream gives them."""


def placed(items: dict[int, AnyRecord]) -> list[Placed]:
    return [Placed(FAR + place, item) for place, item in items.items()]


async def everything(store: RecordStore, after: int = 0, upto: int | None = None) -> list[Placed]:
    return [one async for one in store.read(after, upto)]


async def test_gives_back_what_was_put(store: RecordStore) -> None:
    """Every kind of item comes back equal, in the order of places, within bounds."""
    items = placed(
        {
            1: command("1", "ü\n"),
            4: run("2"),
            6: rollback("9"),
            2: feedback("3", "a"),
            9: forget("4"),
        }
    )
    in_order = sorted(items, key=lambda one: one.place)
    assert await store.last() == 0
    assert await everything(store) == []
    assert list(await store.put(items)) == in_order
    assert await everything(store) == in_order
    assert await everything(store, FAR + 1, FAR + 4) == in_order[1:3]
    assert await store.last() == FAR + 9


async def test_an_id_is_kept_once(store: RecordStore) -> None:
    """An item that is there keeps its first place; the same id of another type is another item."""
    first = placed({1: command("1"), 2: run("1")})
    await store.put(first)
    again = placed({3: command("1", "changed"), 4: command("2"), 5: command("2", "twice")})
    assert list(await store.put(again)) == again[1:2]
    assert await everything(store) == [*first, again[1]]
    assert await store.last() == FAR + 5


async def test_what_was_here_is_not_taken_again(store: RecordStore) -> None:
    """What comes again at a place that was put is not new, even when it was removed since."""
    items = placed({1: command("1", "secret"), 2: command("2", "ls")})
    await store.put(items)
    assert await store.remove(forget("x", command="secret"), FAR + 9) == 1
    assert await store.put(items) == ()
    assert await everything(store) == items[1:]
    assert await store.put([]) == ()


async def test_what_one_user_has(store: RecordStore) -> None:
    """Commands and feedback of one user are given in order; no others, and nothing of runs."""
    items = placed(
        {
            2: command("1", "a", user="ada"),
            3: command("2", user="bob"),
            1: feedback("3", "x", user="ada"),
            4: run("4", by="ada"),
            5: forget("5", user="ada"),
        }
    )
    await store.put(items)
    assert [one async for one in store.of_user("ada")] == [items[2], items[0]]
    assert [one async for one in store.of_user("eve")] == []
    assert [one async for one in store.of_user("")] == []


async def test_forgets_a_user(store: RecordStore) -> None:
    """Commands and feedback of one user go; those of others, runs and orders stay."""
    items = placed(
        {
            1: command("1", user="ada"),
            2: command("2", user="bob"),
            3: feedback("3", "x", user="ada"),
            4: run("4", by="ada"),
            5: forget("5", user="ada"),
        }
    )
    await store.put(items)
    assert await store.remove(forget("x", user="ada"), FAR + 9) == 2
    assert await store.remove(forget("x", user="ada"), FAR + 9) == 0
    assert await everything(store) == [items[1], items[3], items[4]]
    assert await store.last() == FAR + 5


async def test_forgets_a_line(store: RecordStore) -> None:
    """A line goes where it was run, suggested or chosen: anyone's, or one user's."""
    items = placed(
        {
            1: command("1", "mysql -p x", user="ada"),
            2: command("2", "mysql -p x", user="bob"),
            3: feedback("3", "mysql -p x", user="bob"),
            4: feedback("4", "ls", chosen="mysql -p x", user="ada"),
            5: command("5", "mysql", user="ada"),
        }
    )
    await store.put(items)
    assert await store.remove(forget("x", user="ada", command="mysql -p x"), FAR + 9) == 2
    assert await store.remove(forget("x", command="mysql -p x"), FAR + 3) == 1
    assert await store.remove(forget("x", command="mysql -p x"), FAR + 9) == 1
    assert await store.remove(forget("x"), FAR + 9) == 0
    assert await everything(store) == [items[4]]


async def test_expires(store: RecordStore) -> None:
    """What is older than a time goes, of one kind."""
    items = placed(
        {
            1: command("1", at_ms=10),
            2: run("2", at_ms=10),
            3: command("3", at_ms=20),
            4: forget("4"),
        }
    )
    await store.put(items)
    assert await store.first_since(11) == FAR + 3
    assert await store.first_since(21) == FAR + 5
    assert await store.expired() == Expired()
    assert await store.expire("command", 20, FAR) == 0
    assert await store.expire("command", 20, FAR + 2) == 1
    assert await store.expire("command", 20, FAR + 3) == 0
    assert await store.expired() == Expired(FAR + 2, 1)
    assert await everything(store) == items[1:]
    assert await store.expire("run", 1_000, FAR + 9) == 1
    assert await store.expire("command", 1_000, FAR + 9) == 1
    assert await store.expired() == Expired(FAR + 9, 3)
    assert await everything(store) == items[3:]
    assert await store.last() == FAR + 4


async def test_knows_how_far_orders_reach(store: RecordStore) -> None:
    """The first place of what an order named, also when it was carried out twice; its own where
    that was nothing, and 0 where what it names went by age."""
    items = placed(
        {
            1: command("1", "old", user="eve", at_ms=1),
            2: command("2", "ls", user="ada", at_ms=9),
            3: command("3", "ls", user="bob", at_ms=9),
            5: forget("5", command="ls"),
            6: forget("6", user="ada"),
            7: forget("7", user="eve"),
            8: forget("8", command="old"),
            9: forget("9", user="dan"),
        }
    )
    await store.put(items[:3])
    assert await store.reach(0, FAR + 4) == FAR + 5
    await store.expire("command", 5, FAR + 1)
    for order in items[3:]:
        assert isinstance(order.item, Forget)
        if order.place != FAR + 9:
            await store.remove(order.item, order.place)
            await store.remove(order.item, order.place)
        await store.put([order])
    assert await store.reach(0, FAR + 5) == FAR + 2
    assert await store.reach(FAR + 5, FAR + 6) == FAR + 6
    assert await store.reach(FAR + 6, FAR + 7) == 0
    assert await store.reach(FAR + 7, FAR + 8) == 0
    assert await store.reach(FAR + 8, FAR + 9) == 0
    assert await store.reach(FAR + 9, FAR + 10) == FAR + 11


async def test_many(store: RecordStore) -> None:
    """More than is read at once comes whole and in order."""
    items = placed({n: command(str(n), f"echo {n}") for n in range(1, 2_501)})
    await store.put(items)
    assert await everything(store) == items


async def test_counts_and_knows(store: RecordStore) -> None:
    """How many items are behind a place, which ids are there, and all orders to forget."""
    items = placed({1: command("1"), 2: forget("2"), 3: run("1"), 4: forget("3")})
    await store.put(items)
    assert await store.count() == 4
    assert await store.count(FAR + 2) == 2
    assert await store.known("command", ["1", "2"]) == {"1"}
    assert await store.known("run", []) == frozenset()
    assert list(await store.orders()) == [items[1], items[3]]


async def test_what_is_damaged_hides_nothing_else(mongo_url: str) -> None:
    """A kept item that cannot be read is left out; those around it are given."""
    mongo = Mongo(mongo_url, journaled=False)
    store = MongoRecordStore(mongo)
    items = placed({1: command("1"), 2: command("2"), 3: command("3")})
    await store.put(items)
    for broken in ({"item": '{"type":"command"}'}, {"item": "}"}, {"item": None}):
        await mongo.database["record"].update_one({"_id": "command.2"}, {"$set": broken})
        assert await everything(store) == [items[0], items[2]]
    await mongo.close()
