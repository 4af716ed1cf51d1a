"""Targets as the gateway gives them: whom a fleet would run on now, and what became of each target.
Times in epoch milliseconds, 0 for not yet."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class WouldRunOn(_Answer):
    """An agent that a fleet would run on now, in this batch, from 1."""

    target: str
    host: str
    labels: dict[str, str] = Field(default_factory=dict)
    load: float = Field(0.0, description="The share of its slots in use.")
    batch: int


class FleetPreview(_Answer):
    """A fleet as it would be now. `others` says of each other live agent why it is no target;
    `problem` why the targets cannot be told."""

    step: str
    where: str
    strategy: str
    batches: tuple[int, ...] = Field((), description="How many targets each batch has.")
    canary: bool = Field(False, description="Whether the first batch is a canary.")
    max_failure: int = Field(0, description="How many of them may fail.")
    targets: tuple[WouldRunOn, ...] = ()
    others: dict[str, str] = Field(default_factory=dict)
    problem: str = ""


class TargetsPreview(_Answer):
    """Whom fleets would run on right now; agents may come and go before they do."""

    live: int = Field(description="How many agents live.")
    items: tuple[FleetPreview, ...]


class TargetView(_Answer):
    """What became of one target. `step` is its instance; `error` a failure, or why it did not run.
    Sealed values are shown as `***`."""

    step: str
    target: str
    host: str = ""
    batch: int
    status: str
    output: dict[str, Any] = Field(default_factory=dict)
    error: str = ""
    code: str = ""
    attempts: int = 0
    agent: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0


class FleetView(_Answer):
    """A fleet of an execution. `batch` is the last that began, of `batches` (0 until the targets
    are known); `stopped` says why no more begins. The counts are of all targets, `targets` those
    that were asked for."""

    step: str
    status: str
    batches: int = 0
    batch: int = 0
    canaries: int = 0
    stopped: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    under_way: int = 0
    targets: tuple[TargetView, ...] = ()


class ExecutionTargets(_Answer):
    """The fleets of one execution, in order of dependency."""

    items: tuple[FleetView, ...]
