"""Archived executions: what is kept of them, how they are found, and a line of an export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from shared.contracts.api.executions import ExecutionSummary, ExecutionView
from shared.contracts.history import StoredState
from shared.workflow.replay import HistoryEntry


class Archived(BaseModel):
    """An archived execution whole: its last state, and its history up to that."""

    model_config = ConfigDict(frozen=True)

    stored: StoredState
    history: tuple[HistoryEntry, ...]
    archived_at_ms: int


class ArchivedSummary(ExecutionSummary):
    """An archived execution, as lists show it. `failure` is what it failed with."""

    archived_at_ms: int
    failure: str = ""


class ArchivePage(BaseModel):
    """Archived executions, newest first. `next_cursor` asks for the page after this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ArchivedSummary, ...]
    next_cursor: str | None = None


class ExportedExecution(BaseModel):
    """One line of an export: an execution with all of its history. Sealed values are masked."""

    model_config = ConfigDict(frozen=True)

    execution: ExecutionView
    history: tuple[HistoryEntry, ...]


MOST_FAILURE: Final = 8_000
"""Characters of a failure's text that can be searched."""


def failure_text(state: Mapping[str, Any]) -> str:
    """What is searched for as the text of a failure: of the execution and of its steps. `state` is
    an execution's state as JSON data, with or without what is at its default."""
    steps = state.get("steps") or {}
    found = [state.get("failure"), *(step.get("failure") for step in steps.values())]
    lines = [f"{one['code']}: {one['message']}" for one in found if one]
    reason = (state.get("stop") or {}).get("reason", "")
    return "\n".join(dict.fromkeys([*lines, reason] if reason else lines))[:MOST_FAILURE]
