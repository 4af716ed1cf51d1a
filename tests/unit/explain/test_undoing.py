"""What is said of an execution that is rolled back."""

from __future__ import annotations

import pytest

from shared.contracts.api.explain import Awaited, Severity
from shared.explain.explain import explain
from shared.explain.picture import Undoing
from tests.unit.explain.pictures import finding, first, picture
from tests.unit.workflow.scenario import Run, step
from tests.unit.workflow.test_undoing import completed, over, wanted


def test_one_that_is_asked_for_is_told_while_it_runs() -> None:
    """That it will be rolled back, by whom, and why."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    wanted(run, reason="wrong")
    found = finding(picture(run), "rolling_back")
    assert found.says == "It is rolled back once it has ended, as unknown asked: wrong"


def test_one_that_runs_is_the_answer() -> None:
    """Nothing is said of how it failed, or what it waits for: its rollback holds it."""
    run = Run(step("a"))
    run.request()
    run.fail("a", retryable=False)
    wanted(run)
    found = first(explain(picture(run)))
    assert found.cause == "rolling_back"
    assert found.says.startswith("It is being rolled back (graceful)")
    assert found.waits_for is not None
    assert found.waits_for.message == "rollback_ended"
    assert [one.cause for one in explain(picture(run)).findings] == ["rolling_back"]


@pytest.mark.parametrize(
    ("status", "says"),
    [("planning", "plans what is undone"), ("accounting", "looks at what was undone")],
)
def test_nobody_plans(status: str, says: str) -> None:
    """Where no rollback service answers that is the answer, and not that it is rolled back."""
    run = completed()
    wanted(run)
    found = first(explain(picture(run, undoing=Undoing(status, since_ms=7, service=False))))
    assert (found.cause, found.severity) == ("no_rollback_service", Severity.STUCK)
    assert found.says == f"No rollback service answers, so nobody {says}."
    assert found.since_ms == 7
    assert found.waits_for == Awaited(kind="rollback_service", name="any")
    for service in (True, None):
        shown = picture(run, undoing=Undoing(status, service=service))
        assert first(explain(shown)).cause == "rolling_back"


def test_people_undo_it() -> None:
    """By hand: how far they are, and the runbook."""
    run = completed()
    wanted(run)
    found = first(explain(picture(run, undoing=Undoing("awaiting_people", items=3, ticked=1))))
    assert (found.cause, found.severity) == ("undone_by_people", Severity.NEEDS_PEOPLE)
    assert "1 of 3 items are ticked off" in found.says
    assert found.action == "hv rollbacks runbook x1"


def test_what_undoes_it_is_named() -> None:
    """The execution that does the work says why it takes so long."""
    run = completed()
    wanted(run)
    found = first(explain(picture(run, undoing=Undoing("running", run="ex_9"))))
    assert (found.cause, found.action) == ("rolling_back", "hv why ex_9")


def test_what_it_left_needs_people() -> None:
    """What remains, and the runbook."""
    for status in ("rollback_incomplete", "rollback_failed"):
        run = completed()
        wanted(run)
        over(run, status, left=("b: exit 1",))
        found = finding(picture(run), status)
        assert found.severity is Severity.NEEDS_PEOPLE
        assert "b: exit 1" in found.says
        assert found.action == "hv rollbacks runbook x1"


def test_a_complete_one_is_an_end() -> None:
    """It was rolled back, and nobody has to do anything."""
    run = completed()
    wanted(run)
    over(run)
    found = first(explain(picture(run)))
    assert (found.cause, found.says) == ("ended", "It was rolled back.")
