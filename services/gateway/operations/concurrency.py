"""Concurrency keys: who has a slot of one, who waits, and freeing what is never given back."""

from __future__ import annotations

from services.gateway import problems
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.concurrency import ConcurrencyKeyList, ConcurrencyKeyView, ReleaseBody
from shared.workflow.concurrency_key import KeyState, SlotFreed


class ConcurrencyOperations:
    """Raises 404 for a key that nobody uses, 409 for a slot that nobody has."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def all(self) -> ConcurrencyKeyList:
        """Every key that is in use, by name."""
        found = [stored.state for stored in await self._parts.slots.all("key")]
        found.sort(key=lambda state: state.key)
        return ConcurrencyKeyList(items=tuple(map(ConcurrencyKeyView.of, found)))

    async def get(self, key_id: str) -> ConcurrencyKeyView:
        """One key."""
        return ConcurrencyKeyView.of(await self._found(key_id))

    async def release(
        self, key_id: str, body: ReleaseBody, principal: Principal
    ) -> ConcurrencyKeyView:
        """Free a slot. The next in turn gets it, whatever its holder still does; gives the key as
        it was."""
        state = await self._found(key_id)
        if not state.knows(body.execution_id, body.slot):
            raise problems.conflict(
                f"{body.execution_id} (slot {body.slot}) neither has a slot of {state.key!r} nor "
                "waits for one."
            )
        freed = SlotFreed(
            execution_id=body.execution_id,
            slot=body.slot,
            by=principal.actor,
            reason=body.reason,
        )
        message_id = f"release.{key_id}.{state.changed_at_ms}.{body.execution_id}.{body.slot}"
        await self._parts.automations.journal.append(key_id, freed, message_id)
        return ConcurrencyKeyView.of(state)

    async def _found(self, key_id: str) -> KeyState:
        stored = await self._parts.slots.get(key_id)
        if stored is None:
            raise problems.not_found(
                "concurrency key", key_id, "GET /api/v1/concurrency lists those in use."
            )
        return stored.state
