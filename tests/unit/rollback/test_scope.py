"""What of an execution a rollback is about: parts of it, and what it kept of another one."""

from __future__ import annotations

from services.cli.rollback_view import plan_lines
from shared.contracts.api.rollbacks import PlanView
from shared.rollback.past import Ran
from shared.rollback.planning import Wish, make_plan
from tests.unit.rollback.test_planning import done
from tests.unit.rollback.undoing import AT_MS, effects, keys, undone_by


def test_what_a_rerun_kept_is_said_to_be_undone_with_its_first_execution() -> None:
    """It is spared, with the execution that did it; what the re-run did itself is undone."""
    first = done(undone_by("a"), undone_by("b", "a"))
    kept_step = first.step("a").model_copy(update={"kept_from": "ex_first"})
    state = first.state.model_copy(update={"steps": {**first.state.steps, "a": kept_step}})
    plan = make_plan(Ran(first.program, state), Wish(), effects, AT_MS)
    assert keys(plan) == ["b"]
    (spared,) = plan.spared
    assert (spared.key, spared.reason) == (
        "a",
        "it was done by ex_first, which this execution re-ran: roll that back",
    )
    assert plan.complete
    assert any(
        "not touched: a (it was done by ex_first" in one for one in plan_lines(PlanView.of(plan))
    )
