"""The ids of documents of history."""

from __future__ import annotations


def history_id(execution_id: str, first_seq: int) -> str:
    """The id of a document of history. Ids sort by execution, then by sequence, so that reading a
    history needs no other index, which every step would pay for."""
    return f"{execution_id}:{first_seq:012d}"
