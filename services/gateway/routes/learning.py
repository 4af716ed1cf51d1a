"""`/api/v1/learning`: what is learned, and from what."""

from __future__ import annotations

from fastapi import APIRouter

from services.gateway.access import Gate, Reader, Teacher
from services.gateway.operations.refusals import answered_by_a_service
from shared.contracts.learning import BackfillOrder, LearningStatus, RebuildOrder

router = APIRouter(prefix="/api/v1/learning", tags=["learning"])


@router.get("")
async def get_learning(gate: Gate, _reader: Reader) -> LearningStatus:
    """How the learning service stands: what is kept, how far each model is, and its snapshot."""
    with answered_by_a_service():
        return await gate.parts.learning.status()


@router.post("/rebuild", status_code=202)
async def rebuild_models(gate: Gate, _teacher: Teacher, body: RebuildOrder) -> LearningStatus:
    """Build a model, or all, from what is kept. It begins at once and goes on by itself: the status
    tells how far it is. For admins."""
    with answered_by_a_service():
        return await gate.parts.learning.rebuild(body)


@router.post("/backfill", status_code=202)
async def backfill_record(gate: Gate, _teacher: Teacher, body: BackfillOrder) -> LearningStatus:
    """Add the runs of executions that ended before the learning service listened, archived ones
    included. It may be done again: what is known counts once. For admins."""
    with answered_by_a_service():
        return await gate.parts.learning.backfill(body)
