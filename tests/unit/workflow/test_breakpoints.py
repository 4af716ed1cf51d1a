"""Breakpoints: where an execution pauses, and that it goes on past there."""

from __future__ import annotations

from typing import Any

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.breakpoints import why_no_breakpoint
from tests.unit.workflow.scenario import Run, step


def broken(*steps: dict[str, Any], before: tuple[str, ...], **fields: Any) -> Run:
    """A run that was asked to pause before these steps."""
    run = Run(*steps, **fields)
    run.request_with({}, pause_before=before)
    return run


def test_it_pauses_before_the_step_and_goes_on_past_it() -> None:
    """Given with the request; the pause says where; the resumption starts the step, once."""
    run = broken(step("a"), step("b", "a"), before=("b",))
    assert list(run.state.breakpoints) == ["b"]
    run.succeed("a")
    assert (run.status, run.statuses["b"]) == ("paused", "pending")
    assert run.the(ev.ExecutionPaused).step == "b"
    pause = run.state.pause
    assert pause is not None
    assert (pause.step, run.state.breakpoints) == ("b", ())
    run.resume()
    assert (run.status, run.statuses["b"], run.state.pause) == ("running", "scheduled", None)
    run.succeed("b")
    assert run.status == "completed"


def test_the_first_step_can_be_paused_before() -> None:
    """In the very turn in which it begins; nothing else starts either."""
    run = broken(step("a"), step("b"), before=("a",))
    assert (run.status, run.statuses) == ("paused", {"a": "pending", "b": "pending"})
    run.resume()
    assert run.statuses == {"a": "scheduled", "b": "scheduled"}


def test_a_resumption_is_of_one_pause() -> None:
    """Asked for twice, it does not run over the next breakpoint."""
    run = broken(step("a"), step("b"), before=("a", "b"))
    assert run.state.pause is not None
    resume = msg.ResumeRequested(pause=run.state.pause.number)
    run.tell(resume)
    assert (run.status, run.statuses) == ("paused", {"a": "scheduled", "b": "pending"})
    assert run.tell(resume) == []
    run.resume()
    assert run.statuses["b"] == "scheduled"


def test_they_are_set_and_cleared_while_it_runs() -> None:
    """By name, with who and why; what has begun, or is not there, gets none."""
    run = Run(step("a"), step("b", "a"), step("c", "b"))
    run.request()
    assert run.break_before("c", "b", "a", "nowhere") == ["execution.breakpoints_changed"]
    assert run.the(ev.BreakpointsChanged).breakpoints == ("b", "c")
    assert run.the(ev.BreakpointsChanged).reason == "look"
    assert run.break_before("b") == []
    run.break_before(clear=("b",))
    run.succeed("a")
    assert run.statuses["b"] == "scheduled"
    run.succeed("b")
    assert (run.status, run.statuses["c"]) == ("paused", "pending")
    assert run.break_before("c") == []  # it is paused there: to set it would pause it again


def test_why_there_can_be_none() -> None:
    """The words for each case."""
    run = broken(step("a"), step("b", foreach={"items": "[1, 2]"}), step("c"), before=("c",))

    def why(name: str) -> str | None:
        return why_no_breakpoint(run.program, run.state, name)

    assert why("nowhere") == "there is no step nowhere"
    assert why("a[1]") == "there is no step a[1]"
    assert why("a") == "step a is scheduled: it has begun"
    assert why("c") == "it is paused before c now"
    assert why("b[7]") is None  # items may be added
    run.resume()
    for name in ("b[0]", "b[1]"):
        run.succeed(name)
    assert why("b[7]") == "loop b is completed"


def test_an_instance_of_a_loop_can_be_paused_before() -> None:
    """Instances before it run; the loop goes on after the pause."""
    run = broken(step("a", foreach={"items": "[1, 2, 3]", "concurrency": 1}), before=("a[1]",))
    assert run.statuses["a[0]"] == "scheduled"
    run.succeed("a[0]")
    assert (run.status, run.statuses["a[1]"]) == ("paused", "pending")
    run.resume()
    run.succeed("a[1]")
    run.succeed("a[2]")
    assert run.status == "completed"


def test_steps_of_handlers_can_be_paused_before() -> None:
    """Of `on_failure` of a step, and of the sections of the template."""
    run = broken(
        step("a", on_failure=["h"]),
        step("h"),
        on_failure=[step("f")],
        before=("h", "f", "z"),
        **{"finally": [step("z")]},
    )
    run.fail("a")
    assert run.the(ev.ExecutionPaused).step == "h"
    run.resume()
    run.succeed("h")
    assert run.the(ev.ExecutionPaused).step == "f"
    run.resume()
    run.succeed("f")
    assert run.the(ev.ExecutionPaused).step == "z"
    run.resume()
    run.succeed("z")
    assert run.status == "failed"


def test_what_is_cancelled_does_not_pause() -> None:
    """Its `finally` steps run on, whatever was set before or is set now."""
    run = broken(step("a"), before=("z",), **{"finally": [step("z")]})
    run.start("a")
    run.cancel()
    assert run.break_before("z") == []
    assert run.break_before(clear=("z",)) == []
    run.finish("a", "cancelled")
    assert (run.status, run.statuses["z"]) == ("cancelling", "scheduled")


def test_a_step_that_does_not_run_is_not_reached() -> None:
    """Its condition comes first; a gate is asked after the pause."""
    run = broken(
        step("a", when="false"),
        step("b", approval={"allow_self_approval": True}),
        before=("a", "b"),
    )
    assert (run.statuses["a"], run.the(ev.ExecutionPaused).step) == ("skipped", "b")
    assert run.state.gates == {}
    run.resume()
    assert run.gate("b").is_open


def test_the_pause_reaches_into_sub_workflows() -> None:
    """As that of a person does."""
    call = {"id": "a", "workflow": {"template": "child", "version": "1.0.0"}}
    run = broken(call, step("b", when="true"), before=("b",))
    assert run.the(ev.StepRelayed).order == "pause"
    run.tell(msg.ResumeRequested(reason="seen"))
    assert run.the(ev.ExecutionResumed).reason == "seen"


def test_a_step_that_waits_for_its_slot_can_be_paused_before() -> None:
    """The slot comes, the execution pauses, and the step begins with the resumption."""
    run = Run(step("a", concurrency={"key": "db", "limit": 1}), step("z"))
    run.request()
    assert run.statuses["a"] == "pending"
    run.break_before("a")
    run.tell(msg.SlotGranted(slot="a", key="db"))
    assert (run.status, run.statuses["a"]) == ("paused", "pending")
    run.resume()
    assert run.statuses["a"] == "scheduled"
    loop = Run(step("a", concurrency={"key": "db", "limit": 1}, foreach={"items": "[1]"}))
    loop.request()
    loop.break_before("a[0]")
    loop.tell(msg.SlotGranted(slot="a[0]", key="db"))
    assert (loop.status, loop.statuses["a[0]"]) == ("paused", "pending")
    loop.resume()
    assert loop.statuses["a[0]"] == "scheduled"
    waits = Run(step("a", concurrency={"key": "db", "limit": 1}), step("b", "a"))
    waits.request()
    waits.mark("a")
    assert waits.state.slots == {}
    assert waits.statuses["b"] == "scheduled"
