"""What gateways are asked to look at before it begins: executions that the engine asked for."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.tasks import Task
from shared.workflow.state import ExecutionState

TIMEOUT_S: Final = 300.0
STEP: Final = "validate"
"""The step of such a task."""


class RunToValidate(BaseModel):
    """An execution that waits: which version, with which complete parameters, and for whom."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str
    template_version: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    requested_by: str = ""


def validation_task(state: ExecutionState) -> Task:
    """The work as a task of the pool `validator._`."""
    return Task(
        execution_id=state.execution_id,
        template_id=state.template_id,
        step=STEP,
        attempt=1,
        leg=0,
        command=STEP,
        parameters={
            "template_version": state.template_version,
            "parameters": state.parameters,
            "requested_by": state.requested_by.id,
        },
        timeout_s=TIMEOUT_S,
        must_claim=False,
    )


def run_of(task: Task) -> RunToValidate:
    """What a task of that pool asks for. Raises `ValueError` where that cannot be read."""
    known = {"execution_id": task.execution_id, "template_id": task.template_id}
    return RunToValidate.model_validate({**task.parameters, **known})
