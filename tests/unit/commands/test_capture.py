"""Output is bounded whatever is written, and says what is missing."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.executor.commands.capture import (
    LINE_LIMIT_BYTES,
    LINES_PER_CHUNK,
    BoundedCapture,
    LineStream,
    shortened,
)

CHUNKS = st.lists(st.binary(max_size=300), max_size=20)


def captured(chunks: list[bytes], limit: int) -> BoundedCapture:
    capture = BoundedCapture(limit)
    for chunk in chunks:
        capture.feed(chunk)
    return capture


@given(CHUNKS, st.integers(0, 500))
def test_text_as_json_never_exceeds_the_limit(chunks: list[bytes], limit: int) -> None:
    """Whatever is written, the kept text fits (\"\" has two bytes), and the count is true."""
    result = captured(chunks, limit).result()
    assert result.total_bytes == sum(map(len, chunks))
    assert len(json.dumps(result.text, ensure_ascii=False).encode()) <= max(limit, 2)


@given(st.text(max_size=200), st.integers(1, 7))
def test_short_text_is_kept_whole(text: str, size: int) -> None:
    """What fits is returned unchanged, however it was cut into chunks."""
    data = text.encode()
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    result = captured(chunks, 10_000).result()
    assert (result.text, result.truncated, result.binary) == (text, False, False)


@given(CHUNKS, CHUNKS)
def test_chunks_do_not_matter(first: list[bytes], second: list[bytes]) -> None:
    """The same bytes give the same result, in one piece or in many."""
    data = [*first, *second]
    assert captured(data, 100).result() == captured([b"".join(data)], 100).result()


@given(st.text(alphabet="aé漢🙂", min_size=60, max_size=200))
def test_cut_between_characters(text: str) -> None:
    """Cutting the middle out never makes text look binary."""
    result = captured([text.encode()], 50).result()
    assert result.truncated
    assert not result.binary


def test_head_and_tail_are_kept() -> None:
    """Long output keeps its beginning and its end and says how much is missing."""
    result = captured([b"start " + b"x" * 5000 + b" end"], 200).result()
    assert result.text.startswith("start ")
    assert result.text.endswith(" end")
    assert "bytes left out" in result.text or "cut" in result.text
    assert result.truncated


def test_memory_is_bounded() -> None:
    """Never more than twice the limit is held."""
    capture = BoundedCapture(1000)
    for _ in range(1000):
        capture.feed(b"x" * 700)
        assert len(capture._head) + len(capture._tail) <= 2000
    assert capture.result().total_bytes == 700_000


@given(st.text(max_size=500), st.integers(2, 100))
def test_shortened_fits(text: str, limit: int) -> None:
    """A text is shortened to any limit, and left alone if it fits."""
    kept, cut = shortened(text, limit)
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= limit
    assert cut == (kept != text)


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_lines_are_complete(chunks: list[bytes]) -> None:
    """Short lines arrive whole and in order, whatever the chunks."""
    lines: list[str] = []
    stream = LineStream(lines.append)
    for chunk in chunks:
        stream.feed(chunk)
    stream.finish()
    data = b"".join(chunks)
    expected = data.split(b"\n")
    assert len(lines) == len(expected) - (expected[-1] == b"")


def test_long_line_is_cut() -> None:
    """A line longer than the limit is streamed up to it, and the next line starts afresh."""
    lines: list[str] = []
    stream = LineStream(lines.append)
    for _ in range(10):
        stream.feed(b"y" * LINE_LIMIT_BYTES)
    stream.feed(b"\nnext\n")
    assert lines == ["y" * LINE_LIMIT_BYTES + "…", "next"]


def test_flood_of_lines_is_counted() -> None:
    """Of a flood of lines some are streamed and the rest counted."""
    lines: list[str] = []
    LineStream(lines.append).feed(b"y\n" * 1000)
    assert len(lines) == LINES_PER_CHUNK + 1
    assert lines[-1] == f"… {1000 - LINES_PER_CHUNK} more lines not shown …"
