"""The hive commands over a hive in memory."""

import asyncio
from typing import Any

import jsonschema
import pytest

from services.executor.commands.base import Completed, Failed, Outcome
from shared.contracts.collective import Participant
from tests.unit.collective.hive import CATALOG, LittleHive

SILENT_S = 0.2


def completed(command: str, outcome: Outcome) -> dict[str, Any]:
    """The output, which fits the command's own schema."""
    assert isinstance(outcome, Completed), outcome
    jsonschema.validate(outcome.output, CATALOG[command].spec.output)
    return outcome.output


def failed(outcome: Outcome, code: str) -> Failed:
    assert isinstance(outcome, Failed), outcome
    assert outcome.code == code, outcome
    return outcome


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("hv-status", {}),
        ("hv-broadcast", {"message": "x"}),
        ("hv-delegate", {"task": "x"}),
        ("hv-query", {"query": "x"}),
        ("recall", {}),
        ("remember", {"content": "x"}),
        ("hv-sync", {"operation": "status"}),
    ],
)
async def test_without_a_hive_it_says_so(
    hive: LittleHive, command: str, parameters: dict[str, Any]
) -> None:
    """An agent without the hive fails plainly."""
    outcome = await hive.run(command, parameters, hive=lambda: None)
    assert "not connected" in failed(outcome, "hive_unavailable").message


async def test_status_is_computed_from_answers(hive: LittleHive) -> None:
    """Load, slots and capabilities are of those that answered; who did not is unreachable."""
    await hive.join("a", "b", "c")
    await hive.announce("a", running=1, load=0.25, capabilities=("shell", "http"))
    await hive.announce("b", running=3, load=0.75, capabilities=("shell",))
    await hive.announce("c", draining=True, memory_percent=97.5)
    await hive.announce("gone")
    found = completed("hv-status", await hive.run("hv-status", {"deadline_s": SILENT_S}))
    assert (found["total"], found["reachable"], found["healthy"]) == (4, 3, 2)
    assert (found["unreachable"], found["unhealthy"]) == (["gone"], ["c"])
    assert found["mean_load"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["free_slots"] == 3 + 1 + 4
    assert found["capabilities"] == {"http": 1, "shell": 2}
    assert found["agents"][2]["reasons"] == [
        "memory in use: 97.5% > 95%",
        "is draining: takes no tasks",
    ]
    assert found["agents"][0]["uptime_s"] == 1.0


async def test_status_of_some(hive: LittleHive) -> None:
    """Named agents only; one that nobody knows is unreachable."""
    await hive.join("a", "b")
    parameters = {"agents": ["b", "nobody"], "deadline_s": SILENT_S}
    found = completed("hv-status", await hive.run("hv-status", parameters))
    assert [agent["agent"] for agent in found["agents"]] == ["b"]
    assert found["unreachable"] == ["nobody"]


async def test_broadcast_is_kept_and_acknowledged(hive: LittleHive) -> None:
    """Every live agent keeps it on disk; who has it, and who has not, is in the output."""
    responders = await hive.join("a", "b")
    await hive.announce("gone")
    parameters = {"message": "disk full", "severity": "critical", "deadline_s": SILENT_S}
    found = completed("hv-broadcast", await hive.run("hv-broadcast", parameters))
    assert found["acknowledged_by"] == ["a", "b"]
    assert (found["expected"], found["missing"]) == (3, ["gone"])
    for responder in responders:
        assert (await responder.status(None)).broadcasts_kept == 1  # type: ignore[arg-type]
    again = completed("hv-broadcast", await hive.run("hv-broadcast", parameters))
    assert again["broadcast_id"] == found["broadcast_id"]
    assert len(await hive.port.broadcasts.newest()) == 1
    state = {"broadcast_id": found["broadcast_id"], "deadline_s": SILENT_S}
    status = completed("hv-status", await hive.run("hv-status", state))
    assert status["broadcast"]["missing"] == ["gone"]


@pytest.mark.parametrize(
    ("live", "require", "succeeds"),
    [
        (["a"], "all", False),
        (["a"], "any", True),
        ([], "any", False),
        ([], "none", True),
        (["a", "gone"], "all", True),
    ],
)
async def test_broadcast_requires(
    hive: LittleHive, live: list[str], require: str, succeeds: bool
) -> None:
    """`require` decides; a failure names who is missing and carries the output."""
    await hive.join(*live)
    await hive.announce("gone")
    parameters = {"message": "x", "require": require, "deadline_s": SILENT_S}
    outcome = await hive.run("hv-broadcast", parameters)
    if succeeds:
        completed("hv-broadcast", outcome)
    else:
        failure = failed(outcome, "not_acknowledged")
        assert "missing: gone" in failure.message
        assert failure.retryable
        assert failure.output["missing"] == ["gone"]


async def test_an_agent_that_cannot_keep_it_says_why(hive: LittleHive) -> None:
    """A full or broken disk is an error of that agent, not a silence."""
    await hive.join("a", "b")
    (hive.folder / "b" / "broadcasts").write_text("a file is in the way")
    parameters = {"message": "x", "require": "all", "deadline_s": 5}
    failure = failed(await hive.run("hv-broadcast", parameters), "not_acknowledged")
    assert list(failure.output["errors"]) == ["b"]


async def test_who_was_away_gets_it_later(hive: LittleHive) -> None:
    """An agent that comes back receives what it missed, once, and acknowledges."""
    await hive.join("a")
    await hive.announce("late")
    parameters = {"message": "x", "deadline_s": SILENT_S}
    completed("hv-broadcast", await hive.run("hv-broadcast", parameters))
    late = hive.responder("late")
    await late.catch_up()
    await late.catch_up()
    (kept,) = await hive.port.broadcasts.newest()
    assert kept.acknowledged_by() == {"a", "late"}
    assert len(list((hive.folder / "late" / "broadcasts").iterdir())) == 1


async def test_remember_then_recall(hive: LittleHive) -> None:
    """An attempt remembers once; recall finds it with a score and its parts."""
    parameters = {"content": "The disk of db-1 was full", "tags": ["disk"], "importance": 0.9}
    first = completed("remember", await hive.run("remember", parameters))
    again = completed("remember", await hive.run("remember", parameters))
    assert (first["created"], again["created"]) == (True, False)
    assert first["memory_id"] == again["memory_id"]
    other = completed("remember", await hive.run("remember", parameters, attempt=2))
    assert other["memory_id"] != first["memory_id"]
    found = completed("recall", await hive.run("recall", {"query": "full disks", "limit": 1}))
    (memory,) = found["memories"]
    assert (memory["author"], memory["importance"]) == ("a", 0.9)
    assert set(memory["parts"]) == {"relevance", "recency", "importance"}


async def test_memories_expire(hive: LittleHive) -> None:
    """After its time a memory is not recalled."""
    await hive.run("remember", {"content": "soon stale", "expires_in_s": 60})
    hive.clock.advance(60_000)
    found = completed("recall", await hive.run("recall", {"query": "stale"}))
    assert found["count"] == 0


async def test_recall_fits_the_output(hive: LittleHive) -> None:
    """Memories that do not fit into the agent's output limit are left out, the best are given."""
    for attempt in range(1, 41):
        await hive.run("remember", {"content": "x" * 10_000}, attempt=attempt)
    found = completed("recall", await hive.run("recall", {"limit": 40}))
    assert found["count"] == 40
    assert len(found["memories"]) + found["left_out"] == 40
    assert found["left_out"] > 0


async def test_query_joins_memory_agents_and_participants(hive: LittleHive) -> None:
    """Each part is asked at once, and answered for itself."""
    await hive.join("a", "b")
    await hive.announce("gone")
    await hive.run("remember", {"content": "database was slow", "category": "incident"})
    await hive.port.participants.save(Participant(name="ann", kind="human", capabilities=("db",)))
    await hive.port.participants.save(Participant(name="bot", kind="ai"))
    parameters = {
        "query": "slow database",
        "facts": ["host", "platform", "uptime", "disk", "load", "memory", "versions"],
        "processes": ["no-such-process-here"],
        "find_participants": True,
        "required_capabilities": ["db"],
        "deadline_s": 5,
    }
    asking = hive.run("hv-query", {**parameters, "agents": ["a", "b", "gone"]})
    found = completed("hv-query", await asking)
    assert found["memories"][0]["category"] == "incident"
    assert [agent["agent"] for agent in found["agents"]] == ["a", "b"]
    facts = found["agents"][0]["facts"]
    assert facts["processes"]["no-such-process-here"] == {"running": False, "count": 0, "pids": []}
    assert facts["disk"]["total_bytes"] > 0
    assert facts["uptime"]["host_s"] > 0
    assert found["unreachable"] == ["gone"]
    assert [p["name"] for p in found["participants"]] == ["ann"]


async def test_query_finds_a_running_process(hive: LittleHive) -> None:
    """A process that runs is found by the name of its program."""
    await hive.join("a")
    process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        found = completed("hv-query", await hive.run("hv-query", {"processes": ["sleep"]}))
        assert process.pid in found["agents"][0]["facts"]["processes"]["sleep"]["pids"]
    finally:
        process.kill()
        await process.wait()


async def test_query_must_ask_something(hive: LittleHive) -> None:
    """A question without a question is refused before anything is asked."""
    failed(await hive.run("hv-query", {"limit": 3}), "invalid_parameters")
