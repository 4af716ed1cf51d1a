"""The changes of a delegation by name, for every implementation of the port."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from shared.contracts.delegations import (
    AcceptDelegation,
    CancelDelegation,
    CompleteDelegation,
    DeclineDelegation,
    Delegation,
    DelegationChange,
)


class DelegationVerbs(ABC):
    """What follows from `change`."""

    @abstractmethod
    async def change(self, delegation_id: str, change: DelegationChange, at_ms: int) -> Delegation:
        """Apply one change; gives the delegation after it."""

    async def accept(self, delegation_id: str, participant: str, at_ms: int) -> Delegation:
        """The participant will do it."""
        change = AcceptDelegation(participant=participant)
        return await self.change(delegation_id, change, at_ms)

    async def complete(
        self, delegation_id: str, participant: str, result: dict[str, Any], at_ms: int
    ) -> Delegation:
        """The participant has done it."""
        change = CompleteDelegation(participant=participant, result=result)
        return await self.change(delegation_id, change, at_ms)

    async def decline(
        self, delegation_id: str, participant: str, reason: str, at_ms: int
    ) -> Delegation:
        """The participant will not do it."""
        change = DeclineDelegation(participant=participant, reason=reason)
        return await self.change(delegation_id, change, at_ms)

    async def cancel(self, delegation_id: str, reason: str, at_ms: int) -> Delegation:
        """It is no longer wanted."""
        return await self.change(delegation_id, CancelDelegation(reason=reason), at_ms)
