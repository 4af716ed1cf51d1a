"""A typed text as the record holds it: its first line, without secrets, within a bound.

The same on a client, before anything leaves the machine, and in the gateway, so that forgetting a
line finds what was recorded of it. Doing it twice is doing it once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.learning.records import LINE_LIMIT
from shared.learning.secret_filter import without_secrets

LOOKED_AT: Final = 2 * LINE_LIMIT
"""Characters of a line that are looked at for secrets; what is behind them is not kept anyway."""


class RecordedLine(NamedTuple):
    """`command` is empty where there was nothing but blanks; `masked`: a secret was taken out."""

    command: str
    more_lines: bool
    masked: bool


def recorded_line(text: str) -> RecordedLine:
    """What is recorded of a typed text."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    first = lines[0][:LOOKED_AT] if lines else ""
    filtered = without_secrets(first)
    return RecordedLine(filtered[:LINE_LIMIT].rstrip(), len(lines) > 1, filtered != first)
