"""`/api/v1/keys`: API keys, for admins."""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.gateway.access import Gate, KeyKeeper, Reader
from shared.contracts.api.keys import ApiKey, IssuedKey, KeyList, NewKey

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])


@router.get("")
async def list_keys(gate: Gate, _keeper: KeyKeeper) -> KeyList:
    """Every key, newest first, without secrets."""
    return KeyList(items=await gate.keys.all())


@router.post("", status_code=201)
async def issue_key(gate: Gate, keeper: KeyKeeper, body: NewKey, request: Request) -> IssuedKey:
    """Make a key. Its secret is in this answer and is never shown again."""
    issued = await gate.keys.issue(body, by=keeper.name)
    request.state.subject = issued.key.id
    return issued


@router.get("/self")
async def show_own_key(gate: Gate, reader: Reader) -> ApiKey:
    """The key that makes this request: who am I, and what is my role."""
    return await gate.keys.get(reader.key_id)


@router.delete("/{key_id}")
async def revoke_key(gate: Gate, _keeper: KeyKeeper, key_id: str) -> ApiKey:
    """Put a key out of force for ever, within seconds at every gateway."""
    return await gate.keys.revoke(key_id)
