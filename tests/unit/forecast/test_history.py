"""Experience from stored executions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.forecast.experience import LEVELS, UNSEEN, distribution, share_within
from shared.forecast.history import experience_of, load_experience
from shared.memory.executions import MemoryExecutionQueries
from shared.workflow.gate_state import GateState
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.message_base import AttemptRecord, Failure, Instance
from shared.workflow.state import ExecutionState, StepState


def record(outcome: str, seconds: float = 1.0, agent: str = "one", **failure: Any) -> AttemptRecord:
    return AttemptRecord(
        number=1,
        outcome=outcome,
        agent=agent,
        started_at_ms=1_000,
        finished_at_ms=1_000 + round(seconds * 1000),
        failure=Failure(**{"code": "exit_1", "message": "", **failure}) if failure else None,
    )


def step(*attempts: AttemptRecord, **others: Any) -> StepState:
    status = StepStatus.COMPLETED if attempts else StepStatus.SKIPPED
    return StepState(**{"status": status, "attempt": len(attempts), "attempts": attempts, **others})


def state(**steps: StepState) -> ExecutionState:
    return ExecutionState(
        execution_id="x",
        template_id="t",
        template_version="1.0.0",
        category="custom",
        status=ExecutionStatus.COMPLETED,
        steps=steps,
    )


def test_attempts_are_counted_by_step_and_by_agent() -> None:
    """Failed, final, lost, absent; what followed a failed one; how long they took."""
    failed = record("failed", agent="two", retryable=True)
    final = record("failed", retryable=False)
    gone = record("failed", code="no_agent", retryable=False)
    runs = [
        state(a=step(failed, record("completed", 3.0))),
        state(a=step(failed, final)),
        state(a=step(record("lost"), record("completed"))),
        state(a=step(gone)),
    ]
    found = experience_of(runs)
    assert found.runs == 4
    all_of_them = found.attempts("a")
    assert all_of_them is not None
    assert (all_of_them.ended, all_of_them.failed, all_of_them.final) == (5, 3, 1)
    assert (all_of_them.lost, all_of_them.absent) == (1, 1)
    assert (all_of_them.again, all_of_them.again_failed) == (2, 1)
    assert all_of_them.durations_s.count == 5
    assert max(all_of_them.durations_s.at) == 3.0
    on_two = found.attempts("a", "two")
    assert on_two is not None
    assert (on_two.ended, on_two.failed) == (2, 2)
    assert found.attempts("b") is None


def test_what_was_cancelled_or_kept_is_not_counted() -> None:
    """A cancelled attempt tells nothing, and a kept one was counted in its own run."""
    runs = [
        state(a=step(record("cancelled"))),
        state(a=step(record("completed"), kept_from="before")),
    ]
    found = experience_of(runs).attempts("a")
    assert found is not None
    assert found.ended == 0


def test_conditions_rounds_and_instances() -> None:
    """How often a condition held, how many rounds a loop took, how many items it had."""
    runs = [
        state(a=step(reason="its condition is false")),
        state(a=step(record("completed"), rounds=2)),
        state(
            **{
                "l": StepState(status=StepStatus.COMPLETED, instances=1),
                "l[0]": step(record("completed"), instance=Instance(index=0)),
            }
        ),
    ]
    found = experience_of(runs)
    condition, rounds = found.condition("a"), found.rounds("a")
    assert condition is not None
    assert (condition.times, condition.held) == (2, 1)
    assert rounds is not None
    assert (rounds.times, rounds.held) == (3, 1)
    assert found.instances("l").at[0] == 1
    assert found.attempts("l") is not None
    assert found.condition("nowhere") is None


def test_waits_are_those_of_people_and_of_what_came_first() -> None:
    """A granted gate took so long; a gate that expired tells nothing of how fast people are."""
    granted = GateState(status=ApprovalStatus.GRANTED, requested_at_ms=1_000, closed_at_ms=61_000)
    expired = granted.model_copy(update={"status": ApprovalStatus.EXPIRED})
    waited = StepState(
        status=StepStatus.COMPLETED, output={"option": 0}, started_at_ms=5_000, ended_at_ms=9_000
    )
    run = state(w=waited).model_copy(update={"gates": {"workflow": granted, "late": expired}})
    found = experience_of([run])
    assert found.wait_s("workflow").at[0] == 60
    assert found.wait_s("late") == UNSEEN
    assert found.wait_s("w").at[0] == 4


async def test_it_is_loaded_from_the_newest_runs() -> None:
    """Through the port, the newest so many of the template that have ended."""
    found = await load_experience(MemoryExecutionQueries(), "t", limit=2)
    assert found.runs == 0


def test_a_distribution_keeps_its_values() -> None:
    """Linear between neighbours, the ends themselves at both ends."""
    found = distribution([4.0, 1.0, 2.0, 3.0])
    assert found.count == 4
    assert found.at[0] == 1.0
    assert found.at[-1] == 4.0
    assert found.at[LEVELS.index(0.5)] == pytest.approx(2.5)
    assert distribution([]) == UNSEEN


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=40), value=st.floats(-1, 2e6))
def test_a_share_is_what_the_distribution_says(values: list[float], value: float) -> None:
    """From 0 below everything to 1 from the largest on, never falling."""
    seen = distribution(values)
    share = share_within(seen, value)
    assert 0 <= share <= 1
    assert share_within(seen, max(values)) == 1
    assert share_within(seen, value + 1) >= share
    assert share_within(UNSEEN, value) == 0
    if value < min(values):
        assert share == 0
