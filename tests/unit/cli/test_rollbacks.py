"""What `hv rollback` and `hv rollbacks` say."""

from __future__ import annotations

from typing import Any

import pytest

from services.cli import rollbacks
from services.cli.outcome import ExitCode
from services.cli.rollback_view import over_lines, plan_lines, row, view_lines
from shared.contracts.api.problems import FieldProblem, ProblemDetails
from shared.contracts.api.rollbacks import PlanView, RollbackSummary, RollbackView
from shared.rollback.items import Check, Item, Left, Plan, Spared
from shared.rollback.state import Tick
from shared.workflow.messages import Actor

OLGA = Actor(id="olga")


def summary(**fields: Any) -> RollbackSummary:
    """How a rollback stands."""
    known = {
        "id": "rb_ex_1",
        "execution_id": "ex_1",
        "number": 1,
        "status": "rolled_back",
        "over": True,
        "strategy": "graceful",
        "by": OLGA,
        "items": 2,
        "requested_at_ms": 1_000,
        "changed_at_ms": 2_000,
        "ended_at_ms": 2_000,
    }
    return RollbackSummary.model_validate({**known, **fields})


def view() -> PlanView:
    """A plan of two rounds."""
    common: dict[str, Any] = {"execution_id": "ex_1", "how": "rollback", "did": "shell"}
    items = (
        Item(number=1, key="b", step="b", agent="web-1", command="http", certain=False,
             check=Check(condition="output.ok"), **common),
        Item(number=2, key="a", step="a", command="shell", round=2, **common),
    )  # fmt: skip
    left = (
        Left(key="c", kind="no_way_back", reason="it has no way back", agent="web-2"),
        Left(key="m", kind="irreversible", reason="a mail", accepted=True),
    )
    spared = (Spared(key="l", reason="it changes nothing"),)
    plan = Plan(execution_id="ex_1", number=1, strategy="checkpoint", to="half", items=items,
                left=left, spared=spared)  # fmt: skip
    return PlanView.of(plan)


def test_a_damaged_plan_is_told() -> None:
    """What is wrong with it, where, and how the rollback stands nevertheless."""
    damage = ProblemDetails(
        type="urn:hive:problem:damaged",
        title="What is stored cannot be read",
        status=500,
        detail="The plan of rollback 1 of ex_1 is damaged where it is stored.",
        errors=(FieldProblem(field="items/0/number", message="a number is missing"),),
    )
    lines = list(view_lines(RollbackView(summary=summary(), plan_damage=damage)))
    assert lines[0].startswith("ex_1: rolled_back")
    assert lines[1:] == [f"  DAMAGED: {damage.detail}", "    items/0/number: a number is missing"]


def test_a_plan_is_told_round_by_round() -> None:
    """With what remains, what is accepted, and what is not touched."""
    assert list(plan_lines(view())) == [
        "Rollback 1 of ex_1, checkpoint to half",
        "  round 1",
        "      1  b on web-1: http, which may have done it, then checked",
        "  round 2",
        "      2  a: shell",
        "  REMAINS: c on web-2: it has no way back",
        "  cannot be undone, as its author says: m: a mail",
        "  not touched: l (it changes nothing)",
    ]
    empty = PlanView.of(Plan(execution_id="ex_1", number=1, strategy="graceful"))
    assert list(plan_lines(empty))[1] == "  nothing is to be undone"


def test_how_one_stands_is_told_with_what_is_next() -> None:
    """What people ticked off, what remains, and the runbook where somebody has to do something."""
    waiting = summary(status="awaiting_people", over=False)
    ticks = {"1": Tick(verdict="done", by=OLGA, comment="seen")}
    lines = list(view_lines(RollbackView(summary=waiting, plan=view(), ticks=ticks)))
    assert lines[0] == "ex_1: awaiting_people, people undo it by hand"
    assert lines[1] == "  ✓ item 1 done, says olga: seen"
    assert "rollbacks runbook ex_1" in lines[-1]
    left = summary(status="rollback_incomplete", left=("c: no",), run="ex_9", outcome="cancelled")
    assert list(over_lines(RollbackView(summary=left)))[:3] == [
        "ex_1: rollback_incomplete, something remains (cancelled)",
        "  done by execution ex_9",
        "  remains: c: no",
    ]
    assert "by hand" not in "".join(over_lines(RollbackView(summary=summary(left=()))))


@pytest.mark.parametrize(
    ("status", "over", "code"),
    [
        ("rolled_back", True, ExitCode.DONE),
        ("rollback_incomplete", True, ExitCode.FAILED),
        ("rollback_failed", True, ExitCode.FAILED),
        ("running", False, ExitCode.STILL_RUNNING),
    ],
)
def test_the_exit_code_says_what_came_of_it(status: str, over: bool, code: ExitCode) -> None:
    """0 only where all is undone."""
    found = RollbackView(summary=summary(status=status, over=over))
    assert rollbacks._exit_code(found) is code
    assert str(row(found.summary, 3_000)[2]) == status
