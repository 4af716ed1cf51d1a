"""Histories as the gateway gives them. On its own, because a history knows every message and event
of the core, which no other answer does.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared.workflow.replay import HistoryEntry


class ExecutionHistory(BaseModel):
    """Journal entries of one execution, each with what it led to. Sealed values are masked."""

    model_config = ConfigDict(frozen=True)

    items: tuple[HistoryEntry, ...]
    next_after: int | None = None
