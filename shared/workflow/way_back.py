"""The way back, as an author writes it: what is kept before a step, what undoes it, and when.

The law:

* A step that changes something has one of four: a compensation (`rollback`), a state that is
  captured before it (`capture`, or what its command captures by itself), both, or a reason why it
  is `irreversible`.
* A capture is taken on the agent that runs the step, before its first attempt changes anything.
* A compensation runs on the agent that ran the step, after all that depended on it is undone.
* A checkpoint is a point before a step to which an execution can be taken back. There is one
  before every step that changes something; a name makes it one that people can ask for.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from shared.workflow.approval_rule import Approval
from shared.workflow.names import Expression, Identifier, Model, Slug
from shared.workflow.retry_rule import Retry

Strategy = Literal["immediate", "graceful", "checkpoint", "manual"]
"""`immediate`: stop what runs, with proof, then compensate; `graceful`: let running steps end
first; `checkpoint`: back to a checkpoint, and stay there; `manual`: a runbook for people."""


class Capture(Model):
    """A command whose output is kept before the step changes anything: `captured` in the step's
    `rollback`. It must change nothing itself."""

    command: Slug
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(60.0, gt=0, le=86_400)


class Verify(Model):
    """How it is seen that a compensation worked: a condition over its `output`; with `command` over
    the output of that, which runs after it on the same agent."""

    condition: Expression | None = None
    command: Slug = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(60.0, gt=0, le=86_400)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.condition is None and not self.command:
            raise ValueError("give a `condition`, a `command`, or both")
        if self.parameters and not self.command:
            raise ValueError("`parameters` are those of a `command`: give one")
        return self


class RollbackAction(Model):
    """The compensation of a step: the command that undoes it, on the agent that ran it.

    Its expressions may use what the step's own may, the step's `output`, and `captured`, what was
    kept before it. Times in seconds.
    """

    command: Slug
    parameters: dict[str, Any] = Field(default_factory=dict)
    verify: Verify | None = None
    timeout_s: float = Field(300.0, gt=0, le=30 * 86_400)
    retry: Retry = Field(default_factory=lambda: Retry(max_attempts=3))
    idempotent: bool = Field(
        False, description="Running it twice does no harm: it is run again when its agent is lost."
    )


class RollbackPolicy(Model):
    """How and when executions of a template are rolled back. Times in seconds."""

    strategy: Strategy = "graceful"
    on_failure: bool = Field(False, description="Roll back by itself when an execution fails.")
    on_cancel: bool = Field(False, description="Roll back by itself after a cancellation.")
    fleets: bool = Field(
        True,
        description="When a fleet fails, undo by itself what it did on the targets it touched.",
    )
    to_checkpoint: Identifier | None = Field(
        None, description="The checkpoint of the strategy `checkpoint`; default: the newest."
    )
    checkpoint_every: int | None = Field(
        None, ge=1, le=1_000, description="Also one after every so many steps, whatever they do."
    )
    approval: Approval | None = Field(None, description="A gate before anything is undone.")
    timeout_s: float | None = Field(None, gt=0, le=30 * 86_400)

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.to_checkpoint is not None and self.strategy != "checkpoint":
            raise ValueError("`to_checkpoint` goes with `strategy: checkpoint`")
        return self
