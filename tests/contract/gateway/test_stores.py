"""What every store of the gateway promises."""

from __future__ import annotations

import asyncio

import pytest

from shared.contracts.api.keys import ApiKey, Role
from shared.ports.executions import ExecutionQuery
from shared.ports.idempotency import Remembered
from shared.ports.keys import KeyNameTakenError
from shared.ports.templates import PutOutcome, StoredTemplate, TemplateQuery
from shared.templates.content import content_hash
from shared.workflow.definition import Template
from shared.workflow.events import ExecutionStarted
from shared.workflow.gate_state import GateState
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.messages import Actor, CancelRequested
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState
from tests.contract.gateway.conftest import Stores


def stored(
    template_id: str, version: str = "1.0.0", name: str = "N", **more: str
) -> StoredTemplate:
    steps = [{"id": "a", "command": "noop", "parameters": {"echo": {"$a.b": 2**70}}}]
    template = Template.model_validate(
        {"id": template_id, "version": version, "name": name, "steps": steps, **more}
    )
    return StoredTemplate(template, content_hash(template), 1, "me")


class TestTemplates:
    async def test_a_version_is_stored_once(self, stores: Stores) -> None:
        """The same again changes nothing, another definition is a conflict."""
        assert await stores.templates.put(stored("a")) is PutOutcome.CREATED
        assert await stores.templates.put(stored("a")) is PutOutcome.UNCHANGED
        assert await stores.templates.put(stored("a", name="X")) is PutOutcome.CONFLICT
        assert await stores.templates.find("a", "1.0.0") == stored("a")
        assert await stores.templates.get("a", "1.0.0") == stored("a").template
        assert await stores.templates.get("a", "2.0.0") is None
        assert await stores.templates.find("b") is None

    async def test_of_two_at_once_one_wins(self, stores: Stores) -> None:
        """Two different definitions of one version: one is created, the other a conflict."""
        outcomes = await asyncio.gather(
            stores.templates.put(stored("a", name="X")), stores.templates.put(stored("a", name="Y"))
        )
        assert sorted(outcomes) == [PutOutcome.CONFLICT, PutOutcome.CREATED]

    async def test_versions_sort_as_versions(self, stores: Stores) -> None:
        """10 comes after 9, and a pre-release after no release."""
        for version in ("1.9.0", "1.10.0", "2.0.0-rc.1", "1.10.0-beta"):
            await stores.templates.put(stored("a", version))
        found = [s.template.version for s in await stores.templates.versions("a")]
        assert found == ["1.10.0", "1.9.0", "2.0.0-rc.1", "1.10.0-beta"]
        newest = await stores.templates.find("a")
        assert newest is not None
        assert newest.template.version == "1.10.0"

    async def test_search_sees_the_newest_version_alone(self, stores: Stores) -> None:
        """What an older version said finds nothing; words are looked for as they are written."""
        await stores.templates.put(stored("a", "1.0.0", "Old words"))
        await stores.templates.put(stored("a", "1.1.0", "New (words)", category="ops"))
        await stores.templates.put(stored("b", "1.0.0", "Other", category="ops"))

        async def found(query: TemplateQuery) -> list[str]:
            return [s.template.id for s in await stores.templates.search(query)]

        assert await found(TemplateQuery(text="old")) == []
        assert await found(TemplateQuery(text="NEW (W")) == ["a"]
        assert await found(TemplateQuery(text=".")) == []
        assert await found(TemplateQuery(category="ops")) == ["a", "b"]
        assert await found(TemplateQuery(after="a")) == ["b"]
        assert await found(TemplateQuery(limit=1)) == ["a"]


def key(key_id: str, name: str, created_at_ms: int = 1) -> ApiKey:
    return ApiKey(
        id=key_id, name=name, role=Role.VIEWER, groups=("ops",), created_at_ms=created_at_ms
    )


class TestKeys:
    async def test_a_key_is_known_by_its_hash(self, stores: Stores) -> None:
        """Found by the hash, also after it was revoked; a use never goes back in time."""
        await stores.keys.add(key("k1", "ann"), "h1")
        await stores.keys.used("k1", 7)
        await stores.keys.used("k1", 5)
        assert await stores.keys.by_hash("h1") == key("k1", "ann").model_copy(
            update={"last_used_at_ms": 7}
        )
        assert await stores.keys.by_hash("h2") is None

    async def test_names_of_keys_in_force_differ(self, stores: Stores) -> None:
        """A name is free again once its key was revoked."""
        await stores.keys.add(key("k1", "ann"), "h1")
        with pytest.raises(KeyNameTakenError):
            await stores.keys.add(key("k2", "ann"), "h2")
        revoked = await stores.keys.revoke("k1", 9)
        assert revoked is not None
        assert revoked.revoked_at_ms == 9
        assert await stores.keys.revoke("k1", 11) == revoked
        await stores.keys.add(key("k2", "ann", 2), "h2")
        assert [k.id for k in await stores.keys.all()] == ["k2", "k1"]
        assert await stores.keys.revoke("none", 1) is None


async def test_the_first_request_under_a_key_is_kept(stores: Stores) -> None:
    """Of many at once one is first, and all are told of it."""
    requests = [Remembered("hash", f"ex_{n}", "1.0.0", 1_000_000_000_000) for n in range(8)]
    answers = await asyncio.gather(*(stores.idempotency.remember("k", r) for r in requests))
    assert len(set(answers)) == 1
    assert await stores.idempotency.find("k") == answers[0]
    assert await stores.idempotency.find("other") is None


def state(number: int, **more: object) -> ExecutionState:
    values = {
        "execution_id": f"ex_{number}",
        "template_id": "t",
        "template_version": "1.0.0",
        "category": "ops",
        "requested_by": Actor(id="ann"),
        "created_at_ms": 100 + number // 2,
        **more,
    }
    return ExecutionState.model_validate(values)


class TestExecutions:
    async def test_a_state_is_read_as_it_was_stored(self, stores: Stores) -> None:
        """Any JSON survives, also what a database would not take."""
        odd = state(1, outputs={"$where": 2**80, "a.b": [None]}, labels={"team.x": "$y"})
        await stores.write(odd, (), 1)
        assert await stores.executions.get("ex_1") == odd
        assert await stores.executions.get("ex_2") is None
        assert await stores.executions.get_many(["ex_2", "ex_1"]) == {"ex_1": odd}
        assert await stores.executions.get_many([]) == {}

    async def test_lists_filter_and_page(self, stores: Stores) -> None:
        """Filters hold together; a page goes on after creation time and id."""
        for number in range(6):
            label = {"team.x": "$y"} if number % 2 else {}
            await stores.write(state(number, labels=label), (), 1)
        await stores.write(state(9, category="dev", requested_by=Actor(id="bob")), (), 1)

        async def found(query: ExecutionQuery) -> list[str]:
            return [item.id for item in await stores.executions.find(query)]

        newest = ["ex_9", "ex_5", "ex_4", "ex_3", "ex_2", "ex_1", "ex_0"]
        assert await found(ExecutionQuery()) == newest
        assert await found(ExecutionQuery(limit=2, before=(102, "ex_5"))) == ["ex_4", "ex_3"]
        assert await found(ExecutionQuery(label=("team.x", "$y"))) == ["ex_5", "ex_3", "ex_1"]
        assert await found(ExecutionQuery(requested_by="bob", category="dev")) == ["ex_9"]
        assert await found(ExecutionQuery(since_ms=102, until_ms=102)) == ["ex_5", "ex_4"]
        assert await found(ExecutionQuery(statuses=("running",))) == []
        assert await found(ExecutionQuery(statuses=("pending",), template_id="t")) == newest

    async def test_executions_that_wait_for_approval_are_found(self, stores: Stores) -> None:
        """Only those with an open gate, for as long as it is open and they have not ended."""
        gate = GateState(status=ApprovalStatus.REQUESTED, round=1, step="a")
        await stores.write(state(1), (), 1)
        await stores.write(state(2, gates={"a": gate}), (), 1)
        await stores.write(state(3, gates={"a": gate}, status="cancelled"), (), 1)
        await stores.write(state(4, approval="requested"), (), 1)
        query = ExecutionQuery(awaits_approval=True)
        assert [item.id for item in await stores.executions.find(query)] == ["ex_4", "ex_2"]
        granted = gate.model_copy(update={"status": ApprovalStatus.GRANTED})
        await stores.write(state(2, gates={"a": granted}), (), 2)
        assert [item.id for item in await stores.executions.find(query)] == ["ex_4"]

    async def test_a_history_is_read_once_and_in_order(self, stores: Stores) -> None:
        """What a crash made the coordinator write twice, cut differently, comes once."""
        entries = tuple(
            HistoryEntry(
                seq=seq, at_ms=seq, message=CancelRequested(), events=(ExecutionStarted(),)
            )
            for seq in (3, 5, 8, 9)
        )
        await stores.write(state(1), entries[:2], 5)
        await stores.write(state(1), entries[1:3], 8)
        await stores.write(state(1), entries[2:], 9)
        history = await stores.executions.history("ex_1")
        assert [entry.seq for entry in history] == [3, 5, 8, 9]
        assert tuple(history) == entries
        assert [e.seq for e in await stores.executions.history("ex_1", after_seq=5)] == [8, 9]
        assert [e.seq for e in await stores.executions.history("ex_1", limit=2)] == [3, 5]
        assert await stores.executions.history("ex_2") == []
