"""A history folded and decided again."""

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.errors import CorruptStateError, DivergenceError
from shared.workflow.replay import HistoryEntry, fold, redecide
from tests.unit.workflow.scenario import Run, step


def finished() -> Run:
    run = Run(step("a"), step("b", "a"))
    run.request()
    run.succeed("a", n=1)
    run.succeed("b")
    return run


def test_an_empty_history_has_no_state() -> None:
    """Nothing happened, so there is nothing."""
    assert fold("x1", []) is None


def test_the_fold_of_a_history_is_the_state() -> None:
    """Folding all events leads to the state that was decided; a part of them to an earlier one."""
    run = finished()
    assert fold("x1", run.history) == run.state
    earlier = fold("x1", run.history[:2])
    assert earlier is not None
    assert earlier.steps["a"].status == "running"


def test_entries_that_were_written_twice_count_once() -> None:
    """A crash writes a batch again; an entry whose sequence is not new is skipped."""
    run = finished()
    doubled = [*run.history[:3], *run.history[1:]]
    assert fold("x1", doubled) == run.state
    assert redecide(run.program, "x1", doubled) == run.state


def test_a_history_survives_json() -> None:
    """An entry is the same after a way through JSON."""
    for entry in finished().history:
        assert HistoryEntry.model_validate_json(entry.model_dump_json()) == entry


def test_two_beginnings_are_corrupt() -> None:
    """A history in which the execution is created twice does not belong to one execution."""
    first = finished().history[0]
    with pytest.raises(CorruptStateError, match="comes twice"):
        fold("x1", [first, first.model_copy(update={"seq": 9})])


def test_a_different_event_is_a_divergence() -> None:
    """The first event that is decided otherwise is named, with its sequence."""
    run = finished()
    changed = run.history[1].model_copy(update={"message": msg.PauseRequested()})
    with pytest.raises(DivergenceError) as raised:
        redecide(run.program, "x1", [run.history[0], changed])
    assert raised.value.seq == 2
    assert "StepStarted" in raised.value.recorded
    assert "ExecutionPaused" in raised.value.decided


def test_a_missing_event_is_a_divergence() -> None:
    """A history with fewer or more events than are decided now diverges after the last one."""
    run = finished()
    entry = run.history[0]
    fewer = entry.model_copy(update={"events": entry.events[:-1]})
    with pytest.raises(DivergenceError, match=r"recorded nothing more, decided .*StepScheduled"):
        redecide(run.program, "x1", [fewer])
    more = entry.model_copy(update={"events": (*entry.events, ev.ExecutionWaiting())})
    with pytest.raises(DivergenceError, match=r"recorded .*ExecutionWaiting.*, decided nothing"):
        redecide(run.program, "x1", [more])
