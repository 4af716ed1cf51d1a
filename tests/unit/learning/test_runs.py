"""Executions in short: what the record has of them, and what never."""

from __future__ import annotations

from typing import Any, cast

import pytest

from services.learning.deriving import Deriver
from shared.learning.records import ATTEMPTS_LIMIT, MESSAGE_LIMIT, RECORD
from shared.learning.runs import MESSAGES_LIMIT, ending_of, is_refused, masked, rollbacks_of, run_of
from shared.learning.step_commands import line_of, step_commands_of
from shared.runtime.sealing import Sealer
from shared.workflow.gate_state import GateState
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.message_base import Actor, AttemptRecord, Failure, Instance
from shared.workflow.messages import RollbackWanted
from shared.workflow.program import Program
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState, StepState, Stop
from shared.workflow.undo_events import ExecutionRollbackIncomplete, ExecutionRollingBack
from tests.unit.forecast.templates import compiled, shell

SEALED = Sealer(b"A" * 43 + b"=").seal("hunter2")
KEY = Actor(kind="user", id="ann")


def attempt(number: int = 1, outcome: str = "completed", **failure: Any) -> AttemptRecord:
    return AttemptRecord(
        number=number,
        outcome=outcome,
        agent="web-1",
        started_at_ms=1_000 * number,
        finished_at_ms=1_000 * number + 400,
        failure=Failure(**failure) if failure else None,
    )


def step(*attempts: AttemptRecord, **others: Any) -> StepState:
    ran = {"started_at_ms": 1_000, "begun_at_ms": 1_000, "ended_at_ms": 1_400, "ran_on": "web-1"}
    status = StepStatus.COMPLETED
    return StepState(**{"status": status, "attempts": attempts, **ran, **others})


def state(**others: Any) -> ExecutionState:
    return ExecutionState(
        **{
            "execution_id": "x1",
            "template_id": "t",
            "template_version": "1.0.0",
            "category": "custom",
            "status": ExecutionStatus.COMPLETED,
            "requested_by": KEY,
            "created_at_ms": 500,
            "started_at_ms": 900,
            "ended_at_ms": 2_000,
            **others,
        }
    )


def program(*steps: dict[str, Any], **parameters: Any) -> Program:
    return compiled(list(steps or [shell("a")]), parameters=parameters)


def record(found: ExecutionState, made: Program | None = None) -> Any:
    ending = ending_of(found)
    assert ending is not None
    return run_of(found, (made or program()).template, ending)


def test_a_run_has_its_steps_attempts_and_how_it_ended() -> None:
    """Of a run that failed: who, when, what failed where, and how often it was tried."""
    failure = Failure(code="exit_1", message="connection refused")
    failed = attempt(2, "failed", code="exit_1", message="connection refused")
    steps = {
        "a": step(attempt(1, "lost"), failed, attempt(3, "cancelled"), status=StepStatus.FAILED),
        "b": StepState(status=StepStatus.SKIPPED, reason="its condition is false"),
    }
    run = record(
        state(
            status=ExecutionStatus.FAILED,
            failure=failure,
            stop=Stop(kind="failure", step="a", failure=failure),
            steps=steps,
        )
    )
    assert (run.id, run.at_ms, run.status, run.by, run.cause) == (
        "x1",
        2_000,
        "failed",
        "ann",
        "user",
    )
    assert (run.failed_step, run.failure_code) == ("a", "exit_1")
    assert [(one.step, one.outcome, one.agent) for one in run.attempts] == [
        ("a", "lost", "web-1"),
        ("a", "failed", "web-1"),
    ]
    assert [(one.step, one.command, one.status, one.attempts) for one in run.steps] == [
        ("a", "shell", "failed", 3),
        ("b", "", "skipped", 0),
    ]
    assert RECORD.validate_json(RECORD.dump_json(run)) == run


def test_what_validation_refused_is_no_run() -> None:
    """Nothing of it has begun; a failure of that name of what had begun is a failure."""
    refused = Failure(code="refused_by_validation", message="no agent", retryable=False)
    skipped = {"a": StepState(status=StepStatus.SKIPPED)}
    failed = {"status": ExecutionStatus.FAILED, "failure": refused}
    assert is_refused(state(**failed, steps=skipped))
    assert not is_refused(state(**failed, steps={"a": step(attempt(1, "failed"))}))
    other = Failure(code="exit_1", message="")
    assert not is_refused(state(status=ExecutionStatus.FAILED, failure=other, steps=skipped))
    assert not is_refused(state())


async def test_what_validation_refused_is_not_in_the_record() -> None:
    """Neither outcomes nor analytics count it: there is no item of it."""
    refused = Failure(code="refused_by_validation", message="no agent", retryable=False)
    found = state(status=ExecutionStatus.FAILED, failure=refused)
    nobody = cast(Any, None)  # nothing is asked about it
    deriver = Deriver(nobody, nobody, nobody, nobody, nobody)
    assert await deriver.items(found, ending_of(found)) == ()


def test_what_is_secret_is_not_in_a_run() -> None:
    """Parameters that are secret by declaration or name, sealed, long, no scalars are not in it."""
    made = program(
        service={"type": "string"},
        replicas={"type": "integer"},
        pin={"type": "string", "format": "password"},
        api_key={"type": "string"},
        token={"type": "string"},
        header={"type": "string"},
        essay={"type": "string"},
        hosts={"type": "array"},
    )
    values = {
        "service": "api",
        "replicas": 3,
        "pin": "hunter2",
        "api_key": "hunter2",
        "token": "hunter2",
        "header": f"Bearer {SEALED}",
        "essay": "x" * 201,
        "hosts": ["a"],
        "undeclared": "hunter2",
    }
    failed = attempt(1, "failed", code="exit_1", message=f"bad {SEALED} given")
    run = record(state(parameters=values, steps={"a": step(failed)}), made)
    assert run.parameters == {"service": "api", "replicas": 3}
    assert run.attempts[0].message == "bad *** given"
    assert run_of(state(parameters=values), None, ending_of(state())).parameters == {}  # type: ignore[arg-type]


def test_what_a_rerun_kept_is_not_counted_again() -> None:
    """Steps and gates that were taken over from an earlier run are not in the record."""
    gates = {
        "workflow": GateState(status=ApprovalStatus.GRANTED, requested_at_ms=1, closed_at_ms=9),
        "b": GateState(status=ApprovalStatus.GRANTED, kept_from="x0"),
        "c": GateState(),
    }
    steps = {"a": step(attempt()), "b": step(attempt(), kept_from="x0")}
    run = record(state(steps=steps, gates=gates))
    assert [one.step for one in run.steps] == ["a"]
    assert [one.step for one in run.attempts] == ["a"]
    assert [(one.gate, one.closed_at_ms) for one in run.approvals] == [("workflow", 9)]


def test_a_run_is_bounded() -> None:
    """Of very many attempts those that failed are kept first, and messages only so far."""
    good = {f"a[{n}]": step(attempt(), instance=Instance(index=n)) for n in range(1_500)}
    bad = {
        f"a[{n}]": step(
            attempt(1, "failed", code="e", message="é" * 2_000), instance=Instance(index=n)
        )
        for n in range(1_500, 1_800)
    }
    run = record(state(steps={"a": step(instances=1_800), **good, **bad}))
    assert len(run.attempts) == ATTEMPTS_LIMIT
    failed = [one for one in run.attempts if one.outcome == "failed"]
    assert len(failed) == 300
    assert {one.instance for one in failed} == {str(n) for n in range(1_500, 1_800)}
    assert max(len(one.message) for one in failed) == MESSAGE_LIMIT
    assert sum(len(one.message) for one in failed) == MESSAGES_LIMIT
    assert run.steps[0].attempts == 1_800
    assert len(RECORD.dump_json(run)) < 500_000


def _entry(seq: int, *events: Any) -> HistoryEntry:
    message = RollbackWanted(number=1, strategy="immediate", by=KEY)
    return HistoryEntry(seq=seq, at_ms=1_000 * seq, message=message, events=events)


def test_a_run_that_was_rolled_back_ended_before() -> None:
    """Its ending, and its rollbacks, are what its history says."""
    from shared.workflow.events import ExecutionCompleted

    history = [
        _entry(2, ExecutionCompleted(outputs={})),
        _entry(3, ExecutionRollingBack(number=1, strategy="immediate", by=KEY)),
        _entry(7, ExecutionRollbackIncomplete(number=1, undone=("a",), left=("b: no", "c: no"))),
    ]
    found = state(status=ExecutionStatus.ROLLBACK_INCOMPLETE)
    assert ending_of(found) is None
    ending = ending_of(found, history)
    assert ending is not None
    assert (ending.status, ending.at_ms) == ("completed", 2_000)
    (over,) = rollbacks_of(found, history)
    assert (over.id, over.status, over.by) == ("x1.1", "rollback_incomplete", "ann")
    assert (over.asked_at_ms, over.at_ms, over.undone, over.left) == (3_000, 7_000, 1, 2)


def test_what_has_not_ended_has_no_ending() -> None:
    """A run that is under way is none of the record's."""
    assert ending_of(state(status=ExecutionStatus.RUNNING), [_entry(1)]) is None


@pytest.mark.parametrize(
    ("others", "cause"),
    [
        ({}, "user"),
        ({"requested_by": Actor(kind="schedule", id="nightly")}, "schedule"),
        ({"requested_by": Actor(kind="alert", id="disk")}, "trigger"),
        ({"category": "rollback", "labels": {"rollback_of": "x0"}}, "rollback"),
    ],
)
def test_what_started_it_is_a_word(others: dict[str, Any], cause: str) -> None:
    """People, agents, schedules, triggers, rollbacks are told apart."""
    assert record(state(**others)).cause == cause


def test_steps_are_commands_of_a_session() -> None:
    """One command of each step that ran, in the order of their beginnings, as its user's."""
    made = program(
        shell("b", parameters={"argv": ["git", "commit", "-m", "${{ params.why }}"]}),
        shell("a", parameters={"script": "#!/bin/sh\nset -e\nmake test\nmake lint", "cwd": "/srv"}),
        {"id": "n", "command": "noop"},
        shell("never"),
        why={"type": "string"},
    )
    steps = {
        "a": step(begun_at_ms=3_000, status=StepStatus.FAILED, output={"exit_code": 2}),
        "b": step(begun_at_ms=1_000),
        "n": step(),
        "never": StepState(status=StepStatus.SKIPPED),
    }
    first, second = step_commands_of(state(steps=steps, parameters={"why": "it's so"}), made)
    assert first.command == "git commit -m 'it'\"'\"'s so'"
    assert (first.user, first.session, first.host) == ("ann", "x1", "web-1")
    assert (first.source, first.exit, first.duration_ms) == ("step", 0, 400)
    assert (second.command, second.more_lines, second.exit) == ("make test", True, 2)
    assert (second.id, second.cwd) == ("x1.a", "/srv")


def test_nothing_secret_is_in_a_command() -> None:
    """Secrets and secret parameters stand as they were written, what is sealed as stars."""
    made = program(
        shell(
            "a",
            parameters={
                "argv": [
                    "login",
                    "${{ params.password }}",
                    "${{ params.note }}",
                ],
                "stdin": "${{ secrets.db }}",
                "env": {"TOKEN": "${{ secrets.db }}"},
            },
        ),
        password={"type": "string"},
        note={"type": "string"},
    )
    values = {"password": "hunter2", "note": f"x{SEALED}"}
    (only,) = step_commands_of(state(steps={"a": step()}, parameters=values), made)
    assert only.command == "login '${{ params.password }}' x***"


def test_a_loop_counts_once() -> None:
    """Of the instances of a step the first that began is its command."""
    made = program(
        shell(
            "a",
            foreach={"items": "['x', 'y']"},
            parameters={"argv": ["deploy", "${{ item }}"]},
        )
    )
    steps = {
        "a": StepState(status=StepStatus.COMPLETED, instances=2),
        "a[0]": step(begun_at_ms=2_000, instance=Instance(index=0, item="x")),
        "a[1]": step(begun_at_ms=1_000, instance=Instance(index=1, item="y")),
    }
    (only,) = step_commands_of(state(steps=steps), made)
    assert (only.id, only.command) == ("x1.a", "deploy y")


@pytest.mark.parametrize(
    ("command", "parameters", "line"),
    [
        (
            "http",
            {"url": "https://u:p@h.example:8/a/b?token=1#x"},
            "http GET https://h.example:8/a/b",
        ),
        ("http", {"url": "http://[", "method": "PUT"}, "http PUT"),
        ("hv-status", {"agent": "web-1", "full": True}, "hv-status agent=web-1 full=True"),
        ("remember", {"text": "two\nlines", "api_key": "k", "tags": ["a"]}, "remember"),
        ("shell", {"script": "# nothing\n"}, ""),
        ("shell", {}, ""),
    ],
)
def test_other_commands_are_readable(command: str, parameters: dict[str, Any], line: str) -> None:
    """Name and plain parameters; of addresses neither passwords nor queries."""
    assert line_of(command, parameters)[0] == line


def test_the_mask_fits_what_is_sealed() -> None:
    """What the runtime seals is what the record masks."""
    assert masked(f"a {SEALED}, b") == "a ***, b"


def test_what_has_the_form_of_a_secret_is_masked() -> None:
    """In lines, messages and values: what a secret looks like is not in the record."""
    token = "ghp_" + "a1B2" * 9
    made = program(shell("a", parameters={"argv": ["mysql", "-u", "root", "-phunter2"]}))
    failed = attempt(1, "failed", code="exit_1", message=f"token {token} was refused")
    found = state(steps={"a": step(failed)}, parameters={"note": token, "service": "api"})
    (only,) = step_commands_of(found, made)
    assert only.command == "mysql -u root -p***"
    declared = program(note={"type": "string"}, service={"type": "string"})
    run = record(found, declared)
    assert run.parameters == {"service": "api"}
    assert token not in run.model_dump_json()
