"""What became of each host of a rollout, in a picture for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

ARROW: Final = "──▶"
MOST_WORDS: Final = 24
PUT_BACK: Final = "the rollout stopped; what it had touched was put back, byte for byte"
NOT_PUT_BACK: Final = "the rollout stopped, and something is not what it was"


@dataclass(frozen=True, slots=True)
class Row:
    """One host: what its file was, what became of the rollout there, what the file is now."""

    agent: str
    canary: bool
    before: str
    status: str
    error: str
    after: str
    same: bool


def picture(rows: Sequence[Row]) -> RenderableType:
    """Before, the rollout, and now, side by side; digests are those of the disks."""
    restored = all(row.same for row in rows)
    table = Table(box=None, padding=(0, 1), show_edge=False, header_style="dim")
    for heading in ("", "", "before", "", "the rollout", "", "now"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    return Panel(
        table,
        title=PUT_BACK if restored else NOT_PUT_BACK,
        title_align="left",
        box=box.ROUNDED,
        expand=False,
    )


def _cells(row: Row) -> tuple[Text, ...]:
    touched = bool(row.status)
    arrow = Text(ARROW if touched else "", style="dim")
    return (
        Text(row.agent, style="bold"),
        Text("canary" if row.canary else "", style="yellow"),
        Text(row.before),
        arrow,
        _what_happened(row),
        arrow,
        _how_it_is(row, touched=touched),
    )


def _what_happened(row: Row) -> Text:
    if not row.status:
        return Text("never begun", style="dim")
    if row.status == "completed":
        return Text("✓ installed, healthy", style="green")
    words = row.error.partition(" from ")[0]
    short = words if len(words) <= MOST_WORDS else words[: MOST_WORDS - 1] + "…"
    return Text(f"✗ ill: {short}", style="red")


def _how_it_is(row: Row, *, touched: bool) -> Text:
    if not row.same:
        return Text(f"{row.after}  ✗ not what it was", style="bold red")
    words = "✓ put back" if touched else "as it was"
    return Text(f"{row.after}  {words}", style="green" if touched else "dim")
