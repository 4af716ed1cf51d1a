"""Pictures of executions, made by the core itself, for findings to look at."""

from __future__ import annotations

from typing import Any

from shared.contracts.agents import AgentRecord
from shared.contracts.api.explain import Explanation, Finding
from shared.contracts.quarantine import QuarantineEntry, Resolution
from shared.explain.explain import explain
from shared.explain.picture import Coordination, Picture
from shared.workflow.messages import Actor
from tests.unit.workflow.scenario import Run

HELD = Coordination(partition=3, owner="exec-1-77", lag=0)


def agent(name: str = "a1", **fields: Any) -> AgentRecord:
    made = {"host": name, "version": "1", "slots": 4, "started_at_ms": 0, "seen_at_ms": 1_000_000}
    return AgentRecord.model_validate({"name": name, **made, **fields})


def picture(run: Run, *agents: AgentRecord, after_ms: int = 1_000, **fields: Any) -> Picture:
    """An execution with these agents alive, some time after the last thing happened."""
    made: dict[str, Any] = {"agents": agents or (agent(),), "coordination": HELD, **fields}
    return Picture(
        execution_id="x1",
        now_ms=run.now + after_ms,
        **{"state": run.state, "program": run.program, **made},
    )


def quarantined(seq: int = 9, *, resolved: bool = False) -> QuarantineEntry:
    done = Resolution(outcome="discarded", by=Actor(), at_ms=1) if resolved else None
    return QuarantineEntry(
        id=f"x1:{seq}",
        execution_id="x1",
        partition=3,
        seq=seq,
        at_ms=5,
        reason="template t@1.0.0 is not stored",
        payload="{}",
        resolution=done,
    )


def first(found: Explanation) -> Finding:
    """The finding that is the answer."""
    assert found.findings
    assert (found.answer, found.action) == (found.findings[0].says, found.findings[0].action)
    return found.findings[0]


def finding(shown: Picture, cause: str) -> Finding:
    """The only finding of a cause."""
    (found,) = [one for one in explain(shown).findings if one.cause == cause]
    return found
