"""The diagnosis says what the figures say, and names everything that is out of bounds."""

from typing import Any

from services.cli.responder import judged
from shared.contracts.agents import AgentRecord

NOW_MS = 1_000_000


def agent(name: str, **changes: Any) -> AgentRecord:
    """An agent that is well."""
    figures: dict[str, Any] = {
        "name": name,
        "host": "h",
        "version": "1",
        "system_load": 0.5,
        "memory_percent": 40.0,
        "disk_percent": 30.0,
        "started_at_ms": 1,
        "seen_at_ms": NOW_MS - 1_000,
    }
    return AgentRecord.model_validate(figures | changes)


def test_a_healthy_fleet() -> None:
    """The summary counts the agents and gives the worst figures."""
    found = judged([agent("a"), agent("b", disk_percent=55)], (), NOW_MS)
    assert found.summary == "All 2 agents are well: fullest disk 55 %, highest load 0.5 per core."
    assert found.findings == ()
    assert found.as_result()["agents"][1]["disk_percent"] == 55


def test_everything_out_of_bounds_is_named() -> None:
    """Each limit has its own finding."""
    bad = agent(
        "db-1",
        disk_percent=97,
        memory_percent=95,
        system_load=9.0,
        seen_at_ms=NOW_MS - 20_000,
        draining=True,
    )
    found = judged([agent("a"), bad], ("ex_1",), NOW_MS)
    assert found.findings == (
        "db-1 was not heard of for 20 s",
        "the disk of db-1 is 97 % full",
        "the memory of db-1's host is 95 % used",
        "the load of db-1's host is 9.0 per core",
        "db-1 is shutting down",
    )
    assert "found: db-1 was not heard of" in found.summary
    assert found.as_result()["failed_executions"] == ["ex_1"]


def test_no_agent_is_a_finding() -> None:
    """An empty fleet is not a healthy one."""
    assert judged([], (), NOW_MS).summary == "No agent is alive."
    assert judged([], (), NOW_MS).findings == ("no agent is alive",)
