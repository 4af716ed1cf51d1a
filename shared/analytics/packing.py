"""A snapshot as bytes: a head and named blocks, with a checksum over all."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any, Final

_MAGIC: Final = b"HVAN"
_SIZES: Final = struct.Struct(">II")


def pack(head: dict[str, Any], blocks: dict[str, bytes]) -> bytes:
    """The same bytes for the same head and blocks, in their order."""
    parts = [_block("", json.dumps(head, sort_keys=True).encode())]
    parts.extend(_block(name, data) for name, data in blocks.items())
    body = b"".join(parts)
    return _MAGIC + zlib.crc32(body).to_bytes(4, "big") + body


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What `pack` was given. Raises ValueError for anything else."""
    body = data[8:]
    if data[:4] != _MAGIC or int.from_bytes(data[4:8], "big") != zlib.crc32(body):
        raise ValueError("this is no snapshot of analytics, or a damaged one")
    blocks: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        name_size, data_size = _SIZES.unpack_from(body, at)
        at += _SIZES.size
        name = body[at : at + name_size].decode()
        at += name_size
        blocks[name] = body[at : at + data_size]
        at += data_size
    head = json.loads(blocks.pop(""))
    return head, blocks


def _block(name: str, data: bytes) -> bytes:
    encoded = name.encode()
    return _SIZES.pack(len(encoded), len(data)) + encoded + data
