"""`/api/v1/workflows/suggest` and `/autocomplete`, `/api/v1/suggestions/feedback`."""

from __future__ import annotations

from fastapi import APIRouter

from services.gateway.access import Gate, Reader, Sharer
from shared.contracts.suggestions import (
    AutocompleteBody,
    FeedbackBody,
    FeedbackTaken,
    SuggestAnswer,
    SuggestBody,
)

router = APIRouter(prefix="/api/v1", tags=["suggestions"])


@router.post("/workflows/suggest")
async def suggest_workflows(gate: Gate, reader: Reader, body: SuggestBody) -> SuggestAnswer:
    """What is wanted now: workflows and next commands, ranked together, each with how likely it is,
    why, and what a run would need. A text for which nothing fits is told so (`nothing_fits`). The
    caller's own commands and runs count; texts and values of others are told once enough people
    have used them. Nothing is learned from the question. 503 where no suggestion service runs."""
    return await gate.suggesting.suggest(body, reader)


@router.post("/workflows/autocomplete")
async def autocomplete_sequence(
    gate: Gate, reader: Reader, body: AutocompleteBody
) -> SuggestAnswer:
    """How a started sequence of commands goes on: the workflows that it began, with the steps that
    are done, the rest and the values that the commands gave; and the next commands."""
    return await gate.suggesting.autocomplete(body, reader)


@router.post("/suggestions/feedback", status_code=202)
async def give_feedback(gate: Gate, sharer: Sharer, body: FeedbackBody) -> FeedbackTaken:
    """What became of a suggestion. It is learned within a second: confidences and texts follow, for
    others only within bounds. The same said again counts once."""
    return await gate.suggesting.feedback(body, sharer)
