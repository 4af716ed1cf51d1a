"""What a rollback would undo, before anything has run."""

from __future__ import annotations

from typing import Any

from shared.rollback.ahead import plan_ahead
from shared.workflow.program import Program, compile_template
from tests.unit.rollback.undoing import effects, keys, undone_by
from tests.unit.workflow.scenario import COMMANDS, step, template


def program(*steps: dict[str, Any], **fields: Any) -> Program:
    """A program of these steps."""
    return compile_template(template(*steps, **fields), COMMANDS)


def test_every_step_counts_as_done() -> None:
    """In reverse order, by round; with what remains, and what changes nothing."""
    made = program(
        undone_by("a"),
        undone_by("b", "a"),
        undone_by("c", "a"),
        step("look", "c", command="look"),
        step("file", "c", command="put"),
        step("mail", "c", irreversible="a mail"),
        step("other", "c"),
    )
    plan = plan_ahead(made, {}, {}, effects)
    assert set(keys(plan)[:2]) == {"file", "b"}
    assert keys(plan)[-2:] == ["c", "a"]
    assert {item.key: item.round for item in plan.items} == {"file": 1, "b": 1, "c": 2, "a": 3}
    assert {item.key: item.how for item in plan.items}["file"] == "restore"
    assert {(one.key, one.accepted) for one in plan.left} == {("other", False), ("mail", True)}
    assert [one.key for one in plan.spared] == ["look"]


def test_what_is_known_is_filled_in() -> None:
    """The parameters of the run are; what only the run makes known stands as it was written."""
    undo = {
        "command": "noop",
        "parameters": {"a": "${{ params.p }}/x", "b": "${{ output.n }}"},
        "verify": {"command": "look", "parameters": {"p": "${{ params.p }}"}},
    }
    made = program(
        step("a", rollback=undo, foreach={"items": "[1]"}), parameters={"p": {"type": "string"}}
    )
    (item,) = plan_ahead(made, {"p": "here"}, {}, effects).items
    assert item.parameters == {"a": "here/x", "b": "${{ output.n }}"}
    assert item.check is not None
    assert item.check.parameters == {"p": "here"}
    assert item.notes == ("for each instance",)


def test_sub_workflows_are_part_of_it() -> None:
    """With what their calls give them; one that is not known here is said to remain."""
    call = {"workflow": {"template": "inner", "version": "1.0.0"}, "parameters": {"p": "now"}}
    undo = {"command": "noop", "parameters": {"of": "${{ params.p }}"}}
    inner = program(step("x", rollback=undo), parameters={"p": {"type": "string"}})
    outer = program({"id": "c", **call})
    plan = plan_ahead(outer, {}, {("inner", "1.0.0"): inner}, effects)
    assert [(one.key, one.parameters) for one in plan.items] == [("c/x", {"of": "now"})]
    (left,) = plan_ahead(outer, {}, {}, effects).left
    assert left.reason == "it calls inner@1.0.0, which is not known here"
