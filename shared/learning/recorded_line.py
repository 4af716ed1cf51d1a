"""A typed text as the record holds it: its first line, without secrets, within a bound.

The same on a client, before anything leaves the machine, and in the gateway, so that forgetting a
line finds what was recorded of it. Doing it twice is doing it once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.learning.records import LINE_LIMIT
from shared.learning.secret_filter import without_secrets

LOOKED_AT: Final = LINE_LIMIT + 500
"""Characters of a line that are looked at for secrets, to the last whole word."""


class RecordedLine(NamedTuple):
    """`command` is empty where there was nothing but blanks; `masked`: a secret was taken out."""

    command: str
    more_lines: bool
    masked: bool


def recorded_line(text: str) -> RecordedLine:
    """What is recorded of a typed text."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    first = _whole_words(lines[0]) if lines else ""
    filtered = without_secrets(first)
    return RecordedLine(filtered[:LINE_LIMIT].rstrip(), len(lines) > 1, filtered != first)


def _whole_words(line: str) -> str:
    """A line, or its beginning; of a word that is cut nobody could tell that it is a secret."""
    if len(line) <= LOOKED_AT:
        return line
    return line[:LOOKED_AT].rpartition(" ")[0] or line[:LOOKED_AT]
