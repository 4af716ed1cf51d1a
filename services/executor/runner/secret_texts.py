"""Recognizing secrets in text: as they are, in part, and in the encodings that programs use.

What is looked for of a secret, and where:

* its parts: the whole, each line, the values of `name: value` and `name=value`, the leaves of JSON;
* `SHORTEST` characters or more: anywhere in a text, in any case (host names lose theirs); also URL,
  JSON, HTML, hexadecimal and base64, which shows in a longer base64 (`user:secret`) in three ways;
* from `SHORTEST_WORD` characters: as a word by itself; shorter ones are in everything;
* a beginning or an end of it where a bound cut a text.

All this is bounded: of a large secret the parts after `MOST_PARTS` are known as whole lines only,
and encodings are looked for of `MOST_ENCODED` parts. What a program changes otherwise (reversed,
encrypted, base64 in wrapped lines, spread over lines) is not recognized.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHORTEST: Final = 6
"""Characters; what is shorter would be found in everything."""
SHORTEST_WORD: Final = 4
MOST_PARTS: Final = 200
MOST_ENCODED: Final = 50
SHORTEST_CUT: Final = 1_000
"""Characters of a failure message from which it may have been cut without a sign."""
LONGEST_ENCODED: Final = 4_096
"""Characters of a part whose encodings are looked for."""

_PAIR: Final = re.compile(r"""^["']?[\w.-]+["']?\s*[:=]\s*["']?(.*?)["']?[,;]?$""")
_CUT: Final = re.compile(r"\n… [^\n]* …\n")
"""What stands where the middle of an output was left out."""


class SecretTexts:
    """Secrets, and what they look like in text."""

    def __init__(self, values: Iterable[Any]) -> None:
        """`values` are JSON; whatever is in them is secret."""
        found = dict.fromkeys(p for value in values for p in _parts(value))
        parts = sorted(found, key=len, reverse=True)
        searched, lines = parts[:MOST_PARTS], parts[MOST_PARTS:]
        long = [part for part in searched if len(part) >= SHORTEST]
        short = [part for part in searched if len(part) < SHORTEST]
        self._all = frozenset(parts)
        self._lines = frozenset(line.lower() for line in lines)
        self._cut = long
        self._anywhere = _forms(long)
        self._words = _words(short)

    def __bool__(self) -> bool:
        """True when there is something to look for."""
        return bool(self._all)

    def are_in(self, text: str) -> bool:
        """Whether a text holds one of them."""
        low = text.lower()
        return (
            any(form in low for form in self._anywhere)
            or (self._words is not None and self._words.search(text) is not None)
            or (bool(self._lines) and any(line.strip() in self._lines for line in low.split("\n")))
            or self._has_piece(text)
        )

    def is_number(self, value: float) -> bool:
        """Whether a number is one of them."""
        return json.dumps(value) in self._all

    def masked(self, text: str) -> str:
        """A text for people, without them."""
        low = text.lower()
        for form in self._anywhere:
            if form in low:
                text = re.sub(re.escape(form), MASK, text, flags=re.IGNORECASE)
                low = text.lower()
        if self._words is not None:
            text = self._words.sub(MASK, text)
        if self._lines:
            lines = text.split("\n")
            text = "\n".join(MASK if x.strip().lower() in self._lines else x for x in lines)
        return self._without_piece(text)

    def _has_piece(self, text: str) -> bool:
        """Whether a piece of a secret stands where the text was cut."""
        pieces = _CUT.split(text)
        starts = pieces[1:]
        ends = pieces if starts or _is_cut(text) else []
        return any(self._piece_at_end(piece) for piece in ends) or any(
            _overlap(secret, piece) for piece in starts for secret in self._cut
        )

    def _without_piece(self, text: str) -> str:
        piece = self._piece_at_end(text) if _is_cut(text) else 0
        if not piece:
            return text
        mark = "…" if text.endswith("…") else ""
        return text.removesuffix("…")[:-piece] + MASK + mark

    def _piece_at_end(self, text: str) -> int:
        """How many characters at the end of a text are the beginning of a secret."""
        body = text.removesuffix("…")
        return max((_overlap(body, secret) for secret in self._cut), default=0)


def _is_cut(text: str) -> bool:
    """Whether a text looks as if a bound had cut its end off."""
    return text.endswith("…") or len(text) >= SHORTEST_CUT


def _overlap(first: str, second: str) -> int:
    """The length of the longest end of `first` that `second` begins with; 0 if under `SHORTEST`."""
    window = first[-len(second) :]
    at = window.find(second[:SHORTEST]) if len(second) >= SHORTEST else -1
    while at != -1:
        if second.startswith(window[at:]):
            return len(window) - at
        at = window.find(second[:SHORTEST], at + 1)
    return 0


def _parts(value: Any) -> Iterator[str]:
    """The texts in a value by which it would be recognized."""
    if isinstance(value, dict | list):
        yield json.dumps(value)
        for item in value.values() if isinstance(value, dict) else value:
            yield from _parts(item)
    elif isinstance(value, str):
        yield from _parts_of_text(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = json.dumps(value)
        if len(text) >= SHORTEST_WORD:
            yield text


def _parts_of_text(text: str) -> Iterator[str]:
    parsed = _parsed(text)
    if parsed is not None:
        yield from _parts(parsed)
    for line in dict.fromkeys((text.strip(), *(line.strip() for line in text.splitlines()))):
        pair = _PAIR.fullmatch(line)
        for part in (line, *(pair.groups() if pair else ())):
            if len(part) >= SHORTEST_WORD:
                yield part


def _parsed(text: str) -> dict[str, Any] | list[Any] | None:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _forms(parts: list[str]) -> tuple[str, ...]:
    """What is looked for anywhere, in lower case, longest first."""
    encoded = [part for part in parts if len(part) <= LONGEST_ENCODED][:MOST_ENCODED]
    forms = {*parts, *(form for part in encoded for form in _encodings(part))}
    return tuple(sorted({form.lower() for form in forms}, key=len, reverse=True))


def _encodings(part: str) -> Iterator[str]:
    data = part.encode("utf-8", "surrogatepass")
    yield from (quote(data), quote(data, safe=""), quote_plus(data))
    for ascii_only in (True, False):
        within = json.dumps(part, ensure_ascii=ascii_only)[1:-1]
        yield from (within, json.dumps(within)[1:-1])  # JSON within JSON is common
    yield html.escape(part)
    yield data.hex()
    for before in range(3):
        core = _base64_core(data, before)
        if len(core) >= SHORTEST:
            yield from (core, core.replace("+", "-").replace("/", "_"))


def _base64_core(data: bytes, before: int) -> str:
    """The characters that base64 makes of these bytes alone, whatever stands around them, when
    `before` (modulo 3) bytes precede them."""
    text = base64.b64encode(bytes(before) + data).decode().rstrip("=")
    start = (0, 2, 3)[before]
    return text[start:-1] if (before + len(data)) % 3 else text[start:]


def _words(parts: list[str]) -> re.Pattern[str] | None:
    if not parts:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, parts))})(?!\w)")
