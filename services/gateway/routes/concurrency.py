"""`/api/v1/concurrency`: keys that limit how many are under way at a time."""

from __future__ import annotations

from fastapi import APIRouter

from services.gateway.access import Gate, Reader, Repairer
from shared.contracts.api.concurrency import ConcurrencyKeyList, ConcurrencyKeyView, ReleaseBody

router = APIRouter(prefix="/api/v1/concurrency", tags=["concurrency"])


@router.get("")
async def list_concurrency_keys(gate: Gate, _reader: Reader) -> ConcurrencyKeyList:
    """Every key of which somebody has a slot, with who waits for one."""
    return await gate.concurrency.all()


@router.get("/{key_id}")
async def get_concurrency_key(gate: Gate, _reader: Reader, key_id: str) -> ConcurrencyKeyView:
    """One key."""
    return await gate.concurrency.get(key_id)


@router.post("/{key_id}/release", status_code=202)
async def release_slot(
    gate: Gate, repairer: Repairer, key_id: str, body: ReleaseBody
) -> ConcurrencyKeyView:
    """Free a slot that its holder will never give back; the next in turn gets it. Whatever still
    runs is not stopped: cancel it first. The answer is the key as it was."""
    return await gate.concurrency.release(key_id, body, repairer)
