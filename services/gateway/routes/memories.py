"""`/api/v1/memories`: what was worth remembering."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.gateway.access import Gate, Reader, Runner, Sharer
from shared.contracts.api.collective import NewMemory, RecalledMemories, Removed
from shared.contracts.collective import Memory, MemoryQuery

router = APIRouter(prefix="/api/v1/memories", tags=["memories"])


@router.get("")
async def recall_memories(
    gate: Gate, _reader: Reader, query: Annotated[MemoryQuery, Query()]
) -> RecalledMemories:
    """What fits the text and the tags, best first; without both, the newest."""
    return await gate.memories.recall(query)


@router.post("", status_code=201)
async def remember_memory(gate: Gate, sharer: Sharer, body: NewMemory, request: Request) -> Memory:
    """Keep something for later, and for others."""
    memory = await gate.memories.remember(body, sharer)
    request.state.subject = memory.id
    return memory


@router.delete("/{memory_id}")
async def forget_memory(gate: Gate, _runner: Runner, memory_id: str) -> Removed:
    """Remove it."""
    return await gate.memories.forget(memory_id)
