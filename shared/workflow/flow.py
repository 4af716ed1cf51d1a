"""Control flow, as an author writes it: branches, joins, loops, sub-workflows, waiting.

The law:

* A branch that is not taken is dead: its steps are skipped, and so is what depends on dead steps
  only. A step that joins branches runs when one of them lived.
* A loop makes instances of its step, `build[0]`, `build[1]`, …; the step itself ends when its
  join says so, with what became of each.
* A sub-workflow is an execution of its own, of a pinned version. Cancel, pause and resume reach
  into it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from shared.workflow.approval_rule import Approval
from shared.workflow.names import Expression, Identifier, Model, Slug

MAX_INSTANCES: Final = 1_000
MAX_ROUNDS: Final = 1_000
MAX_KEY: Final = 300
"""Characters of a concurrency key, as written and as rendered."""

OnConflict = Literal["queue", "reject", "replace"]

Join = Literal["all", "any"] | Annotated[int, Field(ge=1, le=1_000)]
"""`all`: every one has ended, whichever way. `any`, or a number: so many have completed."""


class Case(Model):
    """One branch of a switch: the steps that run when its condition holds."""

    when: Expression
    then: tuple[Identifier, ...] = Field(min_length=1)


class Switch(Model):
    """Which branches are taken: the first whose condition holds, or every one."""

    cases: tuple[Case, ...] = Field(min_length=1, max_length=100)
    otherwise: tuple[Identifier, ...] = Field(
        (), alias="else", description="Steps that run when no condition holds."
    )
    match: Literal["first", "every"] = "first"


class Call(Model):
    """A sub-workflow: one immutable version of a template."""

    template: Slug
    version: str = Field(min_length=1, max_length=128)


class Foreach(Model):
    """Instances of the step, one for each item of a list or map that is known when it begins.

    In the step's expressions `item` is the item, `index` its number from 0, `key` its key in a map.
    """

    items: Expression
    concurrency: int = Field(MAX_INSTANCES, ge=1, le=MAX_INSTANCES)
    join: Join = "all"
    cancel_rest: bool = Field(
        False, description="Once the join is met, stop the instances that have not ended."
    )
    max_failures: int = Field(
        0, ge=0, le=MAX_INSTANCES, description="Instances that may fail before the step fails."
    )
    given: tuple[str, ...] = Field(
        (),
        max_length=1_000,
        description="Of the templates that rollbacks are made as: variables for which each item "
        "brings values. An item is then `{agent, values}`, and runs on that agent.",
    )


class Until(Model):
    """The step is run again, `delay_s` seconds after it completed, until `condition` holds."""

    condition: Expression
    max_rounds: int = Field(ge=1, le=MAX_ROUNDS)
    delay_s: float = Field(1.0, ge=0, le=86_400)


class WaitOption(Model):
    """What may happen first: a signal of this name (that `accept` agrees to), the answer of people,
    or a delay."""

    signal: Identifier | None = None
    accept: Expression | None = Field(None, description="Over `data`, what the signal brings.")
    approval: Approval | None = Field(None, description="People are asked; an approval decides.")
    after_s: float | None = Field(None, gt=0, le=366 * 86_400)
    then: tuple[Identifier, ...] = ()
    otherwise: tuple[Identifier, ...] = Field(
        (),
        alias="else",
        description="Steps that run when people reject, or do not answer in time. Without them "
        "the step waits on for its other options.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in ("signal", "approval", "after_s") if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError("give one of `signal`, `approval` and `after_s`")
        if self.accept is not None and self.signal is None:
            raise ValueError("`accept` looks at a signal; give `signal`")
        if self.otherwise and self.approval is None:
            raise ValueError("`else` is for an `approval` that is not given")
        return self


class WaitFor(Model):
    """A deferred choice: whatever happens first decides, and its branch is taken."""

    options: tuple[WaitOption, ...] = Field(min_length=1, max_length=20)

    @property
    def approval(self) -> Approval | None:
        """What people are asked, if that is one of the options."""
        return next((o.approval for o in self.options if o.approval is not None), None)

    @model_validator(mode="after")
    def _asks_once(self) -> Self:
        if sum(option.approval is not None for option in self.options) > 1:
            raise ValueError("at most one option can be an `approval`")
        return self


class Concurrency(Model):
    """So many at a time, of all that name the same key, in any execution of any template."""

    key: str = Field(
        min_length=1,
        max_length=MAX_KEY,
        description="May hold expressions: `deploy-${{ params.environment }}`.",
    )
    limit: int = Field(1, ge=1, le=1_000)
    on_conflict: OnConflict = Field(
        "queue",
        description="When all slots are taken: wait in order, fail at once, or cancel who has had "
        "a slot longest, and whoever waits.",
    )
    max_wait_s: float | None = Field(None, gt=0, le=30 * 86_400)


class Milestone(Model):
    """The step may start only between two points: `reached` has completed, and `until` has not
    begun. It waits for the one, and is skipped once the other has passed."""

    reached: Identifier
    until: Identifier | None = None


class Flow(Model):
    """The control flow of a step; each field is as an author writes it in the step itself."""

    workflow: Call | None = Field(None, description="Run a sub-workflow with `parameters`.")
    switch: Switch | None = None
    wait_for: WaitFor | None = None
    foreach: Foreach | None = None
    until: Until | None = None
    join: Join = "all"
    otherwise: tuple[Identifier, ...] = Field(
        (), alias="else", description="Steps that run when `when` is false."
    )
    on_failure: tuple[Identifier, ...] = Field(
        (), description="Steps that run when this one has failed for good."
    )
    always: tuple[Identifier, ...] = Field(
        (), alias="finally", description="Steps that run when this one ended, whichever way."
    )
    region: Identifier | None = Field(None, description="A group that can be cancelled as one.")
    cancels: tuple[Identifier, ...] = Field(
        (), description="Regions that are cancelled when this step has completed."
    )
    milestone: Milestone | None = None
    lock: Identifier | None = Field(
        None, description="Of the steps that share a lock one at a time is under way."
    )
    concurrency: Concurrency | None = Field(
        None, description="A limit across executions; each instance of a loop counts."
    )


def targets(flow: Flow) -> dict[str, tuple[str, ...]]:
    """Which steps a step sends to, by the field that names them."""
    found: dict[str, tuple[str, ...]] = {
        "else": flow.otherwise,
        "on_failure": flow.on_failure,
        "finally": flow.always,
    }
    if flow.switch is not None:
        for index, case in enumerate(flow.switch.cases):
            found[f"switch/cases/{index}/then"] = case.then
        found["switch/else"] = flow.switch.otherwise
    if flow.wait_for is not None:
        for index, option in enumerate(flow.wait_for.options):
            found[f"wait_for/options/{index}/then"] = option.then
            found[f"wait_for/options/{index}/else"] = option.otherwise
    return {path: names for path, names in found.items() if names}


def count_needed(join: Join) -> int:
    """How many must have completed, of a join that is not `all`."""
    return join if isinstance(join, int) else 1
