"""Executions and steps that need a slot of a concurrency key."""

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

ONE: dict[str, Any] = {"concurrency": {"key": "deploy"}}
PATIENT: dict[str, Any] = {"concurrency": {"key": "deploy", "max_wait_s": 60}}
WHOLE = "*"


def grant(run: Run, slot: str = WHOLE, key: str = "deploy") -> list[str]:
    return run.tell(msg.SlotGranted(slot=slot, key=key))


def refuse(run: Run, slot: str = WHOLE) -> list[str]:
    return run.tell(msg.SlotRefused(slot=slot, key="deploy", reason="all 1 slots are taken"))


def revoke(run: Run, slot: str = WHOLE) -> list[str]:
    return run.tell(msg.SlotRevoked(slot=slot, key="deploy", reason="replaced by ex_2"))


class TestExecutions:
    def test_it_starts_once_it_has_its_slot(self) -> None:
        """Nothing runs before; at the end the slot is given back."""
        run = Run(step("a"), step("b"), policies=ONE)
        assert run.request() == [
            "execution.created",
            "execution.started",
            "slot.asked",
            "execution.waiting",
        ]
        assert run.the(ev.ExecutionWaiting).reason == "waits for: a slot of deploy"
        assert grant(run) == [
            "slot.taken",
            "step.scheduled",
            "step.scheduled",
            "execution.continued",
        ]
        run.succeed("a")
        assert run.succeed("b")[-2:] == ["slot.released", "execution.completed"]
        assert run.state.slots == {}

    def test_a_refused_one_fails(self) -> None:
        """It says why, and runs nothing; but what is to run after a failure does."""
        run = Run(step("a"), policies=ONE, on_failure=[step("tell")])
        run.request()
        refuse(run)
        assert run.statuses == {"a": "skipped", "tell": "scheduled"}
        run.succeed("tell")
        assert run.status == "failed"
        assert run.state.failure is not None
        assert run.state.failure.code == "concurrency_refused"

    def test_a_revoked_one_is_cancelled(self) -> None:
        """Whether it has its slot already or waits for it; then it gives it back."""
        waiting = Run(step("a"), policies=ONE)
        waiting.request()
        assert revoke(waiting)[-2:] == ["slot.released", "execution.cancelled"]
        running = Run(step("a"), policies=ONE)
        running.request()
        grant(running)
        running.start("a")
        assert revoke(running) == [
            "execution.cancelling",
            "step.stopping",
            "timer.set",
            "timer.set",
        ]
        assert running.finish("a", "cancelled")[-2:] == ["slot.released", "execution.cancelled"]

    def test_what_is_said_late_changes_nothing(self) -> None:
        """A slot that comes after the end is given back, again if it comes again."""
        run = Run(step("a"), policies=ONE)
        run.request()
        run.cancel()
        assert run.status == "cancelled"
        assert grant(run) == ["slot.released"]
        assert grant(run) == ["slot.released"]
        assert refuse(run) == revoke(run) == []

    def test_it_waits_no_longer_than_it_wants(self) -> None:
        """After that it fails, and is out of the queue."""
        run = Run(step("a"), policies=PATIENT)
        run.request()
        run.fire("slot-*")
        assert run.state.failure is not None
        assert run.state.failure.code == "concurrency_timeout"
        granted = Run(step("a"), policies=PATIENT)
        granted.request()
        assert grant(granted)[:2] == ["timer.cleared", "slot.taken"]

    def test_a_cancelled_one_that_waits_runs_its_finally(self) -> None:
        """What is to run at any end needs no slot; one that comes meanwhile is kept to the end."""
        run = Run(step("a"), policies=ONE, **{"finally": [step("clean")]})
        run.request()
        run.cancel()
        assert run.statuses == {"a": "cancelled", "clean": "scheduled"}
        assert grant(run) == ["slot.taken"]
        assert run.succeed("clean")[-2:] == ["slot.released", "execution.cancelled"]

    def test_a_refusal_while_it_ends_changes_nothing(self) -> None:
        """The slot is not waited for any more."""
        run = Run(step("a"), policies=ONE, **{"finally": [step("clean")]})
        run.request()
        run.cancel()
        assert refuse(run) == ["slot.denied"]
        assert refuse(run) == []

    def test_what_cleans_up_loses_its_place_but_not_its_slot(self) -> None:
        """At an early end a step that waits for a slot is cancelled when it is replaced: the key
        knows it no more, and it would wait for ever. One that has its slot goes on."""
        clean = step("clean", concurrency={"key": "deploy"})
        waiting = Run(step("a"), **{"finally": [clean]})
        waiting.request()
        waiting.start("a")
        waiting.cancel()
        waiting.finish("a", "cancelled")
        assert waiting.statuses == {"a": "cancelled", "clean": "pending"}
        assert revoke(waiting, "clean") == [
            "step.cancelled",
            "slot.released",
            "execution.cancelled",
        ]
        running = Run(step("a"), **{"finally": [clean]})
        running.request()
        running.cancel()
        grant(running, "clean")
        assert revoke(running, "clean") == []
        assert running.statuses == {"a": "cancelled", "clean": "scheduled"}

    def test_its_key_may_depend_on_parameters(self) -> None:
        """A key that is no short text fails the execution."""
        parameters = {"parameters": {"where": {"type": "string"}}}
        rule = {"concurrency": {"key": "deploy-${{ params.where }}", "limit": 3}}
        run = Run(step("a"), policies=rule, **parameters)
        run.request(where="paris")
        assert run.the(ev.SlotAsked).key == "deploy-paris"
        assert run.the(ev.SlotAsked).limit == 3
        bad = Run(step("a"), policies={"concurrency": {"key": "${{ params.where }}"}}, **parameters)
        bad.request(where="x" * 301)
        assert bad.state.failure is not None
        assert bad.state.failure.code == "expression_error"


class TestSteps:
    def test_a_slot_opens_no_lock(self) -> None:
        """A step that has waited for its slot starts only once the lock that it shares is free."""
        run = Run(step("a", lock="l", concurrency={"key": "deploy"}), step("b", lock="l"))
        run.request()
        assert run.statuses == {"a": "pending", "b": "scheduled"}
        grant(run, "a")
        assert run.statuses == {"a": "pending", "b": "scheduled"}
        run.succeed("b")
        assert run.statuses == {"a": "scheduled", "b": "completed"}
        assert run.succeed("a")[-2:] == ["slot.released", "execution.completed"]

    def test_it_starts_once_it_has_its_slot(self) -> None:
        """Other steps go on meanwhile; the slot is given back when it ends."""
        run = Run(step("a", **ONE), step("b"))
        run.request()
        assert run.statuses == {"a": "pending", "b": "scheduled"}
        assert grant(run, "a") == ["slot.taken", "step.scheduled"]
        assert grant(run, "a") == []
        assert run.succeed("a") == ["step.completed", "slot.released"]

    def test_it_keeps_its_slot_through_retries(self) -> None:
        """It is asked for once."""
        run = Run(step("a", retry={"max_attempts": 2, "delay_s": 1}, **ONE))
        run.request()
        grant(run, "a")
        assert "slot.released" not in run.fail("a")
        assert "slot.asked" not in run.fire("retry-a")
        assert "slot.released" in run.succeed("a")

    def test_instances_ask_one_by_one(self) -> None:
        """No more of them ask than the loop's own concurrency allows."""
        rule = {"concurrency": {"key": "${{ item }}"}}
        run = Run(step("a", foreach={"items": "['x', 'y', 'z']", "concurrency": 2}, **rule))
        run.request()
        assert {name: slot.key for name, slot in run.state.slots.items()} == {
            "a[0]": "x",
            "a[1]": "y",
        }
        grant(run, "a[1]", "y")
        assert run.statuses["a[1]"] == "scheduled"
        assert "slot.asked" in run.succeed("a[1]")
        assert set(run.state.slots) == {"a[0]", "a[2]"}

    def test_a_refused_one_fails(self) -> None:
        """That may be tolerated."""
        run = Run(step("a", continue_on_failure=True, **ONE), step("b", "a"))
        run.request()
        refuse(run, "a")
        assert run.statuses == {"a": "failed", "b": "scheduled"}

    def test_a_revoked_one_is_stopped(self) -> None:
        """The rest of the execution goes on."""
        run = Run(step("a", **ONE), step("b"))
        run.request()
        grant(run, "a")
        run.start("a")
        assert "step.stopping" in revoke(run, "a")
        assert revoke(run, "a") == []
        assert "slot.released" in run.finish("a", "cancelled")
        assert run.statuses["b"] == "scheduled"

    def test_a_granted_one_waits_for_the_end_of_a_pause(self) -> None:
        """It has its slot, and begins afterwards."""
        run = Run(step("a", **ONE))
        run.request()
        run.pause()
        assert grant(run, "a") == ["slot.taken"]
        assert run.resume()[-1] == "step.scheduled"

    def test_a_granted_instance_waits_for_the_end_of_a_pause(self) -> None:
        """The same of an instance of a loop."""
        loop = {"foreach": {"items": "[1]"}, "concurrency": {"key": "deploy"}}
        run = Run(step("a", **loop))
        run.request()
        run.tell(msg.PauseRequested())
        grant(run, "a[0]")
        assert run.statuses["a[0]"] == "pending"
        run.tell(msg.ResumeRequested())
        assert run.statuses["a[0]"] == "scheduled"

    def test_people_are_asked_first(self) -> None:
        """No slot is held while people think."""
        run = Run(step("a", approval={}, **ONE))
        run.request()
        assert run.state.slots == {}
        assert "slot.asked" in run.vote("alice", "a")

    def test_a_key_that_cannot_be_evaluated_fails_the_step(self) -> None:
        """As any other expression does."""
        key = {"concurrency": {"key": "${{ steps.b.output.no }}"}}
        run = Run(step("b"), step("a", "b", **key))
        run.request()
        run.succeed("b")
        failure = run.step("a").failure
        assert failure is not None
        assert failure.code == "expression_error"

    def test_a_failed_execution_gives_its_slots_back(self) -> None:
        """What waited for one is skipped, and out of the queue."""
        run = Run(step("a", **ONE), step("b"))
        run.request()
        assert "slot.released" in run.fail("b", retryable=False)
        assert run.status == "failed"

    def test_it_waits_no_longer_than_it_wants(self) -> None:
        """After that the step fails."""
        run = Run(step("a", **PATIENT))
        run.request()
        run.fire("slot-a")
        failure = run.step("a").failure
        assert failure is not None
        assert failure.code == "concurrency_timeout"


def test_a_switch_has_no_slot() -> None:
    """What the engine decides by itself takes no time."""
    wait = {"id": "c", "wait_for": {"options": [{"after_s": 1}]}, **ONE}
    with pytest.raises(ValidationError, match="has no `concurrency`"):
        Template.model_validate({"id": "t", "name": "T", "steps": [wait]})


def test_a_key_is_compiled() -> None:
    """What it names must exist."""
    with pytest.raises(DefinitionError) as raised:
        compile_template(template(step("a"), policies={"concurrency": {"key": "${{ params.no }}"}}))
    assert raised.value.problems[0].path == "policies/concurrency/key"
