"""Delegated tasks: who has which, and their answers.

A participant answers what was offered to it, with a key of its own name; an operator may answer in
the name of another. The steps that wait are woken by the port (`shared.collective.announcing`).
"""

from __future__ import annotations

from services.gateway import problems
from services.gateway.operations.refusals import refusals
from services.gateway.parts import Parts
from services.gateway.permissions import Permission, Principal
from shared.contracts.api.collective import DelegationPage
from shared.contracts.delegations import Delegation, DelegationFilter
from shared.contracts.publishing import masked


class DelegationOperations:
    """List and answer delegations. Raises 403, 404 and 409."""

    def __init__(self, parts: Parts) -> None:
        self._delegations = parts.collective.delegations
        self._participants = parts.collective.participants
        self._clock = parts.clock

    async def page(self, wanted: DelegationFilter, principal: Principal) -> DelegationPage:
        """One page, newest first. A participant that looks for its tasks has been seen."""
        if wanted.participant == principal.name:
            await self._participants.seen(principal.name, self._clock.now_ms())
        with refusals():
            found = await self._delegations.find(wanted)
        full = len(found) == wanted.limit
        return DelegationPage(
            items=tuple(_masked(delegation) for delegation in found),
            next_cursor=f"{found[-1].created_at_ms}.{found[-1].id}" if full else None,
        )

    async def get(self, delegation_id: str) -> Delegation:
        """One delegation."""
        with refusals():
            found = await self._delegations.get(delegation_id)
        if found is None:
            raise problems.not_found(
                "delegation", delegation_id, "GET /api/v1/delegations lists them."
            )
        return _masked(found)

    async def accept(
        self, delegation_id: str, principal: Principal, participant: str | None = None
    ) -> Delegation:
        """The participant will do it."""
        name = await self._answering(principal, participant)
        with refusals():
            return _masked(await self._delegations.accept(delegation_id, name, self._now()))

    async def complete(
        self,
        delegation_id: str,
        result: dict[str, object],
        principal: Principal,
        participant: str | None = None,
    ) -> Delegation:
        """The participant has done it; one that was only offered is accepted on the way."""
        name = await self._answering(principal, participant)
        with refusals():
            await self._delegations.accept(delegation_id, name, self._now())
            done = await self._delegations.complete(delegation_id, name, result, self._now())
        return _masked(done)

    async def decline(
        self,
        delegation_id: str,
        reason: str,
        principal: Principal,
        participant: str | None = None,
    ) -> Delegation:
        """The participant will not do it."""
        name = await self._answering(principal, participant)
        with refusals():
            declined = await self._delegations.decline(delegation_id, name, reason, self._now())
        return _masked(declined)

    def _now(self) -> int:
        return self._clock.now_ms()

    async def _answering(self, principal: Principal, participant: str | None) -> str:
        """In whose name the principal answers. Raises 403."""
        name = participant or principal.name
        if name != principal.name and not principal.may(Permission.RUN):
            raise problems.problem(
                "forbidden",
                f"Key {principal.name!r} answers only for itself; an operator's key may answer "
                f"for {name!r}.",
            )
        await self._participants.seen(name, self._now())
        return name


def _masked(delegation: Delegation) -> Delegation:
    return delegation.model_copy(
        update={
            "task": masked(delegation.task),
            "details": masked(delegation.details),
            "result": masked(delegation.result),
        }
    )
