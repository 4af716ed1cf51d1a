"""`/api/v1/agents`: who is there, to run commands and to take tasks."""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.gateway.access import Answerer, Gate, Reader
from shared.contracts.api.collective import Fleet, NewParticipant, Removed
from shared.contracts.collective import Participant

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


@router.get("")
async def list_agents(gate: Gate, _reader: Reader) -> Fleet:
    """The live agents, and every participant that takes delegated tasks."""
    return await gate.fleet.show()


@router.post("/participants", status_code=201)
async def register_participant(
    gate: Gate, answerer: Answerer, body: NewParticipant, request: Request
) -> Participant:
    """Register a person or an AI agent for delegated tasks, or change what is known of it."""
    request.state.subject = body.name
    return await gate.fleet.register(body, answerer)


@router.delete("/participants/{name}")
async def remove_participant(gate: Gate, answerer: Answerer, name: str) -> Removed:
    """Forget a participant; what it has already is still its own."""
    return await gate.fleet.remove(name, answerer)
