"""How far an execution is, as MCP tells it."""

import itertools

from shared.contracts.api.executions import ExecutionView, StepView
from shared.mcp.waiting import Progress
from shared.workflow.messages import Actor


def view(*statuses: str, status: str = "running") -> ExecutionView:
    return ExecutionView(
        id="ex_1",
        template_id="t",
        template_version="1.0.0",
        category="custom",
        status=status,
        ended=status == "completed",
        parameters={},
        requested_by=Actor(id="a"),
        labels={},
        approval="none",
        steps=tuple(StepView(id=f"s{n}", status=one) for n, one in enumerate(statuses)),
        outputs={},
        version=1,
        created_at_ms=1,
        started_at_ms=1,
        updated_at_ms=1,
        ended_at_ms=0,
    )


def test_each_number_is_above_the_one_before() -> None:
    """Also where no step has ended in between, or all have and the end is still to come; the total
    is reached at the end alone."""
    progress = Progress()
    seen = [
        view("pending", "pending"),
        view("running", "pending"),
        view("retrying", "pending"),
        view("completed", "pending"),
        view("completed", "running"),
        view("completed", "completed"),
        view("completed", "completed", status="completed"),
    ]
    told = [progress.at(one) for one in seen]
    assert all(a < b for a, b in itertools.pairwise(told)), told
    assert told[0] == 0
    assert told[3] == 1
    assert told[-2] < told[-1] == 2
