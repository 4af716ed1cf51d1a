"""Bounded memory of what a process writes: the beginning, the end, and live lines."""

import json
from collections.abc import Callable
from dataclasses import dataclass

LINE_LIMIT_BYTES = 2_000
"""Longest live line; the rest of the line is not streamed."""

LINES_PER_CHUNK = 100
"""Most live lines from one read of a pipe; more are counted, not streamed."""


@dataclass(frozen=True)
class Captured:
    """What was kept of a stream: `text`, as JSON within the limit; `total_bytes` were written."""

    text: str
    total_bytes: int
    truncated: bool
    binary: bool


class BoundedCapture:
    """Keeps the first and the last bytes of a stream; holds at most twice `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._head_limit = limit_bytes // 2
        self._tail_limit = limit_bytes - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._total += len(data)
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:][-self._tail_limit :] if self._tail_limit else b""
        # Cutting only when twice the limit is held keeps the cost of a byte constant.
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: -self._tail_limit]

    def result(self) -> Captured:
        """What was kept, as text; bytes that are not UTF-8 become U+FFFD."""
        if self._total <= self._limit:
            text, binary = _decode(bytes(self._head + self._tail))
            kept, cut = shortened(text, self._limit)
            return Captured(kept, self._total, truncated=cut, binary=binary)
        head, binary_head = _decode(_whole_start(bytes(self._head)))
        tail, binary_tail = _decode(_whole_end(bytes(self._tail[-self._tail_limit :])))
        left_out = self._total - len(self._head) - min(len(self._tail), self._tail_limit)
        text = f"{head}\n… {left_out} bytes left out …\n{tail}"
        kept, _ = shortened(text, self._limit)
        return Captured(kept, self._total, truncated=True, binary=binary_head or binary_tail)


def shortened(text: str, limit_bytes: int) -> tuple[str, bool]:
    """The text with its middle left out until its JSON form has at most `limit_bytes`; whether cut.

    Control and replacement characters take up to six bytes as JSON, so a bound on raw bytes is
    none.
    """
    size = _json_bytes(text)
    if size <= limit_bytes:
        return text, False
    half = len(text) * limit_bytes // size // 2
    while half > 0:
        kept = f"{text[:half]}\n… cut …\n{text[-half:]}"
        if _json_bytes(kept) <= limit_bytes:
            return kept, True
        half = half * 9 // 10
    return "", True


class LineStream:
    """Turns chunks of a stream into bounded lines for `emit`."""

    def __init__(
        self, emit: Callable[[str], None], line_limit_bytes: int = LINE_LIMIT_BYTES
    ) -> None:
        self._emit = emit
        self._limit = line_limit_bytes
        self._partial = bytearray()

    def feed(self, data: bytes) -> None:
        """Emit the lines that end in this chunk."""
        *lines, rest = data.split(b"\n", LINES_PER_CHUNK)
        for line in lines:
            self._extend(line)
            self._flush()
        skipped = rest.count(b"\n")
        if skipped:
            self._emit(f"… {skipped} more lines not shown …")
            rest = rest[rest.rindex(b"\n") + 1 :]
        self._extend(rest)

    def finish(self) -> None:
        """Emit a last line that has no line end."""
        if self._partial:
            self._flush()

    def _extend(self, data: bytes) -> None:
        # One byte over the limit marks the line as cut.
        self._partial += data[: self._limit + 1 - len(self._partial)]

    def _flush(self) -> None:
        cut = len(self._partial) > self._limit
        line = bytes(self._partial[: self._limit]).rstrip(b"\r")
        self._partial.clear()
        self._emit(_whole_start(line).decode(errors="replace") + ("…" if cut else ""))


def _decode(data: bytes) -> tuple[str, bool]:
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return data.decode(errors="replace"), True


def _whole_start(data: bytes) -> bytes:
    """Drop a character cut off at the end."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < needed else data
    return data


def _whole_end(data: bytes) -> bytes:
    """Drop a character cut off at the start."""
    start = 0
    while start < min(3, len(data)) and 0x80 <= data[start] < 0xC0:
        start += 1
    return data[start:]


def _json_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
