"""Reading the body of a response within bounds, also while it is unpacked.

The law: never more than the bound is in memory, whatever a few packed bytes may unfold to. So one
layer of compression is unpacked and no more (gzip in gzip multiplies a thousandfold twice), and
each piece only as far as there is room.
"""

import zlib
from typing import Final, Protocol

import httpx

ACCEPTED: Final = "gzip, deflate"
"""What a request says that it understands."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS


class _Unpacking(Protocol):
    def some(self, data: bytes, room: int) -> bytes:
        """What the next bytes unfold to, but not more than `room`."""
        ...

    def end(self) -> None:
        """Raise httpx.DecodingError if the body ended too early."""
        ...


async def read_body(response: httpx.Response, keep_bytes: int) -> tuple[bytes, bool]:
    """At most `keep_bytes` of the unpacked body, and whether there is more.

    Raises httpx.DecodingError if the body is not what its Content-Encoding says.
    """
    unpacking = _unpacking(response.headers.get("content-encoding", ""))
    body = bytearray()
    async for data in response.aiter_raw():
        body += unpacking.some(data, keep_bytes + 1 - len(body))
        if len(body) > keep_bytes:
            return bytes(body[:keep_bytes]), True
    unpacking.end()
    return bytes(body), False


def _unpacking(encoding: str) -> _Unpacking:
    words = [word.strip().lower() for word in encoding.split(",")]
    layers = [word for word in words if word not in {"", "identity"}]
    match layers:
        case []:
            return _Plain()
        case ["gzip" | "x-gzip"]:
            return _Packed(_GZIP)
        case ["deflate"]:
            return _Packed(zlib.MAX_WBITS)
    return _Unknown(encoding)


class _Unknown:
    """What cannot be unpacked; a body without a byte (an answer to HEAD) needs not be."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def some(self, data: bytes, room: int) -> bytes:  # noqa: ARG002 - the protocol names them
        raise httpx.DecodingError(f"its encoding '{self._encoding[:100]}' is none of: {ACCEPTED}")

    def end(self) -> None:
        pass


class _Plain:
    def some(self, data: bytes, room: int) -> bytes:
        return data[:room]

    def end(self) -> None:
        pass


class _Packed:
    """`format_bits` is what zlib calls wbits: which header is expected."""

    def __init__(self, format_bits: int) -> None:
        self._bits = format_bits
        self._unpacker = zlib.decompressobj(format_bits)
        self._begun = False

    def some(self, data: bytes, room: int) -> bytes:
        unfolded = bytearray()
        while data and len(unfolded) < room:
            if self._unpacker.eof:  # gzip may have several members, one after the other
                self._unpacker = zlib.decompressobj(self._bits)
            unfolded += self._step(data, room - len(unfolded))
            # With room left the rest was not needed: it belongs to the next member.
            data = self._unpacker.unused_data
        return bytes(unfolded)

    def end(self) -> None:
        if self._begun and not self._unpacker.eof:
            raise httpx.DecodingError("it ends in the middle")

    def _step(self, data: bytes, room: int) -> bytes:
        try:
            unfolded = self._unpacker.decompress(data, room)
        except zlib.error as error:
            if self._begun or self._bits != zlib.MAX_WBITS:
                raise httpx.DecodingError(str(error)) from error
            # Some servers send `deflate` without the header that it should have (RFC 9110).
            self._bits = _RAW
            self._unpacker = zlib.decompressobj(_RAW)
            return self._step(data, room)
        self._begun = True
        return unfolded
