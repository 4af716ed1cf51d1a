"""`/api/v1/commands`: what people and agents ran, to learn from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.gateway.access import Gate, Recorder
from shared.contracts.api.commands import (
    CommandsRecorded,
    ForgetAccepted,
    ForgetCommands,
    NewCommands,
    RecordingView,
    RecordingWanted,
)

router = APIRouter(prefix="/api/v1/commands", tags=["commands"])

User = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="Of whom; by default the key's own."),
]


@router.post("")
async def record_commands(gate: Gate, recorder: Recorder, body: NewCommands) -> CommandsRecorded:
    """Record one command or up to 1,000. An id that was recorded before counts once, so the same
    can be sent again. Secrets become `***`; of several lines the first is kept."""
    return await gate.recording.add(body, recorder)


@router.post(
    "/forget",
    status_code=202,
    responses={200: {"model": ForgetAccepted, "description": "What a pattern means."}},
)
async def forget_commands(
    gate: Gate, recorder: Recorder, body: ForgetCommands, request: Request, response: Response
) -> ForgetAccepted:
    """Forget a line, the lines that a pattern means now, or all that a user ran: it leaves the
    record, and what was learned of it. `preview` tells what a pattern means, and forgets nothing.
    """
    accepted = await gate.recording.forget(body, recorder)
    request.state.subject = accepted.user or "everybody"
    if accepted.preview:
        response.status_code = 200
    return accepted


@router.get("/recording")
async def show_recording(gate: Gate, recorder: Recorder, user: User = None) -> RecordingView:
    """Whether your commands are recorded."""
    return await gate.recording.choice(user, recorder)


@router.put("/recording")
async def set_recording(
    gate: Gate, recorder: Recorder, body: RecordingWanted, request: Request
) -> RecordingView:
    """Opt out of being recorded, or in again. What was recorded stays until it is forgotten."""
    view = await gate.recording.choose(body, recorder)
    request.state.subject = view.user
    return view
