"""Hive commands against real agents on real servers, one of them unreachable."""

import asyncio
import json
from typing import Any

from services.executor.commands.base import Completed, Deferred, Failed
from shared.adapters.nats.bundles import CONTENTS
from shared.contracts import subjects
from shared.contracts.collective import Participant
from shared.contracts.delegations import DelegationStatus
from tests.integration.hive.conftest import Fleet

SILENT_S = 1.0


async def events(fleet: Fleet) -> list[dict[str, Any]]:
    """The public events of the fleet's execution, oldest first."""
    jetstream = fleet.watcher.jetstream
    consumer = await jetstream.subscribe(
        f"hive.event.*.*.{subjects.token(fleet.execution)}", ordered_consumer=True
    )
    found: list[dict[str, Any]] = []
    while (await consumer.consumer_info()).num_pending or consumer.pending_msgs:
        found.append(json.loads((await consumer.next_msg(timeout=5)).data))
    await consumer.unsubscribe()
    return found


async def test_status_of_three_and_one_unreachable(fleet: Fleet) -> None:
    """Three answer for themselves; the fourth is announced, silent, and named."""
    await fleet.join("a", "b", "c")
    await fleet.announce("gone")
    outcome = await fleet.run("hv-status", {"deadline_s": SILENT_S})
    assert isinstance(outcome, Completed)
    assert [agent["agent"] for agent in outcome.output["agents"]] == ["a", "b", "c"]
    assert outcome.output["unreachable"] == ["gone"]


async def test_a_broadcast_reaches_all_and_later_the_one_that_was_away(fleet: Fleet) -> None:
    """It is stored, announced and acknowledged; who comes back receives it and acknowledges."""
    await fleet.join("a", "b", "c")
    await fleet.announce("late")
    parameters = {"message": "disk full", "require": "all", "deadline_s": SILENT_S}
    outcome = await fleet.run("hv-broadcast", parameters)
    assert isinstance(outcome, Failed)
    assert outcome.output["acknowledged_by"] == ["a", "b", "c"]
    assert outcome.output["missing"] == ["late"]
    await fleet.join("late")
    stored = None
    async with asyncio.timeout(20):
        while stored is None or "late" not in stored.acknowledged_by():
            stored = await fleet.collective.broadcasts.get(outcome.output["broadcast_id"])
            await asyncio.sleep(0.05)
    for name in ("a", "b", "c", "late"):
        (kept,) = (fleet.folder / name / "broadcasts").iterdir()
        assert json.loads(kept.read_text())["message"] == "disk full"
    told = await events(fleet)
    assert [event["type"] for event in told] == [
        "broadcast.sent",
        "broadcast.acknowledged",
        "broadcast.acknowledged",
    ]
    assert told[-1]["data"]["missing"] == []


async def test_memory_over_the_desk(fleet: Fleet) -> None:
    """Agents without a database remember, recall and ask each other for facts."""
    await fleet.join("a", "b")
    content = {"content": "The disks of db-1 were full", "category": "incident", "tags": ["db"]}
    first = await fleet.run("remember", content)
    again = await fleet.run("remember", content)
    assert isinstance(first, Completed)
    assert isinstance(again, Completed)
    assert (first.output["created"], again.output["created"]) == (True, False)
    parameters = {"query": "full disk", "facts": ["load"], "deadline_s": 10}
    outcome = await fleet.run("hv-query", parameters)
    assert isinstance(outcome, Completed)
    assert [m["memory_id"] for m in outcome.output["memories"]] == [first.output["memory_id"]]
    assert [agent["agent"] for agent in outcome.output["agents"]] == ["a", "b"]
    assert [event["type"] for event in await events(fleet)] == ["memory.remembered"]


async def test_a_delegation_declined_unanswered_and_done(fleet: Fleet) -> None:
    """Ann declines, Ben is silent, Cleo completes; each answer wakes the leg that waits."""
    for name in ("ann", "ben", "cleo"):
        await fleet.collective.participants.save(Participant(name=name, kind="human"))
    delegations = fleet.collective.delegations
    parameters = {"task": "look", "answer_within_s": 1}
    offered = await fleet.run("hv-delegate", parameters)
    assert isinstance(offered, Deferred)
    one = offered.output["delegation_id"]
    await delegations.decline(one, "ann", "ill", fleet.hive.clock.now_ms())
    to_ben = await fleet.run("hv-delegate", parameters, leg=1, token=offered.token)
    assert isinstance(to_ben, Deferred)
    assert to_ben.wake_at_s is not None
    await asyncio.sleep(max(0.0, to_ben.wake_at_s - fleet.hive.clock.now_ms() / 1000))
    to_cleo = await fleet.run("hv-delegate", parameters, leg=2, token=to_ben.token)
    assert isinstance(to_cleo, Deferred)
    assert to_cleo.output["asked"] == ["ann", "ben", "cleo"]
    await delegations.accept(one, "cleo", fleet.hive.clock.now_ms())
    await delegations.complete(one, "cleo", {"found": 1}, fleet.hive.clock.now_ms())
    done = await fleet.run("hv-delegate", parameters, leg=3, token=to_cleo.token)
    assert isinstance(done, Completed)
    assert done.output["result"] == {"found": 1}
    stored = await delegations.get(one)
    assert stored is not None
    assert stored.status is DelegationStatus.COMPLETED
    assert [event["type"] for event in await events(fleet)] == [
        "delegation.offered",
        "delegation.declined",
        "delegation.offered",
        "delegation.offered",
        "delegation.accepted",
        "delegation.completed",
    ]


async def test_files_reach_agents_and_bad_content_none(fleet: Fleet) -> None:
    """Pushed files arrive; content damaged in the store changes nothing anywhere; restoring brings
    the earlier version back."""
    await fleet.join("a", "b")
    bundle = fleet.execution  # the store is shared by all tests of the session

    def pushing(content: str) -> dict[str, Any]:
        files = [{"path": "etc/app.conf", "content": content}]
        return {"operation": "push", "bundle": bundle, "files": files, "deadline_s": 20}

    def on_disk() -> list[str]:
        return [
            (fleet.folder / name / "sync" / bundle / "etc/app.conf").read_text()
            for name in ("a", "b")
        ]

    assert isinstance(await fleet.run("hv-sync", pushing("one")), Completed)
    assert isinstance(await fleet.run("hv-sync", pushing("two"), attempt=2), Completed)
    assert on_disk() == ["two", "two"]

    version = await fleet.hive.bundles.get(bundle)
    assert version is not None
    first = version.versions[0].files[0].sha256
    store = await fleet.bus.jetstream.object_store(CONTENTS)
    await store.put(f"{bundle}/{first}", b"0ne")
    restore = {"operation": "restore", "bundle": bundle, "deadline_s": 20}
    failure = await fleet.run("hv-sync", restore, attempt=3)
    assert isinstance(failure, Failed)
    assert "checksum mismatch" in failure.output["agents"][0]["problems"][0]
    assert on_disk() == ["two", "two"]

    await store.put(f"{bundle}/{first}", b"one")
    again = {"operation": "force", "bundle": bundle, "deadline_s": 20}
    assert isinstance(await fleet.run("hv-sync", again, attempt=4), Completed)
    assert on_disk() == ["one", "one"]


async def test_without_a_desk_it_may_be_tried_again(fleet: Fleet) -> None:
    """While no coordinator serves, a command fails in a way that a retry may mend."""
    await fleet.desk_bus.close()
    outcome = await fleet.run("recall", {"query": "x"})
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("hive_unavailable", True)
