"""How runs of a template are validated, and what findings lead to, as an author writes it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.workflow.approval_rule import Approval
from shared.workflow.names import Expression, Model

Level = Literal["basic", "standard", "strict", "paranoid"]
"""Each includes the ones before it."""

FindingCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
"""The name of a rule, such as `unknown-command`."""


class Suppression(Model):
    """A finding that is known and accepted, and why. `at` is its path or the beginning of it, such
    as `steps/2`; left out: wherever it is found."""

    code: FindingCode
    at: str = Field("", max_length=500)
    reason: str = Field(min_length=3, max_length=500)


class GateRule(Model):
    """What happens to a run when a condition holds; the first rule that does decides.

    `when` may use `level`, `findings` (a list of maps with `code`, `severity`, `path`),
    `counts.error`, `.warning` and `.info`, `predicted.failure` (0 to 1), `.known` (whether
    something was predicted) and `.duration_s`, and `effects.irreversible`, `.reversible` and
    `.unprotected` (numbers of steps).
    """

    when: Expression
    then: Literal["run", "approve", "refuse"]
    approval: Approval | None = None
    reason: str = Field("", max_length=500)

    @model_validator(mode="after")
    def _approval_where_asked(self) -> Self:
        if self.approval is not None and self.then != "approve":
            raise ValueError("`approval` goes with `then: approve`")
        return self


class ValidationPolicy(Model):
    """How deep runs of a template are validated before they start."""

    level: Level = "standard"
    suppress: tuple[Suppression, ...] = Field((), max_length=100)
    gate: tuple[GateRule, ...] = Field((), max_length=20)
