"""Fleets, as an author writes them: which agents a step runs on, how many at a time, when to stop.

The law:

* Without `where` a step runs once, on any agent that fits. With it the step is a fleet: one
  instance for each agent that the selector matches when the step begins. Who joins later is not
  included; who is gone by then is handled as `on_target_lost` says.
* The instances run in batches, the canary first. A batch begins when the one before it is over.
* A share of the targets that is to be started is rounded up and at least one; a share that may
  fail is rounded down: it is never exceeded.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.workflow.approval_rule import Approval
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.names import Expression, Model

Percent = Annotated[str, StringConstraints(pattern=r"^(100|[1-9]?[0-9])%$")]
Share = Annotated[int, Field(ge=1, le=MAX_INSTANCES)] | Percent
"""So many targets, or a share of all of them, such as `25%`."""
Budget = Annotated[int, Field(ge=0, le=MAX_INSTANCES)] | Percent

Placement = Literal["spread", "pack"]
"""`spread`: the least loaded agent that fits; `pack`: the most loaded one with a free slot."""
StopOn = Literal["first_failure", "max_failure", "canary_failure"]

_OF_FLEETS: Final = (
    "strategy",
    "canary",
    "batch",
    "pause_between_s",
    "max_failure",
    "stop_on",
    "per",
    "allow_empty",
    "on_target_lost",
)


class RateLimit(Model):
    """How often the step may start on one agent, whichever executions that is for.

    `starts` within `per_s` seconds. What comes too early waits, for another agent where it may.
    """

    starts: int = Field(ge=1, le=10_000)
    per_s: float = Field(gt=0, le=86_400)


class Target(Model):
    """Where a step may run, and how it is rolled out over a fleet. Empty: on any agent that has the
    capabilities. Times in seconds."""

    host: str | None = Field(None, max_length=200, description="Agent name; may be an expression.")
    labels: dict[str, str] = Field(default_factory=dict)
    where: Expression | None = Field(
        None,
        description="Run on every agent for which this holds: CEL over `agent.name`, `.host`, "
        "`.labels`, `.capabilities`, `.load`.",
    )
    strategy: Literal["one", "all", "rolling"] = Field(
        "all", description="One of the agents, all at once, or batch by batch."
    )
    canary: Share | None = Field(None, description="Run on so many first, and look.")
    batch: Share = Field(1, description="So many at a time, with `rolling`.")
    pause_between_s: float = Field(0, ge=0, le=30 * 86_400)
    max_failure: Budget = Field(0, description="So many targets may fail before the step fails.")
    stop_on: StopOn | tuple[StopOn, ...] = Field(
        ("canary_failure", "max_failure"),
        description="What keeps the targets that have not begun from beginning.",
    )
    per: Literal["agent", "host"] = Field(
        "agent", description="With `host` one agent stands for all on its host."
    )
    allow_empty: bool = Field(False, description="Complete where no agent matches.")
    on_target_lost: Literal["fail", "skip"] = Field(
        "fail", description="What a target counts as that is gone before anything began on it."
    )
    placement: Placement | None = None
    rate_limit: RateLimit | None = None
    approve_after_canary: Approval | None = Field(
        None, description="A gate between the canary and the rest."
    )
    approve_between: Approval | None = Field(
        None, description="A gate before each batch but the first."
    )

    @property
    def is_fleet(self) -> bool:
        """True when the step runs once for each agent that is selected."""
        return self.where is not None

    def stops_on(self, what: StopOn) -> bool:
        """True when this keeps the rest of the fleet from beginning."""
        return what == self.stop_on if isinstance(self.stop_on, str) else what in self.stop_on

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if not self.is_fleet:
            for field in self._written(*_OF_FLEETS):
                raise ValueError(f"`{field}` is about a fleet: give `where`, too")
        elif self.host is not None:
            raise ValueError("give `host` for one agent or `where` for a fleet, not both")
        if self.strategy != "rolling" and self._written("batch"):
            raise ValueError("`batch` goes with `strategy: rolling`")
        if self.strategy == "one":
            for field in self._written("canary", "pause_between_s"):
                raise ValueError(f"`{field}` is about several targets, not `strategy: one`")
        return self

    @model_validator(mode="after")
    def _gates_stand_between(self) -> Self:
        for field in ("approve_after_canary", "approve_between"):
            rule: Approval | None = getattr(self, field)
            if rule is None:
                continue
            if not self.is_fleet or self.strategy == "one":
                raise ValueError(f"`{field}` stands between batches: give `where` and several")
            if rule.form:
                raise ValueError(f"`{field}` has no form: nothing could use what is filled in")
        if self.approve_after_canary is not None and self.canary is None:
            raise ValueError("`approve_after_canary` needs a `canary`")
        return self

    def _written(self, *fields: str) -> list[str]:
        """Those of these fields that say something else than their default."""
        kinds = type(self).model_fields
        return [field for field in fields if getattr(self, field) != kinds[field].default]

    def gate_before(self, batch: int) -> Approval | None:
        """The gate before a batch, by its number from 1."""
        if batch == 2 and self.approve_after_canary is not None:
            return self.approve_after_canary
        return self.approve_between if batch > 1 else None

    def batches(self, total: int) -> list[int]:
        """How many of `total` targets each batch has; the canary, if any, is the first."""
        sizes: list[int] = []
        if self.canary is not None and total:
            sizes.append(min(share_of(self.canary, total), total))
        left = total - sum(sizes)
        size = share_of(self.batch, total) if self.strategy == "rolling" else max(left, 1)
        while left > 0:
            sizes.append(min(size, left))
            left -= size
        return sizes

    def budget(self, total: int) -> int:
        """How many of `total` targets may fail."""
        if isinstance(self.max_failure, int):
            return self.max_failure
        return total * _percent(self.max_failure) // 100


def share_of(share: int | str, total: int) -> int:
    """A number of targets, or a share of `total` rounded up: at least one."""
    if isinstance(share, int):
        return share
    return max(1, math.ceil(total * _percent(share) / 100))


def _percent(share: str) -> int:
    return int(share.removesuffix("%"))
