"""What the suggestion service reads. All of it is read only, but for the events that it publishes
and what it keeps of its own models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from shared.contracts.agents import AgentRecord
from shared.ports.record import Placed
from shared.ports.snapshots import Snapshot
from shared.ports.templates import StoredTemplate, TemplateQuery


class ReadsTemplates(Protocol):
    """Template versions."""

    async def search(self, query: TemplateQuery) -> Sequence[StoredTemplate]:
        """The newest version of each template that fits, ordered by id."""
        ...


class ReadsAgents(Protocol):
    """The directory of live agents."""

    async def live(self) -> Sequence[AgentRecord]:
        """All live agents, by name."""
        ...


class ReadsRecord(Protocol):
    """The record at rest."""

    def read(self, after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        """Every item behind `after` and not behind `upto`, in order."""
        ...

    async def last(self) -> int:
        """The last place."""
        ...


class ReadsSnapshots(Protocol):
    """Snapshots of models."""

    async def find(self, model: str = "") -> Sequence[Snapshot]:
        """Those of a model, the one of the highest place first."""
        ...

    async def data(self, snapshot: Snapshot) -> bytes | None:
        """The bytes; None when it is gone or damaged."""
        ...


Named = Mapping[str, AgentRecord]
"""Live agents by name."""
