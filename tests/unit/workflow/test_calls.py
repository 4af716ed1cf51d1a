"""Sub-workflows: called, ended, stopped and paused."""

from __future__ import annotations

from typing import Any

from shared.workflow import events as ev
from shared.workflow import messages as msg
from tests.unit.workflow.scenario import Run, step


class TestCalls:
    def call(self, **fields: Any) -> Run:
        return Run(
            {
                "id": "a",
                "workflow": {"template": "child", "version": "1.0.0"},
                "parameters": {"n": "${{ params.n }}"},
                **fields,
            },
            step("end", "a"),
            parameters={"n": {"type": "integer", "default": 1}},
        )

    def end(self, run: Run, status: str = "completed", **fields: Any) -> list[str]:
        child = run.step("a").child
        assert child is not None
        return run.tell(
            msg.ChildEnded(
                step="a", attempt=run.step("a").attempt, child=child, status=status, **fields
            )
        )

    def test_a_child_is_called_and_comes_back(self) -> None:
        """A step calls a pinned version with rendered parameters, and takes the outputs over."""
        run = self.call()
        run.request(n=7)
        called = run.the(ev.StepCalled)
        assert (called.template_id, called.template_version) == ("child", "1.0.0")
        assert called.parameters == {"n": 7}
        self.end(run, outputs={"x": 1})
        assert run.step("a").output["outputs"] == {"x": 1}
        run.succeed("end")
        assert run.status == "completed"

    def test_a_child_that_failed_is_called_anew(self) -> None:
        """A retry is another child."""
        run = self.call(retry={"max_attempts": 2, "delay_s": 1})
        run.request()
        first = run.step("a").child
        self.end(run, "failed", failure=msg.Failure(code="x", message="y"))
        run.fire("retry-a")
        assert run.step("a").child != first
        self.end(run, "cancelled")
        assert run.state.failure == msg.Failure(
            code="child_cancelled", message="sub-workflow cancelled"
        )

    def test_cancel_reaches_into_it(self) -> None:
        """A cancel is passed on, and the step ends with the child."""
        run = self.call()
        run.request()
        run.cancel()
        assert run.the(ev.StepRecalled).child == run.step("a").child
        assert run.state.timers == {}
        self.end(run, "cancelled")
        assert (run.statuses["a"], run.status) == ("cancelled", "cancelled")

    def test_pause_and_resume_reach_into_it(self) -> None:
        """Pause and resume are passed on."""
        run = self.call()
        run.request()
        run.pause()
        assert run.the(ev.StepRelayed).order == "pause"
        run.resume()
        assert run.the(ev.StepRelayed).order == "resume"

    def test_a_stranger_is_ignored(self) -> None:
        """Only the child that was called can end the step."""
        run = self.call()
        run.request()
        assert run.tell(msg.ChildEnded(step="a", attempt=1, child="ex_x", status="completed")) == []

    def test_wrong_parameters_fail_the_child(self) -> None:
        """A child checks what it is given, and fails before anything of it runs."""
        run = Run(step("a"), parameters={"n": {"type": "integer"}})
        parent = msg.Parent(execution_id="p", step="s", attempt=1, root="p")
        run.tell(
            msg.ExecutionRequested(
                template_id="t", template_version="1.0.0", parameters={"n": "x"}, parent=parent
            )
        )
        assert run.status == "failed"
        assert run.state.failure is not None
        assert run.state.failure.code == "invalid_parameters"

    def test_defaults_and_limits_of_a_child(self) -> None:
        """A child completes its parameters, and is bound by the shorter limit."""
        run = Run(
            step("a"),
            parameters={"n": {"type": "integer", "default": 3}},
            policies={"timeout_s": 50},
        )
        parent = msg.Parent(execution_id="p", step="s", attempt=1, root="p")
        run.tell(
            msg.ExecutionRequested(
                template_id="t", template_version="1.0.0", parent=parent, timeout_s=20
            )
        )
        assert run.state.parameters == {"n": 3}
        assert run.state.timeout_s == 20

    def test_too_deep(self) -> None:
        """A chain of calls has a bound."""
        run = self.call()
        parent = msg.Parent(execution_id="p", step="s", attempt=1, root="p", depth=16)
        run.tell(
            msg.ExecutionRequested(
                template_id="t", template_version="1.0.0", parameters={"n": 1}, parent=parent
            )
        )
        assert run.state.failure is not None
        assert run.state.failure.code == "too_deep"
