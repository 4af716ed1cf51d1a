"""The judge of `hv bench faults` finds what is wrong, and a seed gives the same strikes again."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from services.cli.bench.faults import ledger, verdict
from services.cli.bench.faults.run import Outcome, Struck
from services.cli.bench.faults.strikes import KINDS, strikes
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState, StepState
from tests.unit.workflow.scenario import Run, step

ID = "ex_1"


def _state(**statuses: StepStatus) -> ExecutionState:
    steps = {name: StepState(status=status, attempt=1) for name, status in statuses.items()}
    return ExecutionState(
        execution_id=ID,
        template_id="t",
        template_version="1.0.0",
        category="custom",
        steps=steps,
        created_at_ms=1,
    )


@pytest.mark.parametrize(
    ("status", "step", "times", "problem"),
    [
        (StepStatus.COMPLETED, "s0", 1, ""),
        (StepStatus.COMPLETED, "s0", 2, "doubled: ex_1 s0 ran 2 times"),
        (StepStatus.COMPLETED, "s0", 0, "missing: ex_1 s0 is completed and left no trace"),
        (StepStatus.FAILED, "s0", 0, ""),
        (StepStatus.FAILED, "s0", 2, "doubled: ex_1 s0 ran 2 times"),
        (StepStatus.COMPLETED, "s1", 3, ""),
        (StepStatus.FAILED, "s1", 0, "missing: ex_1 s1 is failed and left no trace"),
    ],
)
def test_ledger_and_state_are_compared(
    status: StepStatus, step: str, times: int, problem: str
) -> None:
    """A step that may run once ran once at the most, one that may run twice at least once, and what
    is called completed has left its trace."""
    found = verdict.Verdict()
    verdict.compare(_state(**{step: status}), Counter({(ID, step): times}), found)
    assert found.problems == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("published", "problem"),
    [
        ({"ex_1.1": 1, "ex_1.2": 1}, ""),
        ({"ex_1.1": 1}, "missing: event ex_1.2 was never published"),
        ({"ex_1.1": 2, "ex_1.2": 1}, "doubled: event ex_1.1 published 2 times"),
        ({"ex_1.1": 1, "ex_1.2": 1, "ex_9.1": 2}, ""),
    ],
)
def test_events_and_histories_are_compared(published: dict[str, int], problem: str) -> None:
    """Each event of an accepted execution is published once; those of others do not count."""
    found = verdict.Verdict()
    verdict.compare_events({"ex_1.1", "ex_1.2"}, Counter(published), {ID}, found)
    assert found.problems == ([problem] if problem else [])


def test_public_events_are_numbered_through_the_history() -> None:
    """The expected ids are those that the coordinator publishes: private events count, too."""
    run = Run(step("a"))
    run.request()
    run.succeed("a")
    events = [event for entry in run.history for event in entry.events]
    public = {f"{ID}.{n}" for n, event in enumerate(events, start=1) if event.PUBLIC}
    assert verdict.public_ids(ID, run.history) == public
    assert run.state.version == len(events)
    assert 0 < len(public) < len(events)


def test_a_seed_gives_the_same_strikes_again() -> None:
    """The order and the lengths come from the seed, and every kind comes before any comes twice."""
    one, same, other = (
        list(islice(strikes(random.Random(seed)), 2 * len(KINDS))) for seed in (7, 7, 8)
    )
    assert one == same != other
    for round_ in (one[: len(KINDS)], one[len(KINDS) :]):
        assert {strike.kind.name for strike in round_} == {kind.name for kind in KINDS}
    assert all(s.kind.for_s[0] <= s.for_s <= s.kind.for_s[1] for s in one)


def test_the_ledger_is_read_by_step(tmp_path: Path) -> None:
    """Lines are counted by execution and step; a book that nobody opened is empty."""
    book = tmp_path / "book"
    assert ledger.effects(book) == {}
    book.write_text("ex_1 s0\nex_1 s1\nex_1 s0\n", encoding="utf-8")
    assert ledger.effects(book) == {("ex_1", "s0"): 2, ("ex_1", "s1"): 1}


def test_figures_tell_recovery_by_kind() -> None:
    """Count, median and maximum of each kind, and how much is wrong."""
    struck = tuple(Struck("kill runner", "runner-0", 1.0, took) for took in (3.0, 1.0, 2.0))
    wrong = verdict.Verdict(unended=["ex_1 running"])
    outcome = Outcome(7, 60.0, 10, 0, 0, struck, wrong)
    assert outcome.figures()["recovery_s"] == {
        "kill runner": {"count": 3, "median": 2.0, "max": 3.0}
    }
    assert outcome.figures()["problems"] == 1
    assert outcome.record()["told"] == ["not ended: ex_1 running"]
