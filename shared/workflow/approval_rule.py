"""Who must approve, as an author writes it: before a run, before a step, or as one option."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, Self

from pydantic import Field, field_serializer, model_validator

from shared.workflow.declared import Parameter
from shared.workflow.names import Identifier, Model, Slug


class Approvers(Model):
    """Who may answer: whoever has one of the roles, is in one of the groups, or is named.

    Empty: everybody whose key may approve.
    """

    roles: tuple[Literal["operator", "admin"], ...] = ()
    groups: tuple[Slug, ...] = Field((), max_length=50)
    users: tuple[Slug, ...] = Field((), max_length=50)

    @property
    def anybody(self) -> bool:
        """True when nobody is singled out."""
        return not (self.roles or self.groups or self.users)

    def include(self, name: str, role: str, groups: Collection[str]) -> bool:
        """True for somebody of this name, whose key has this role and these groups."""
        return (
            self.anybody
            or name in self.users
            or role in self.roles
            or not set(groups).isdisjoint(self.groups)
        )


class Approval(Model):
    """A gate: what lies behind it runs only after people have approved exactly that.

    Times in seconds. An expired gate is rejected or escalated, never approved.
    """

    approvers: Approvers = Field(default_factory=Approvers)
    quorum: int = Field(1, ge=1, le=20, description="How many different people must approve.")
    allow_self_approval: bool = Field(
        False,
        description="Whether who asked for the run, or wrote or changed what runs, may answer.",
    )
    comment_required: bool = False
    form: dict[Identifier, Parameter] = Field(
        default_factory=dict,
        max_length=20,
        description="What the approver fills in: `approvals.<gate>.input.<name>` in expressions.",
    )
    remind_every_s: float | None = Field(None, ge=1, le=30 * 86_400)
    escalate_after_s: float | None = Field(None, gt=0, le=30 * 86_400)
    escalate_to: Approvers | None = Field(None, description="Who may answer, too, from then on.")
    expires_after_s: float | None = Field(None, gt=0, le=30 * 86_400)
    on_expiry: Literal["reject", "escalate"] = Field(
        "reject", description="`escalate` asks `escalate_to` for the same time again, once."
    )

    @field_serializer("form")
    def _as_declared(self, form: dict[str, Parameter]) -> dict[str, Any]:
        """A field that is not declared stays so: whether one is required depends on that."""
        return {
            name: p.model_dump(mode="json", by_alias=True, exclude_unset=True)
            for name, p in form.items()
        }

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        named = self.approvers
        if named.users and not (named.roles or named.groups) and self.quorum > len(named.users):
            raise ValueError(
                f"quorum is {self.quorum}, but only {len(named.users)} users may answer"
            )
        return self

    @model_validator(mode="after")
    def _escalates_once(self) -> Self:
        wanted = self.escalate_after_s is not None or self.on_expiry == "escalate"
        if wanted != (self.escalate_to is not None):
            raise ValueError("escalate_to goes with escalate_after_s or with `on_expiry: escalate`")
        if self.on_expiry == "escalate" and self.escalate_after_s is not None:
            raise ValueError("escalate either after a delay or on expiry, not both")
        if self.on_expiry == "escalate" and self.expires_after_s is None:
            raise ValueError("`on_expiry: escalate` goes with expires_after_s")
        after_s, expires_s = self.escalate_after_s, self.expires_after_s
        if after_s is not None and expires_s is not None and after_s >= expires_s:
            raise ValueError("escalate_after_s must come before expires_after_s")
        return self
