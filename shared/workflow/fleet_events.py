"""Events of fleets: a step that runs on every agent that a selector matches, batch by batch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from shared.workflow.event_base import StepEvent
from shared.workflow.messages import Failure, Instance


class StepTargeting(StepEvent):
    """A fleet began; effect of this event: the directory of live agents is asked for its targets,
    and the answer comes into the execution's own journal (`TargetsResolved`).

    `values` has what the selector uses besides the agents. `asked` tells this question from others.
    """

    type: Literal["step.targeting"] = "step.targeting"
    PUBLIC: ClassVar[bool] = False
    asked: int
    where: str
    values: dict[str, Any] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    any_capabilities: tuple[str, ...] = ()
    per: Literal["agent", "host"] = "agent"
    one: bool = False
    placement: Literal["spread", "pack"] = "spread"


class StepTargeted(StepEvent):
    """The targets of a fleet are known: one instance for each. The first `canaries` of them are the
    canary."""

    type: Literal["step.targeted"] = "step.targeted"
    instances: tuple[Instance, ...]
    batches: int
    canaries: int = 0


class StepBatchStarted(StepEvent):
    """A batch of a fleet begins on these targets."""

    type: Literal["step.batch_started"] = "step.batch_started"
    batch: int
    batches: int
    canary: bool = False
    targets: tuple[str, ...]


class StepBatchEnded(StepEvent):
    """Everything of a batch has ended. The counts are of the whole fleet until now."""

    type: Literal["step.batch_ended"] = "step.batch_ended"
    batch: int
    batches: int
    completed: int
    failed: int


class StepFleetStopped(StepEvent):
    """No more of a fleet begins; what runs may finish."""

    type: Literal["step.fleet_stopped"] = "step.fleet_stopped"
    failure: Failure
