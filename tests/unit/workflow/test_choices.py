"""Deferred choices in which people are one of the options."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.definition import Template
from shared.workflow.errors import DefinitionError
from shared.workflow.program import compile_template
from tests.unit.workflow.scenario import Run, step, template

PEOPLE: dict[str, Any] = {"approval": {"approvers": {"users": ["alice", "bob"]}}, "then": ["go"]}
LATE: dict[str, Any] = {"after_s": 60, "then": ["give_up"]}
TOLD: dict[str, Any] = {"signal": "told", "then": ["give_up"]}


def choice(*options: dict[str, Any], **fields: Any) -> Run:
    run = Run(
        {"id": "c", "wait_for": {"options": list(options)}, **fields}, step("go"), step("give_up")
    )
    run.request()
    return run


def chosen(run: Run) -> dict[str, str]:
    return {name: run.statuses[name] for name in ("c", "go", "give_up")}


GONE = {"c": "completed", "go": "scheduled", "give_up": "skipped"}
GIVEN_UP = {"c": "completed", "go": "skipped", "give_up": "scheduled"}


def test_people_decide_first() -> None:
    """An approval takes its branch, says who gave it, and the timer is cleared."""
    run = choice(PEOPLE, LATE)
    assert run.status == "waiting"
    assert run.gate("c").is_open
    run.vote("alice", "c")
    assert chosen(run) == GONE
    assert run.step("c").output == {
        "option": 0,
        "taken": ["go"],
        "data": {},
        "by": "alice",
        "approved": True,
    }
    assert run.state.timers == {}


def test_time_decides_first() -> None:
    """Once the delay has decided nobody is asked any more, and an answer does not count."""
    run = choice(PEOPLE, LATE)
    run.fire("choice-c")
    assert chosen(run) == GIVEN_UP
    assert run.gate("c").status == "voided"
    run.vote("alice", "c")
    assert chosen(run) == GIVEN_UP


def test_a_signal_decides_first() -> None:
    """So it is with a signal, also one that had come before: then nobody is asked at all."""
    run = choice(TOLD, PEOPLE)
    run.tell(msg.SignalReceived(id="1", name="told"))
    assert chosen(run) == GIVEN_UP
    late = {"id": "c", "depends_on": ["a"], "wait_for": {"options": [PEOPLE, TOLD]}}
    early = Run(step("a"), late, step("go"), step("give_up"))
    early.request()
    early.tell(msg.SignalReceived(id="1", name="told"))
    early.succeed("a")
    assert chosen(early) == GIVEN_UP
    assert early.state.gates == {}


def test_a_rejection_takes_else() -> None:
    """A rejection decides, where it has a branch of its own."""
    run = choice({**PEOPLE, "else": ["give_up"]}, LATE)
    run.vote("bob", "c", approved=False)
    assert chosen(run) == GIVEN_UP
    assert run.step("c").output["approved"] is False
    assert run.step("c").output["by"] == "bob"


def test_silence_takes_else() -> None:
    """So does an expiry."""
    asked = {"approval": {"expires_after_s": 10}, "then": ["go"], "else": ["give_up"]}
    run = choice(asked, {"signal": "never"})
    run.fire("expire-c")
    assert chosen(run) == GIVEN_UP
    assert run.step("c").output["by"] == "engine"


def test_a_rejection_without_a_branch_leaves_the_choice_to_others() -> None:
    """The step waits on for its other options, whatever is said later at the closed gate."""
    run = choice(PEOPLE, TOLD)
    run.vote("bob", "c", approved=False)
    run.vote("alice", "c")
    assert run.statuses["c"] == "waiting"
    run.tell(msg.SignalReceived(id="1", name="told"))
    assert chosen(run) == GIVEN_UP


def test_a_rejection_with_nothing_else_to_wait_for_fails_the_step() -> None:
    """Nothing could decide any more."""
    run = choice(PEOPLE)
    run.vote("bob", "c", approved=False, comment="no")
    failure = run.step("c").failure
    assert failure is not None
    assert (failure.code, failure.message) == ("approval_rejected", "rejected by bob: no")
    assert run.status == "failed"


def test_what_was_filled_in_is_the_data() -> None:
    """The form of the option is the output's data, and later expressions see it."""
    form = {"form": {"size": {"type": "integer"}}}
    run = Run(
        {"id": "c", "wait_for": {"options": [{"approval": form, "then": ["go"]}, LATE]}},
        step("go", parameters={"x": "${{ approvals.c.input.size + 1 }}"}),
        step("give_up"),
    )
    run.request()
    run.vote("alice", "c", input={"size": 3})
    assert run.step("c").output["data"] == {"size": 3}
    assert run.the(ev.StepScheduled).parameters == {"x": 4}


def test_a_choice_is_not_asked_about_while_the_execution_ends() -> None:
    """A cancelled execution asks nobody."""
    run = choice(PEOPLE, LATE)
    run.cancel()
    assert run.status == "cancelled"
    assert run.gate("c").status == "voided"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"wait_for": {"options": [PEOPLE, PEOPLE]}}, "at most one option can be an `approval`"),
        ({"wait_for": {"options": [{**LATE, "else": ["go"]}]}}, "`else` is for an `approval`"),
        ({"wait_for": {"options": [{**PEOPLE, "signal": "s"}]}}, "give one of `signal`"),
        ({"wait_for": {"options": [PEOPLE]}, "approval": {}}, "ask once"),
    ],
)
def test_what_cannot_be_a_choice(fields: dict[str, Any], said: str) -> None:
    """Each mistake is told where it stands."""
    with pytest.raises(ValidationError, match=said):
        Template.model_validate({"id": "t", "name": "T", "steps": [{"id": "c", **fields}]})


def test_the_gate_of_a_choice_has_a_name_of_its_own() -> None:
    """A step named as the workflow's gate cannot ask."""
    taken = template({"id": "workflow", "wait_for": {"options": [PEOPLE]}}, step("go"))
    with pytest.raises(DefinitionError, match="name of the workflow's own gate"):
        compile_template(taken, {})
