"""A history folded and decided again."""

from dataclasses import replace

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.errors import CorruptStateError, DivergenceError
from shared.workflow.replay import HistoryEntry, at_event, divergence, fold, redecide
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


def test_an_execution_as_it_was_after_any_event() -> None:
    """The state after event N is the fold of the first N, whichever entry they came by; its number
    is the state's version, and beyond the last there is none."""
    run = finished()
    events = [(e, entry) for entry in run.history for e in entry.events]
    for number, (event, entry) in enumerate(events, start=1):
        moment = at_event("x1", run.history, number)
        assert moment is not None
        assert (moment.event, moment.seq, moment.at_ms) == (event, entry.seq, entry.at_ms)
        assert moment.state.version == number
    last = at_event("x1", run.history, len(events))
    assert last is not None
    assert last.state == run.state
    assert at_event("x1", run.history, len(events) + 1) is None
    assert at_event("x1", [], 1) is None


def test_what_is_decided_the_same_does_not_diverge() -> None:
    """The code that made a history decides it again as it stands."""
    run = finished()
    assert divergence(run.program, "x1", run.history) is None


def test_a_divergence_is_told_by_field() -> None:
    """Of the first event that differs each field is told that does, through objects and lists."""
    run = finished()
    entry = run.history[0]
    scheduled = next(e for e in entry.events if isinstance(e, ev.StepScheduled))
    index = entry.events.index(scheduled)
    other = scheduled.model_copy(
        update={"parameters": {"echo": [1, {"deep": 2}]}, "sensitive": ("x",)}
    )
    events = (*entry.events[:index], other, *entry.events[index + 1 :])
    found = divergence(
        run.program, "x1", [entry.model_copy(update={"events": events}), *run.history[1:]]
    )
    assert found is not None
    assert (found.seq, found.event, found.message) == (1, index + 1, "execution_requested")
    assert found.recorded is not None
    assert found.recorded["parameters"] == {"echo": [1, {"deep": 2}]}
    assert {d.field: (d.recorded, d.decided) for d in found.differences} == {
        "parameters/echo": ([1, {"deep": 2}], None),
        "sensitive/0": ("x", None),
    }


def test_the_number_of_the_event_counts_the_entries_before() -> None:
    """An event that is not decided any more, or one that is new, has no other to compare with."""
    run = finished()
    first, second = run.history[:2]
    fewer = second.model_copy(update={"events": ()})
    found = divergence(run.program, "x1", [first, fewer])
    assert found is not None
    assert (found.event, found.recorded, found.differences) == (len(first.events) + 1, None, ())
    assert found.decided is not None
    assert found.decided["type"] == "step.started"
    more = second.model_copy(update={"events": (*second.events, ev.ExecutionWaiting())})
    found = divergence(run.program, "x1", [first, more])
    assert found is not None
    assert found.recorded is not None
    assert (found.recorded["type"], found.decided) == ("execution.waiting", None)


def test_what_cannot_be_decided_is_told() -> None:
    """A message that the code cannot decide at all is a divergence with its reason."""
    run = finished()
    steps = {name: one for name, one in run.program.steps.items() if name != "b"}
    found = divergence(replace(run.program, steps=steps), "x1", run.history)
    assert found is not None
    assert (found.error, found.decided) == ("KeyError: 'b'", None)
    assert found.seq == 1
