"""Ids that sort by time: ULID's layout, 48 bits of time and 80 others, in Crockford's base 32."""

from __future__ import annotations

import hashlib
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 26


def time_sorted_id(prefix: str, at_ms: int, bits: int) -> str:
    """`<prefix>_<26 characters>` of a time in epoch milliseconds and 80 other bits."""
    value = at_ms << 80 | bits
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def created_ms(identifier: str) -> int | None:
    """When an id was made, in epoch milliseconds; `None` when it is not one of ours."""
    body = identifier.rpartition("_")[2]
    if len(body) != _LENGTH or any(c not in _ALPHABET for c in body):
        return None
    value = 0
    for character in body:
        value = value << 5 | _ALPHABET.index(character)
    return value >> 80


def child_id(execution_id: str, step: str, attempt: int, at_ms: int) -> str:
    """The id of the execution that a step calls: the same whenever this is decided again."""
    digest = hashlib.sha256(f"{execution_id}.{step}.{attempt}".encode()).digest()
    return time_sorted_id("ex", at_ms, int.from_bytes(digest[:10]))
