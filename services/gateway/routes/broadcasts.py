"""`/api/v1/broadcasts`: messages to every agent."""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.gateway.access import Gate, Reader, Sharer
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.api.collective import BroadcastPage, NewBroadcast
from shared.contracts.collective import Broadcast

router = APIRouter(prefix="/api/v1/broadcasts", tags=["broadcasts"])


@router.get("")
async def list_broadcasts(
    gate: Gate, _reader: Reader, cursor: Cursor = None, limit: Limit = 50
) -> BroadcastPage:
    """Broadcasts with who has acknowledged them, newest first."""
    return await gate.broadcasts.page(time_and_id(cursor), limit)


@router.post("", status_code=201)
async def send_broadcast(
    gate: Gate, sharer: Sharer, body: NewBroadcast, request: Request
) -> Broadcast:
    """Tell every live agent; the answer shows who has it by then."""
    broadcast = await gate.broadcasts.send(body, sharer)
    request.state.subject = broadcast.id
    return broadcast
