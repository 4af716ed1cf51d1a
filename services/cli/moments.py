"""Moments as people write them: `2h` ago, or a time such as `2026-05-01T12:00Z`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from services.cli.faces import now_ms
from services.cli.outcome import CliError

_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def moment_ms(text: str | None, option: str) -> int | None:
    """A moment in milliseconds since the epoch; without a zone it is this machine's time.

    Raises `CliError`.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now_ms() - int(ago[1]) * _UNIT_MS[ago[2]]
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1_000)
    except (ValueError, OverflowError):
        example = "`2h` (ago) or `2026-05-01T12:00`"
        raise CliError(f"{option} {text!r} is no moment: write {example}.") from None
