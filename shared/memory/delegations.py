"""Delegations in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.collective.delegating import apply_change
from shared.collective.verbs import DelegationVerbs
from shared.contracts.delegations import (
    DELEGATION,
    OPEN,
    Delegation,
    DelegationChange,
    DelegationFilter,
)
from shared.ports.collective import NotFoundError


class MemoryDelegations(DelegationVerbs):
    """Keeps delegations for as long as the process lives."""

    def __init__(self) -> None:
        self._delegations: dict[str, Delegation] = {}

    async def offer(self, delegation: Delegation) -> Delegation:
        """Keep a new one; gives the one with this id that is kept already, if there is."""
        return self._delegations.setdefault(delegation.id, delegation)

    async def get(self, delegation_id: str) -> Delegation | None:
        """One delegation."""
        return self._delegations.get(delegation_id)

    async def find(self, wanted: DelegationFilter) -> Sequence[Delegation]:
        """Those that fit, newest first."""
        fitting = [d for d in self._delegations.values() if _fits(d, wanted)]
        fitting.sort(key=lambda d: (d.created_at_ms, d.id), reverse=True)
        return fitting[: wanted.limit]

    async def open_counts(self) -> Mapping[str, int]:
        """How many open delegations each participant has."""
        return Counter(d.participant for d in self._delegations.values() if d.status in OPEN)

    async def change(self, delegation_id: str, change: DelegationChange, at_ms: int) -> Delegation:
        """Apply one change. Nothing is awaited between reading and writing."""
        delegation = self._delegations.get(delegation_id)
        if delegation is None:
            raise NotFoundError(f"there is no delegation {delegation_id}")
        changed = apply_change(delegation, change, at_ms)
        self._delegations[delegation_id] = changed
        return changed


def _fits(delegation: Delegation, wanted: DelegationFilter) -> bool:
    overdue = wanted.overdue_at_ms
    ended = delegation.status in DELEGATION.terminal
    return (
        wanted.participant in (None, delegation.participant)
        and (not wanted.statuses or delegation.status in wanted.statuses)
        and wanted.execution_id in (None, delegation.execution_id)
        and (overdue is None or (delegation.deadline_ms <= overdue and not ended))
        and (
            wanted.before_ms is None
            or (delegation.created_at_ms, delegation.id) < (wanted.before_ms, wanted.before_id)
        )
    )
