"""Events fold into progress, and progress draws as a tree."""

import io
from typing import Any

from rich.console import Console, RenderableType

from services.cli import rendering
from services.cli.progress import Progress
from shared.contracts.api.executions import ExecutionView, StepView
from shared.contracts.events import PublicEvent
from shared.workflow.messages import Actor, Failure
from shared.workflow.state import AttemptRecord


def drawn(part: RenderableType) -> str:
    """What a renderable looks like without colours."""
    console = Console(file=io.StringIO(), width=160, record=True)
    console.print(part)
    return console.export_text()


def events(*happened: tuple[str, dict[str, Any]]) -> list[PublicEvent]:
    """Events of one execution, a tenth of a second apart."""
    return [
        PublicEvent(
            id=f"ex_1.{number}",
            type=kind,
            at_ms=1_000 + number * 100,
            execution_id="ex_1",
            version=number,
            template_id="deploy",
            template_version="1.0.0",
            category="custom",
            data=data,
        )
        for number, (kind, data) in enumerate(happened, 1)
    ]


def view(**changes: Any) -> ExecutionView:
    """An execution of three steps, the second and third after the first."""
    steps = (
        StepView(id="build", command="shell", status="pending"),
        StepView(id="test", command="shell", depends_on=("build",), status="pending"),
        StepView(id="scan", command="http", depends_on=("build",), status="pending"),
    )
    return ExecutionView.model_validate(
        {
            "id": "ex_1",
            "template_id": "deploy",
            "template_version": "1.0.0",
            "category": "custom",
            "status": "running",
            "ended": False,
            "parameters": {},
            "requested_by": Actor(id="alice"),
            "labels": {},
            "approval": "none",
            "steps": steps,
            "outputs": {},
            "version": 0,
            "created_at_ms": 1_000,
            "started_at_ms": 1_000,
            "updated_at_ms": 1_000,
            "ended_at_ms": 0,
        }
        | changes
    )


FAILURE = {"code": "unexpected_exit", "message": "exit code 75, expected 0", "retryable": True}
RUN = events(
    ("execution.created", {"steps": ["build", "test", "scan"]}),
    ("execution.started", {}),
    ("step.started", {"step": "build", "attempt": 1, "agent": "web-1"}),
    ("step.retrying", {"step": "build", "attempt": 1, "agent": "web-1", "failure": FAILURE}),
    ("step.started", {"step": "build", "attempt": 2, "agent": "db-1"}),
    ("step.completed", {"step": "build", "attempt": 2, "agent": "db-1", "output": {}}),
    ("step.started", {"step": "test", "attempt": 1, "agent": "web-1"}),
    ("step.skipped", {"step": "scan", "reason": "its condition is false"}),
    ("step.failed", {"step": "test", "attempt": 1, "agent": "web-1", "failure": FAILURE}),
    ("execution.failed", {"step": "test", "failure": FAILURE}),
)


def folded(count: int) -> Progress:
    """Progress after the first events."""
    progress = Progress("ex_1")
    progress.describe(view())
    for event in RUN[:count]:
        assert progress.apply(event)
    return progress


def test_a_retry_is_seen_while_it_happens_and_afterwards() -> None:
    """The tree names the attempt, and why the one before did not work."""
    text = drawn(rendering.tree(folded(5), now_ms=2_000))
    assert "● build  shell  on db-1  running attempt 2  500 ms" in text
    assert "attempt 1: exit code 75, expected 0" in text
    assert "attempt 1: exit code 75" in drawn(rendering.tree(folded(10), now_ms=9_000))


def test_steps_that_may_run_together_stand_together() -> None:
    """Two steps after the same one are drawn side by side under one branch."""
    lines = drawn(rendering.tree(folded(2), now_ms=2_000)).splitlines()
    parallel = next(index for index, line in enumerate(lines) if "in parallel" in line)
    assert "build" in lines[parallel - 1]
    assert "test" in lines[parallel + 1]
    assert "scan" in lines[parallel + 2]


def test_the_end_stops_the_clock_and_says_why() -> None:
    """After the last event the durations stay, and the reason stands at the top."""
    progress = folded(10)
    assert progress.ended
    text = drawn(rendering.tree(progress, now_ms=99_000))
    assert "✗ deploy 1.0.0  ex_1  failed  900 ms  exit code 75, expected 0" in text
    assert "↷ scan  http  skipped  its condition is false" in text


def test_events_are_applied_once_and_in_order() -> None:
    """After a reconnection old events come again and change nothing; others' events never do."""
    progress = folded(6)
    assert not progress.apply(RUN[3])
    assert not progress.apply(RUN[6].model_copy(update={"execution_id": "ex_2"}))
    assert progress.steps["build"].status == "completed"


def test_waiting_for_approval_is_said() -> None:
    """Who looks at the tree sees that it is on them."""
    progress = Progress("ex_1")
    for event in events(("execution.created", {"steps": ["a"]}), ("approval.requested", {})):
        progress.apply(event)
    assert "waiting" in (text := drawn(rendering.tree(progress, 1_500)))
    assert "waits for approval" in text


def test_stored_state_draws_like_its_events() -> None:
    """What `hv show` draws is what `hv watch` drew last."""
    first = AttemptRecord(number=1, outcome="failed", failure=Failure.model_validate(FAILURE))
    step = StepView(
        id="build",
        command="shell",
        status="completed",
        attempt=2,
        agent="db-1",
        started_at_ms=1_500,
        ended_at_ms=1_600,
        attempts=(first, AttemptRecord(number=2, outcome="succeeded")),
    )
    stored = Progress.of(view(steps=(step,), version=6))
    live = folded(6)
    assert stored.steps["build"] == live.steps["build"]


def test_one_line_per_event() -> None:
    """On a pipe every event is one line that names step, agent, attempt and reason."""
    lines = [drawn(rendering.event_line(event)).strip() for event in RUN]
    assert lines[4].endswith("●  step.started  build on db-1  attempt 2")
    assert lines[3].endswith("↻  step.retrying  build on web-1  exit code 75, expected 0")


def test_durations_take_the_unit_that_suits() -> None:
    """Milliseconds, seconds, minutes, hours."""
    shown = [rendering.duration(ms) for ms in (12, 1_234, 150_000, 7_260_000, None)]
    assert shown == ["12 ms", "1.2 s", "2 min 30 s", "2 h 1 min", ""]
