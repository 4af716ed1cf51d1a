"""What production code calls an error, kept instead of printed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import Any

import structlog


class Complaints:
    """A processor of log entries: keeps what production code calls an error."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def __call__(self, _logger: Any, _name: str, entry: Mapping[str, Any]) -> Any:
        """Keep it; nothing is printed."""
        words = {k: v for k, v in entry.items() if k not in ("event", "exc_info")}
        self.kept.append(f"logged as an error: {entry['event']} {words} {_reason(entry)}")
        raise structlog.DropEvent


def _reason(entry: Mapping[str, Any]) -> str:
    if not entry.get("exc_info"):
        return ""
    error = sys.exc_info()[1]
    return "" if error is None else "".join(traceback.format_exception(error)[-3:])
