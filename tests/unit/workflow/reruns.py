"""A re-run of a run, for examples."""

from __future__ import annotations

from typing import Any

from shared.workflow import messages as msg
from shared.workflow.kept import Rerun
from shared.workflow.replay import fold, redecide
from shared.workflow.rerunning import (
    ChildRerun,
    Past,
    Sorting,
    Wish,
    kept_approvals,
    rerun_of,
    sort_steps,
)
from tests.unit.workflow.scenario import Run, step

OLGA = msg.Actor(id="olga")
FAILED = Wish(failed_only=True)


def past_of(run: Run) -> Past:
    return Past(run.program, run.state)


class Again:
    """A re-run of a run, asked for and begun."""

    def __init__(
        self,
        before: Run,
        wish: Wish,
        *steps: dict[str, Any],
        parameters: dict[str, Any] | None = None,
        children: dict[str, ChildRerun] | None = None,
        by: msg.Actor = OLGA,
        **fields: Any,
    ) -> None:
        self.run = Run(*steps, **fields) if steps else same(before)
        values = before.state.parameters if parameters is None else parameters
        past = past_of(before)
        approvals = kept_approvals(past, self.run.program, values, by)
        self.sorting: Sorting = sort_steps(past, self.run.program, values, wish, approvals)
        self.rerun: Rerun = rerun_of(
            past, self.sorting, children or {}, approvals, by=by, reason="again"
        )
        self.run.execution_id = f"{before.execution_id}again"
        self.run.requested_by = by
        self.run.request_with(values, rerun=self.rerun)

    def check_replay(self) -> None:
        """State is the fold of history, and is decided again from the messages alone."""
        run = self.run
        assert fold(run.execution_id, run.history) == run.state
        assert redecide(run.program, run.execution_id, run.history) == run.state


def same(before: Run) -> Run:
    """A run of the same program, not asked for yet."""
    run = Run(step("a"))
    run.template, run.program = before.template, before.program
    return run


def chain() -> Run:
    """`a` completed with an output that `b` used, which failed before `c`."""
    run = Run(
        step("a"),
        step("b", "a", parameters={"n": "${{ steps.a.output.n }}"}),
        step("c", "b"),
        outputs={"n": "${{ steps.a.output.n }}"},
    )
    run.request()
    run.succeed("a", n=7)
    run.fail("b", retryable=False)
    assert run.status == "failed"
    return run
