"""A plan of what is to be undone, item by item, as it is kept, shown and carried out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.definition import Template
from shared.workflow.way_back import Strategy


class Part(BaseModel):
    """Base of what a plan is made of."""

    model_config = ConfigDict(frozen=True)


class Check(Part):
    """How it is seen that an item worked: `condition` over its output, or over that of `command`,
    which runs after it on the same agent."""

    condition: str = ""
    command: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class Item(Part):
    """One deed that is to be undone: `command` with `parameters`, on `agent`.

    `key` is the path of the step or instance from the topmost execution, `execution_id` and `step`
    where it was run. Items of a lower `round` come first; those of one round may go together.
    `certain`: it was done, and not only begun. `how` is `rollback`, what the author wrote, or
    `restore`, what was captured. `place` is the step or instance of the generated template that
    undoes it, `check_place` that of its check, if that is a step of its own. Where secrets belong
    the parameters have what the author wrote.
    """

    number: int
    key: str
    execution_id: str
    step: str
    name: str = ""
    agent: str = ""
    did: str
    certain: bool = True
    how: Literal["rollback", "restore"]
    command: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    check: Check | None = None
    round: int = 1
    place: str = ""
    check_place: str = ""
    notes: tuple[str, ...] = ()
    began_at_ms: int = 0
    ended_at_ms: int = 0


Kind = Literal["irreversible", "no_way_back", "not_rendered", "too_large"]


class Left(Part):
    """What remains, and why. `accepted`: the author knew, and said so."""

    key: str
    agent: str = ""
    did: str = ""
    kind: Kind
    accepted: bool = False
    reason: str
    certain: bool = True

    @property
    def line(self) -> str:
        """In one line."""
        where = f" on {self.agent}" if self.agent else ""
        return f"{self.key}{where}: {self.reason}"


class Spared(Part):
    """What is not undone, since it is not to be."""

    key: str
    reason: str


class Plan(Part):
    """The plan of rollback `number` of an execution, made at `made_at_ms`. `template` and
    `parameters` carry the items out; where people do, or nothing is to be done, there are none.
    `complete`: nothing remains but what the author had accepted."""

    execution_id: str
    number: int
    strategy: Strategy
    to: str = ""
    made_at_ms: int = 0
    items: tuple[Item, ...] = ()
    left: tuple[Left, ...] = ()
    spared: tuple[Spared, ...] = ()
    template: Template | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)

    def as_text(self) -> str:
        """As JSON text from which the same plan is read, with the same template: what its parts
        did not say they do not say afterwards."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)

    @property
    def complete(self) -> bool:
        """True when all that is to be undone can be."""
        return all(one.accepted for one in self.left)

    @property
    def rounds(self) -> int:
        """How many rounds there are, one after the other."""
        return max((item.round for item in self.items), default=0)
