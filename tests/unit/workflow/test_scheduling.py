"""What starts, in which order, and what a step is given."""

from shared.workflow import events as ev
from shared.workflow import messages as msg
from tests.unit.workflow.scenario import START_MS, Run, step


def test_a_chain_runs_one_after_another() -> None:
    """Each step starts when the one before it completed, and the last one completes the whole."""
    run = Run(step("a"), step("b", "a"))
    assert run.request() == ["execution.created", "execution.started", "step.scheduled"]
    assert run.start("a") == ["step.started"]
    assert run.finish("a") == ["step.completed", "step.scheduled"]
    assert run.succeed("b") == ["step.completed", "execution.completed"]
    assert run.statuses == {"a": "completed", "b": "completed"}
    assert run.state.started_at_ms == START_MS + 1
    assert run.state.ended_at_ms == run.now


def test_what_does_not_wait_starts_together() -> None:
    """Steps without dependencies are scheduled in the same turn, and the join waits for all."""
    run = Run(step("a"), step("b"), step("join", "a", "b"))
    run.request()
    assert run.statuses == {"a": "scheduled", "b": "scheduled", "join": "pending"}
    assert run.succeed("b") == ["step.completed"]
    assert run.succeed("a") == ["step.completed", "step.scheduled"]


def test_a_false_condition_skips() -> None:
    """A step whose condition is false is skipped, which counts as ended for those behind it."""
    run = Run(
        step("a", when="params.go"),
        step("b", "a", when="steps.a.status == 'skipped'"),
        parameters={"go": {"type": "boolean"}},
    )
    assert run.request(go=False)[2:] == ["step.skipped", "step.scheduled"]
    assert run.step("a").reason == "its condition is false"


def test_everything_skipped_completes() -> None:
    """An execution whose steps are all skipped completes at once."""
    run = Run(step("a", when="false"), step("b", "a", when="1 > 2"))
    run.request()
    assert run.status == "completed"


def test_a_true_condition_runs() -> None:
    """A step whose condition is true runs."""
    run = Run(step("a", when="execution.id == 'x1'"))
    assert run.request()[-1] == "step.scheduled"


def test_a_condition_that_fails_fails_the_step() -> None:
    """A condition that cannot be evaluated fails the step instead of guessing."""
    run = Run(step("a"), step("b", "a", when="steps.a.output.n > 1"))
    run.request()
    assert run.succeed("a")[1:] == ["step.failed", "execution.failing", "execution.failed"]
    failure = run.state.failure
    assert failure is not None
    assert failure.code == "expression_error"
    assert run.step("b").attempts == ()


def test_a_task_holds_what_the_agent_needs() -> None:
    """The scheduled event carries rendered parameters, the requirement and the limits."""
    run = Run(
        step(
            "a",
            parameters={"text": "to ${{ params.who }}", "n": "${{ params.n }}", "k": [1, None]},
            target={"host": "${{ params.who }}", "labels": {"zone": "eu"}},
            required_capabilities=["gpu"],
            timeout_s=5,
            sensitive=["secret"],
        ),
        parameters={"who": {"type": "string"}, "n": {"type": "integer"}},
    )
    run.request(who="bob", n=3)
    scheduled = run.the(ev.StepScheduled)
    assert scheduled.parameters == {"text": "to bob", "n": 3, "k": [1, None]}
    assert scheduled.requirement == ev.Requirement(
        capabilities=("gpu",), host="bob", labels={"zone": "eu"}
    )
    assert (scheduled.timeout_s, scheduled.sensitive) == (5, ("secret",))


def test_outputs_feed_later_steps() -> None:
    """A later step sees status, output, error and attempts of the steps before it."""
    expression = "${{ steps.a.output.n + 1 }}"
    run = Run(
        step("a", continue_on_failure=True),
        step("b", "a", parameters={"n": expression, "tries": "${{ steps.a.attempts }}"}),
        step("c", "a", parameters={"error": "${{ steps.a.error }}"}),
    )
    run.request()
    run.succeed("a", n=4)
    tasks = [e for e in run.events if isinstance(e, ev.StepScheduled)]
    assert [t.parameters for t in tasks] == [{"n": 5, "tries": 1}, {"error": ""}]


def test_errors_feed_later_steps() -> None:
    """A step behind a tolerated failure sees its message."""
    run = Run(
        step("a", continue_on_failure=True),
        step("b", "a", parameters={"error": "${{ steps.a.error }}"}),
    )
    run.request()
    run.fail("a")
    assert run.the(ev.StepScheduled).parameters == {"error": "exit code 1"}


def test_the_execution_itself_can_be_used() -> None:
    """Parameters can name the execution, its template and who asked for it."""
    names = ("id", "template", "version", "requested_by", "created_at_ms")
    run = Run(step("a", parameters={n: f"${{{{ execution.{n} }}}}" for n in names}))
    run.request()
    assert run.the(ev.StepScheduled).parameters == {
        "id": "x1",
        "template": "t",
        "version": "1.0.0",
        "requested_by": "unknown",
        "created_at_ms": START_MS + 1,
    }


def test_what_cannot_be_rendered_never_starts() -> None:
    """A parameter that cannot be rendered fails the step with its expression."""
    run = Run(step("a"), step("b", "a", parameters={"n": "${{ steps.a.output.n }}"}))
    run.request()
    run.succeed("a")
    failure = run.step("b").failure
    assert failure is not None
    assert "steps.a.output.n" in failure.message
    assert run.status == "failed"


def test_a_failure_stops_those_that_are_ready_behind_it() -> None:
    """When one of several ready steps cannot be rendered, the next ones are not started."""
    bad = "${{ steps.a.output.n }}"
    run = Run(step("a"), step("b", "a", parameters={"n": bad}), step("c", "a"))
    run.request()
    run.succeed("a")
    assert run.statuses == {"a": "completed", "b": "failed", "c": "skipped"}


def test_a_tolerated_render_failure_goes_on() -> None:
    """With `continue_on_failure`, a step that cannot be rendered does not end the execution."""
    bad = "${{ steps.a.output.n }}"
    run = Run(step("a"), step("b", "a", parameters={"n": bad}, continue_on_failure=True))
    run.request()
    run.succeed("a")
    assert run.status == "completed_with_errors"


def test_a_task_is_bounded() -> None:
    """Parameters that grow beyond the limit fail the step instead of the journal."""
    run = Run(
        step("a"),
        step("b", "a", parameters={"twice": ["${{ steps.a.output }}", "${{ steps.a.output }}"]}),
    )
    run.request()
    run.succeed("a", text="x" * 700_000)
    failure = run.step("b").failure
    assert failure is not None
    assert "takes more than 1024 KiB" in failure.message


def test_only_outside_moves_it() -> None:
    """When everything open waits outside, the execution says so, and goes on when it is woken."""
    run = Run(step("a"), step("b"))
    run.request()
    run.start("a")
    assert run.defer("a") == ["step.deferred"]
    assert run.succeed("b") == ["step.completed", "execution.waiting"]
    assert run.the(ev.ExecutionWaiting).reason == "waits for: a (waiting)"
    assert run.wake("a") == ["step.scheduled", "execution.continued"]
    assert run.status == "running"


def test_nothing_comes_before_the_request() -> None:
    """A message of an execution that does not exist decides nothing."""
    run = Run(step("a"))
    assert run.tell(msg.CancelRequested()) == []
    run.request()
    assert run.status == "running"


def test_a_second_request_changes_nothing() -> None:
    """The request of an execution that exists is ignored."""
    run = Run(step("a"))
    run.request()
    assert run.request() == []
