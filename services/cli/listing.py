"""Rows of cells in a terminal: a table where it fits, otherwise one block for each row.

Nothing but the last column is ever broken or cut: what stands there are names and ids, and who sees
one wants to copy it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

GAP = 2
"""Blanks between columns, and before the lines of a block."""

LAST_MIN_WIDTH = 16
"""The least that the last column, if it has as much to say, needs to be readable."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows under the names of their columns; the first cell of a row is its name."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        if self._least_width() <= options.max_width:
            yield self._table()
        else:
            yield from self._blocks()

    def _least_width(self) -> int:
        widths = [
            max([len(name), *(row[number].cell_len for row in self.rows)])
            for number, name in enumerate(self.columns)
        ]
        return sum(widths[:-1]) + GAP * (len(widths) - 1) + min(widths[-1], LAST_MIN_WIDTH)

    def _table(self) -> Table:
        made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
        for number, name in enumerate(self.columns):
            last = number == len(self.columns) - 1
            made.add_column(name, no_wrap=not last, overflow="fold", ratio=1 if last else None)
        for row in self.rows:
            made.add_row(*row)
        return made

    def _blocks(self) -> Iterator[RenderableType]:
        """The first cell, and under it each other one that says something, beside its name."""
        label_width = max(map(len, self.columns[1:]), default=0)
        for first, *others in self.rows:
            yield first
            grid = Table.grid(padding=(0, GAP, 0, 0))
            grid.add_column(width=0)
            grid.add_column(style="dim", width=label_width, no_wrap=True)
            grid.add_column(overflow="fold")
            for name, cell in zip(self.columns[1:], others, strict=True):
                if cell:
                    grid.add_row("", name.lower(), cell)
            yield grid
