"""`/api/v1/broadcasts`: messages to every agent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.gateway.access import Gate, Reader, Sharer
from services.gateway.routes.paging import Limit
from shared.contracts.api.collective import BroadcastPage, NewBroadcast
from shared.contracts.collective import Broadcast

router = APIRouter(prefix="/api/v1/broadcasts", tags=["broadcasts"])


@router.get("")
async def list_broadcasts(
    gate: Gate,
    _reader: Reader,
    before: Annotated[int | None, Query(ge=0, description="`next_before` of a page.")] = None,
    limit: Limit = 50,
) -> BroadcastPage:
    """Broadcasts with who has acknowledged them, newest first."""
    return await gate.broadcasts.page(before, limit)


@router.post("", status_code=201)
async def send_broadcast(
    gate: Gate, sharer: Sharer, body: NewBroadcast, request: Request
) -> Broadcast:
    """Tell every live agent; the answer shows who has it by then."""
    broadcast = await gate.broadcasts.send(body, sharer)
    request.state.subject = broadcast.id
    return broadcast
