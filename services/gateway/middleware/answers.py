"""Sending a problem as an answer from within a middleware."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from services.gateway.problems import MEDIA_TYPE, ProblemError, body_of


def problem_response(error: ProblemError) -> JSONResponse:
    """The answer of a problem."""
    details = error.details
    return JSONResponse(
        body_of(details),
        status_code=details.status,
        media_type=MEDIA_TYPE,
        headers=error.headers or None,
    )


async def send_problem(error: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem."""
    await problem_response(error)(scope, receive, send)
