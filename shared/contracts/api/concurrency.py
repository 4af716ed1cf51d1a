"""Concurrency keys over REST: who has a slot, and who waits. Times in epoch ms."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.concurrency_key import KeyState


class SlotView(BaseModel):
    """Who has a slot, or waits for one: an execution (`slot` is `*`), or one of its steps."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    slot: str
    since_ms: int
    revoked: bool = Field(False, description="It was told to give its slot to somebody else.")


class ConcurrencyKeyView(BaseModel):
    """One key: at most `limit` have a slot; those who wait are in the order of their turn."""

    model_config = ConfigDict(frozen=True)

    id: str
    key: str
    limit: int
    holders: tuple[SlotView, ...]
    waiting: tuple[SlotView, ...]
    changed_at_ms: int

    @classmethod
    def of(cls, state: KeyState) -> Self:
        """A key as it is shown."""
        return cls.model_validate(state.model_dump())


class ConcurrencyKeyList(BaseModel):
    """Every key of which somebody has a slot."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ConcurrencyKeyView, ...]


class ReleaseBody(BaseModel):
    """Take a slot away from who will never give it back, or will never take its turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    execution_id: str = Field(min_length=1, max_length=200)
    slot: str = Field("*", min_length=1, max_length=200, description="The step; `*`: the whole.")
    reason: str = Field(min_length=1, max_length=1_000)
