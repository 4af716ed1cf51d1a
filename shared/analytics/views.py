"""Which tables there are: what their rows are keyed by, and over which periods they are kept.

| view | scope | key | what |
|---|---|---|---|
| `totals` | empty, `c:<category>` or `t:<template>` | `all` | everything in one row |
| `templates` | | category, template | runs |
| `template` | the template | `version`, `step`, `agent`, `failure`; which | one template |
| `steps` | | category, template, step, command | attempts |
| `agents` | | agent | attempts |
| `agent` | the agent | `step`, template, step, command; `failure`, code | one agent |
| `rollbacks` | | category, template | rollbacks that are over |
| `suggestions` | | kind, template | what became of suggestions |
| `cells` | | agent, template, step | what `speeds` is made from |
| `speeds` | | agent | how fast agents are beside each other |

What is looked at hour by hour is kept by the hour, too; the others by days and months; cells and
speeds by months alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, cast, get_args

from shared.analytics.periods import Level, Period

View = Literal[
    "totals",
    "templates",
    "template",
    "steps",
    "agents",
    "agent",
    "rollbacks",
    "suggestions",
    "cells",
    "speeds",
]

LEVELS: Final[Mapping[View, tuple[Level, ...]]] = {
    "totals": ("h", "d", "m"),
    "templates": ("h", "d", "m"),
    "template": ("d", "m"),
    "steps": ("d", "m"),
    "agents": ("d", "m"),
    "agent": ("d", "m"),
    "rollbacks": ("d", "m"),
    "suggestions": ("d", "m"),
    "cells": ("m",),
    "speeds": ("m",),
}


class Name(NamedTuple):
    """Which table: a view of a scope over a period."""

    view: View
    scope: str
    period: Period

    def text(self) -> str:
        """As an id: `d/1764460800000/totals/c:maintenance`."""
        return f"{self.period.level}/{self.period.start_ms}/{self.view}/{self.scope}"

    @classmethod
    def read(cls, text: str) -> Name:
        """What `text` gave. Raises ValueError for anything else."""
        level, start, view, scope = text.split("/", 3)
        if view not in get_args(View) or level not in get_args(Level):
            raise ValueError(f"{text!r} names no table")
        return cls(cast("View", view), scope, Period(cast("Level", level), int(start)))
