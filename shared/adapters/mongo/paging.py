"""Pages of lists that show the newest first, by a time and, within one millisecond, by id."""

from __future__ import annotations

from typing import Any


def earlier(field: str, at_ms: int, identifier: str) -> dict[str, Any]:
    """The condition for what comes behind the one of this time and id."""
    return {"$or": [{field: {"$lt": at_ms}}, {field: at_ms, "_id": {"$lt": identifier}}]}
