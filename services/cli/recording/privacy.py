"""What is not recorded on this machine, whoever asks: while recording is paused, lines that begin
with a blank, and lines that fit a pattern. The hooks of shells keep to the same."""

from __future__ import annotations

import fnmatch
import os

PAUSE = "HIVE_RECORD"
IGNORE = "HIVE_RECORD_IGNORE"


def paused() -> bool:
    """Whether this person has paused recording (HIVE_RECORD=off)."""
    return os.environ.get(PAUSE, "on") == "off"


def ignored(line: str) -> bool:
    """Whether a line is not to be recorded."""
    patterns = [one for one in os.environ.get(IGNORE, "").split(":") if one]
    return line[:1].isspace() or any(fnmatch.fnmatchcase(line, one) for one in patterns)
