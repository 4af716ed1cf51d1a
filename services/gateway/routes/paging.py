"""Query parameters that several lists share, and the cursors of their pages."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query

from services.gateway import problems

MAX_PAGE: Final = 200
MAX_NUMBER: Final = 2**53 - 1
"""Largest time, sequence or version in a query: what JSON numbers hold exactly everywhere."""

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most items in the answer.")]
Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before this one.")
]


def time_and_id(cursor: str | None) -> tuple[int, str] | None:
    """The creation time and id in a cursor. Raises 422."""
    if cursor is None:
        return None
    at_ms, _, identifier = cursor.partition(".")
    if not at_ms.isdecimal() or len(at_ms) > 15 or not identifier:
        raise problems.invalid_field(
            "cursor", "is not a cursor", "send `next_cursor` of the page before, or none"
        )
    return int(at_ms), identifier
