"""Recorded commands through the gateway, on real NATS and MongoDB: who may record for whom, what
counts once, what is never stored, and what is forgotten."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.learning.meant_lines import meant_lines
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.nats.reading import Read, read_stream
from shared.adapters.nats.record import NatsRecordKeeping
from shared.adapters.nats.rpc import RpcService
from shared.contracts import rpc, subjects
from shared.learning.records import RECORD, Feedback, Forget, RecordedCommand
from shared.memory.record import MemoryRecordStore
from shared.ports.record import Placed
from shared.runtime import recording_metrics
from tests.integration.gateway_fixtures import own_database
from tests.integration.gateway_fixtures import quiet_world as _world_fixture  # noqa: F401
from tests.integration.gateway_world import World, open_world
from tests.servers import Servers
from tests.unit.learning.lines_with_secrets import SECRET, TOKENS, WITH_SECRET

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMANDS = "/api/v1/commands"


@pytest.fixture
def name() -> str:
    """A user of this test alone; the stream is shared."""
    return f"u-{secrets.token_hex(4)}"


async def recorded(world: World, user: str) -> list[Placed]:
    """What the stream holds of a user, or ordered by one."""
    found = [
        Placed(message.seq, RECORD.validate_json(message.data))
        async for message in _messages(world)
        if user.encode() in message.data
    ]
    return [one for one in found if user in (getattr(one.item, "user", ""), _by(one))]


def _by(one: Placed) -> str:
    return one.item.by if isinstance(one.item, Forget) else ""


async def lines(world: World, user: str) -> list[str]:
    items = [one.item for one in await recorded(world, user)]
    return [item.command for item in items if isinstance(item, RecordedCommand)]


async def raw(world: World) -> bytes:
    """Every byte of the stream."""
    return b"\n".join([message.data async for message in _messages(world)])


def _messages(world: World) -> AsyncGenerator[Read, None]:
    return read_stream(world.bus, subjects.RECORD, ("hive.record.>",), after=0, to_the_end=True)


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    problem: dict[str, Any] = answer.json()
    return problem


async def test_one_or_a_batch(world: World, name: str) -> None:
    """One command, a list and a batch are taken, in their order, as the key's own; the answer has
    the ids, given or made."""
    async with await world.as_role("agent", name) as agent:
        one = await agent.post(COMMANDS, json={"id": "1", "command": "ls", "exit": 0})
        listed = await agent.post(COMMANDS, json=[{"command": "cd /srv"}, {"command": "make"}])
        batch = await agent.post(
            COMMANDS,
            json={
                "commands": [
                    {
                        "id": "4",
                        "command": "kubectl get pods\n# second line",
                        "at_ms": 5,
                        "session": "s1",
                        "cwd": "/srv",
                        "host": "web-1",
                        "osuser": "root",
                        "shell": "bash",
                        "exit": 130,
                        "duration_ms": 12,
                        "source": "shell",
                    }
                ]
            },
        )
    assert one.json() == {"recorded": 1, "masked": 0, "left_out": 0, "why": "", "ids": ["1"]}
    assert [one_id[:4] for one_id in listed.json()["ids"]] == ["cmd_", "cmd_"]
    assert batch.json()["recorded"] == 1
    items = [placed.item for placed in await recorded(world, name)]
    assert await lines(world, name) == ["ls", "cd /srv", "make", "kubectl get pods"]
    last = items[-1]
    assert isinstance(last, RecordedCommand)
    assert last.model_dump(exclude={"id"}) == {
        "type": "command",
        "at_ms": 5,
        "user": name,
        "command": "kubectl get pods",
        "session": "s1",
        "cwd": "/srv",
        "host": "web-1",
        "osuser": "root",
        "shell": "bash",
        "exit": 130,
        "duration_ms": 12,
        "more_lines": True,
        "source": "shell",
    }


async def test_an_id_counts_once(world: World, name: str) -> None:
    """The same batch sent again changes nothing, on the way and at rest; the same id of another
    user is another command."""
    body = {"commands": [{"id": str(n), "command": f"echo {n}"} for n in range(20)]}
    async with await world.as_role("agent", name) as agent:
        for _ in range(2):
            answer = await agent.post(COMMANDS, json=body)
            assert answer.json()["recorded"] == 20
    async with await world.as_role("agent", f"{name}x") as other:
        await other.post(COMMANDS, json={"id": "0", "command": "echo 0"})
    assert await lines(world, name) == [f"echo {n}" for n in range(20)]
    assert await lines(world, f"{name}x") == ["echo 0"]
    store = MongoRecordStore(world.mongo)
    items = await recorded(world, name)
    late = [Placed(one.place + 10**6, one.item) for one in items]  # long after, once more
    assert list(await store.put(items)) == items
    assert await store.put(late) == ()


async def test_a_full_batch(world: World, name: str) -> None:
    """A thousand commands are one batch; one more is refused, and says so."""
    body = [{"command": f"echo {n}"} for n in range(1_000)]
    async with await world.as_role("agent", name) as agent:
        assert (await agent.post(COMMANDS, json=body)).json()["recorded"] == 1_000
        problem = refused(await agent.post(COMMANDS, json=[*body, {"command": "x"}]), 422)
    assert problem["errors"][0]["field"] == "commands"
    assert "1000" in problem["errors"][0]["message"]
    assert len(await lines(world, name)) == 1_000


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({}, "commands/1/command"),
        ({"command": "  \n"}, "commands/1/command"),
        ({"command": "x" * 20_001}, "commands/1/command"),
        ({"command": "ls", "exit": "zero"}, "commands/1/exit"),
        ({"command": "ls", "duration_ms": -1}, "commands/1/duration_ms"),
        ({"command": "ls", "at_ms": -1}, "commands/1/at_ms"),
        ({"command": "ls", "id": ""}, "commands/1/id"),
        ({"command": "ls", "source": "step"}, "commands/1/source"),
        ({"command": "ls", "colour": "red"}, "commands/1/colour"),
    ],
)
async def test_errors_name_item_and_field(
    world: World, name: str, item: dict[str, Any], field: str
) -> None:
    """A batch with an item that does not fit is refused whole, with the item's index and field."""
    async with await world.as_role("agent", name) as agent:
        problem = refused(await agent.post(COMMANDS, json=[{"command": "ls"}, item]), 422)
    assert field in [one["field"] for one in problem["errors"]]
    assert await lines(world, name) == []


async def test_who_may_record_for_whom(world: World, name: str) -> None:
    """A viewer records nothing, an agent its own, an operator what it imports for others."""
    body = {"commands": [{"command": "ls"}], "user": name}
    async with await world.as_role("viewer") as viewer:
        assert "record" in refused(await viewer.post(COMMANDS, json=body), 403)["detail"]
    async with await world.as_role("agent", f"{name}x") as agent:
        assert "operator" in refused(await agent.post(COMMANDS, json=body), 403)["detail"]
        refused(
            await agent.post(f"{COMMANDS}/forget", json={"everything": True, "user": name}), 403
        )
        refused(await agent.get(f"{COMMANDS}/recording", params={"user": name}), 403)
        refused(await agent.put(f"{COMMANDS}/recording", json={"on": False, "user": name}), 403)
        whole = {"command": "ls", "everybody": True}
        refused(await agent.post(f"{COMMANDS}/forget", json=whole), 403)
    async with await world.as_role("operator", f"{name}y") as operator:
        assert (await operator.post(COMMANDS, json=body)).status_code == 200
    assert await lines(world, name) == ["ls"]
    assert await lines(world, f"{name}x") == []


async def test_opting_out(world: World, name: str) -> None:
    """Nothing of who has opted out is recorded, whoever sends it, and the answer says why; opting
    in again ends that."""
    async with await world.as_role("agent", name) as agent:
        before = (await agent.get(f"{COMMANDS}/recording")).json()
        assert before == {"user": name, "on": True, "since_ms": 0, "by": ""}
        off = (await agent.put(f"{COMMANDS}/recording", json={"on": False})).json()
        assert (off["on"], off["by"]) == (False, name)
        answer = (await agent.post(COMMANDS, json=[{"command": "ls"}, {"command": "id"}])).json()
        assert (answer["recorded"], answer["left_out"], answer["ids"]) == (0, 2, [])
        assert "opted out" in answer["why"]
        as_admin = {"commands": [{"command": "ls"}], "user": name}
        assert (await world.client.post(COMMANDS, json=as_admin)).json()["left_out"] == 1
        assert await lines(world, name) == []
        shown = await world.client.get(f"{COMMANDS}/recording", params={"user": name})
        assert shown.json() == off
        await agent.put(f"{COMMANDS}/recording", json={"on": True})
        await agent.post(COMMANDS, json={"command": "pwd"})
    assert await lines(world, name) == ["pwd"]


async def test_no_secret_is_stored(world: World, name: str) -> None:
    """Of a corpus of lines with secrets, none is in the stream or in the database."""
    tokens = [f"curl https://x.net/{token}" for token in TOKENS]
    body = [{"command": line} for line in (*WITH_SECRET, *tokens)]
    async with await world.as_role("agent", name) as agent:
        answer = (await agent.post(COMMANDS, json=body)).json()
    assert answer["masked"] == answer["recorded"] == len(body)
    store = MongoRecordStore(world.mongo)
    items = await recorded(world, name)
    base = await store.last()
    await store.put([Placed(base + number, one.item) for number, one in enumerate(items, 1)])
    stored = [str(one) async for one in world.mongo.database["record"].find({"user": name})]
    assert len(stored) == len(body)
    for place in (await raw(world), "\n".join(stored).encode()):
        for secret in (SECRET, "S3cr3t", *TOKENS):
            assert secret.encode() not in place


async def test_what_comes_is_counted(world: World, name: str) -> None:
    """Commands that are accepted, masked and left out are counted, feedback by its verdict, and
    requests that are refused by why; nothing that is counted names a user or a command."""
    before = counted(world)
    async with await world.as_role("agent", name) as agent:
        await agent.post(COMMANDS, json=[{"command": "ls"}, {"command": WITH_SECRET[0]}])
        refused(
            await agent.post(COMMANDS, json={"user": "someone", "commands": [{"command": "ls"}]}),
            403,
        )
        refused(await agent.post(COMMANDS, json={"commando": "ls"}), 422)
        said = {"suggestion_id": "s", "verdict": "dismissed", "suggested": "disk_check"}
        await agent.post("/api/v1/suggestions/feedback", json=said)
        await agent.put(f"{COMMANDS}/recording", json={"on": False})
        await agent.post(COMMANDS, json=[{"command": "id"}] * 3)
        await agent.post("/api/v1/suggestions/feedback", json=said)
    after = counted(world)
    assert {key: count - before[key] for key, count in after.items() if count != before[key]} == {
        "hive_commands_received_total accepted": 2,
        "hive_commands_received_total left_out": 3,
        "hive_commands_masked_total": 1,
        "hive_recording_refused_total forbidden": 1,
        "hive_recording_refused_total invalid": 1,
        "hive_suggestion_feedback_total workflow dismissed": 1,
    }
    assert not any(name in key or "someone" in key for key in after)


def counted(world: World) -> dict[str, float]:
    """The gateway's counters of recording: name and values of labels."""
    names = {metric.name for metric in recording_metrics.TABLE}
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in world.app.state.registry.collect()
        for sample in family.samples
        if sample.name in names
    }


async def test_forgetting_a_line(world: World, name: str) -> None:
    """An order to forget a line, as it was typed or recorded, takes it from stream and store, for
    its user alone, and holds no line itself."""
    typed = "mysql -pS3cr3t! shop"
    users = (name, f"{name}x")
    for user in users:
        async with await world.as_role("agent", user) as agent:
            await agent.post(COMMANDS, json=[{"command": typed}, {"command": "ls"}])
            if user == name:
                forget = {"command": typed}
                answer = await agent.post(f"{COMMANDS}/forget", json=forget)
                assert answer.status_code == 202
                assert answer.json()["command"] == "mysql -p*** shop"
    await _carry_out(world, await recorded(world, name))
    assert await lines(world, name) == ["ls"]
    assert await lines(world, f"{name}x") == ["mysql -p*** shop", "ls"]
    assert b"S3cr3t" not in await raw(world)
    orders = [one.item for one in await recorded(world, name) if isinstance(one.item, Forget)]
    assert [order.command[:7] for order in orders] == ["sha256:"]


async def test_forget_me(world: World, name: str) -> None:
    """All of a user goes; what they run later is recorded again."""
    async with await world.as_role("agent", name) as agent:
        await agent.post(COMMANDS, json=[{"command": "ls"}, {"command": "id"}])
        answer = await agent.post(f"{COMMANDS}/forget", json={"everything": True})
        assert answer.json()["user"] == name
        await agent.post(COMMANDS, json={"command": "pwd"})
    await _carry_out(world, await recorded(world, name))
    assert await lines(world, name) == ["pwd"]


async def test_an_operator_forgets_for_everybody(world: World, name: str) -> None:
    """A line that nobody shall find again is forgotten whoever ran it."""
    line = f"echo {name}"
    for user in (name, f"{name}x"):
        async with await world.as_role("agent", user) as agent:
            await agent.post(COMMANDS, json=[{"command": line}, {"command": "ls"}])
    async with await world.as_role("operator", f"{name}y") as operator:
        body = {"command": line, "everybody": True}
        assert (await operator.post(f"{COMMANDS}/forget", json=body)).json()["user"] == ""
    await _carry_out(world, await recorded(world, f"{name}y"))
    assert await lines(world, name) == await lines(world, f"{name}x") == ["ls"]


@asynccontextmanager
async def answering(world: World, *users: str) -> AsyncGenerator[None, None]:
    """While a learning service answers what a pattern means of what these users recorded."""
    store = MemoryRecordStore()
    await store.put([one for user in users for one in await recorded(world, user)])
    service = RpcService(world.bus, "learning", "1.0.0")
    await service.start()
    await service.serve(rpc.LEARNING_MEANT_LINES, partial(meant_lines, store))
    yield
    await service.close()


async def test_forgetting_by_pattern(world: World, name: str) -> None:
    """A pattern is an order for each line that it means of the caller's own; a preview orders
    nothing, and shows lines only to whose they are. Too many lines are refused, by the field."""
    mine = ["mysql a", "mysql b", "mysql a", "ls"] + [f"echo {n}" for n in range(201)]
    forget, other = f"{COMMANDS}/forget", f"{name}x"
    async with (
        await world.as_role("agent", name) as agent,
        await world.as_role("operator", other) as operator,
    ):
        await agent.post(COMMANDS, json=[{"command": line} for line in mine])
        await operator.post(COMMANDS, json={"command": "mysql c"})
        async with answering(world, name, other):
            body = {"matching": "mysql *", "preview": True}
            seen = await agent.post(forget, json=body)
            others = await operator.post(forget, json={**body, "user": name})
            many = await agent.post(forget, json={"matching": "echo *"})
            refused(await agent.post(forget, json={**body, "user": other}), 403)
            none = await agent.post(forget, json={"matching": "psql *"})
            assert await lines(world, name) == mine
            assert not [one for one in await recorded(world, name) if _by(one)]
            done = await agent.post(forget, json={"matching": "mysql *"})
    assert (seen.status_code, seen.json()["examples"]) == (200, ["mysql a", "mysql b"])
    assert (seen.json()["lines"], seen.json()["items"], seen.json()["id"]) == (2, 3, "")
    assert (others.json()["lines"], others.json()["examples"]) == (2, [])
    assert refused(many, 422)["errors"][0]["field"] == "matching"
    assert (none.json()["id"], none.json()["lines"]) == ("", 0)
    assert (done.status_code, done.json()["lines"], done.json()["examples"]) == (202, 2, [])
    await _carry_out(world, await recorded(world, name))
    assert await lines(world, name) == mine[3:]
    assert await lines(world, other) == ["mysql c"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command": "ls", "everything": True},
        {"everything": True, "everybody": True},
        {"command": "ls", "everybody": True, "user": "bob"},
        {"command": ""},
        {"command": "ls", "matching": "l*"},
        {"matching": "l*", "everybody": True},
        {"matching": "*"},
        {"command": "ls", "preview": True},
    ],
)
async def test_an_order_names_one_thing(world: World, body: dict[str, Any]) -> None:
    """Nothing is forgotten by mistake: an order that names nothing, or too much, is refused."""
    refused(await world.client.post(f"{COMMANDS}/forget", json=body), 422)


async def test_forgetting_is_in_the_audit_trail(world: World, name: str) -> None:
    """Orders and choices leave a trail; each recorded command does not."""
    async with await world.as_role("agent", name) as agent:
        await agent.post(COMMANDS, json={"command": "ls"})
        await agent.put(f"{COMMANDS}/recording", json={"on": True})
        await agent.post(f"{COMMANDS}/forget", json={"everything": True})
    found = await world.gateway.parts.events.about(name, 10, category="audit")
    assert [event.type for event in found] == ["audit.set_recording", "audit.forget_commands"]


async def test_a_rate_bounds_commands(servers: Servers, tmp_path: Path, name: str) -> None:
    """A key may send so many at once, and then at its rate; the answer says how long to wait."""
    bounds = {"gateway_commands_per_s": 0.001, "gateway_commands_burst": 1_000}
    with own_database(servers) as mongo_url:
        async with (
            open_world(servers.nats_url(), mongo_url, tmp_path, **bounds) as world,
            await world.as_role("agent", name) as agent,
        ):
            whole = await agent.post(COMMANDS, json=[{"command": "ls"}] * 1_000)
            late = refused(await agent.post(COMMANDS, json={"command": "ls"}), 429)
            assert whole.json()["recorded"] == 1_000
            assert "commands per second" in late["detail"]
            long = await world.client.post(COMMANDS, json={"command": "l" * 20_000})
            assert long.json()["recorded"] == 1
            many = [{"command": "ls"}] * 950
            refused(await world.client.post(COMMANDS, json=many), 429)


async def test_feedback_keeps_to_the_same(world: World, name: str) -> None:
    """Feedback on a suggestion holds no secret, and of who has opted out none is kept."""
    said = {
        "suggestion_id": "sg_1",
        "verdict": "edited",
        "kind": "command",
        "suggested": "mysql shop",
        "chosen": "mysql -pS3cr3t! shop",
        "text": "db is down\npassword: S3cr3t!",
    }
    path = "/api/v1/suggestions/feedback"
    async with await world.as_role("agent", name) as agent:
        answer = await agent.post(path, json=said)
        assert answer.json()["recorded"] is True, answer.text
        (kept,) = [one.item for one in await recorded(world, name)]
        assert isinstance(kept, Feedback)
        assert (kept.chosen, kept.text) == ("mysql -p*** shop", "db is down\npassword: ***")
        await agent.put(f"{COMMANDS}/recording", json={"on": False})
        answer = await agent.post(path, json={**said, "suggestion_id": "sg_2"})
        assert (answer.json()["recorded"], "opted out" in answer.json()["why"]) == (False, True)
    assert len(await recorded(world, name)) == 1


async def _carry_out(world: World, items: Sequence[Placed]) -> None:
    """Do with an order what the one who keeps the record does."""
    keeping, store = NatsRecordKeeping(world.bus), MongoRecordStore(world.mongo)
    for one in items:
        if isinstance(one.item, Forget):
            await keeping.erase(one.item, one.place)
            await store.remove(one.item, one.place)
