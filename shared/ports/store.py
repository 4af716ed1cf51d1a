"""Where states, histories and templates are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.contracts.history import Quarantined, StoredState
from shared.workflow.definition import Template
from shared.workflow.replay import HistoryEntry


@dataclass(frozen=True, slots=True)
class StateWrite:
    """The newest state of one execution, and the history entries since the last write."""

    stored: StoredState
    entries: tuple[HistoryEntry, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """States by execution id, and of those that are there and cannot be read, the reason."""

    states: Mapping[str, StoredState]
    unreadable: Mapping[str, str] = field(default_factory=dict)


class ExecutionStore(Protocol):
    """States and histories, written behind by the coordinator that owns the partition."""

    async def load(self, execution_ids: Sequence[str]) -> Loaded:
        """The states of those that exist. One that is damaged hides no other."""
        ...

    async def write(self, writes: Sequence[StateWrite]) -> frozenset[str]:
        """Store histories, then states, durably.

        A state is only replaced by one of a higher journal sequence. Returns the ids of those
        where the store already had a higher one: another coordinator has gone on.
        """
        ...

    async def quarantine(self, message: Quarantined) -> None:
        """Keep a journal message that could not be applied. Idempotent by execution and seq."""
        ...


class TemplateSource(Protocol):
    """Finds template versions."""

    async def get(self, template_id: str, version: str) -> Template | None:
        """One immutable version, or `None`."""
        ...
