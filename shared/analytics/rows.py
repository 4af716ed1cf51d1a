"""Tables of counts: rows of whole numbers and sketches of durations, by a key.

The law: to merge is to add whole numbers, so it is associative and commutative, and a table that
was merged from parts equals the one that counted everything. A row without a count does not exist.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.outcomes.durations import DurationSketch

Key = tuple[str, ...]

ROWS_LIMIT: Final = 20_000
"""Rows of one table; what would be one more counts in the row `OTHERS`."""
OTHERS: Final[Key] = ("…",)


@dataclass(slots=True)
class Row:
    """Counts by name, and durations by name."""

    counts: dict[str, int] = field(default_factory=dict)
    spans: dict[str, DurationSketch] = field(default_factory=dict)

    def count(self, name: str, times: int = 1) -> None:
        """Count something so often; not at all where that is 0."""
        if times:
            self.counts[name] = self.counts.get(name, 0) + times

    def span(self, name: str, ms: int) -> None:
        """Count a duration."""
        self._sketch(name).add(ms)

    def merge(self, other: Row) -> None:
        """Count all that another row has."""
        counts = self.counts
        for name, times in other.counts.items():
            counts[name] = counts.get(name, 0) + times
        for name, sketch in other.spans.items():
            self._sketch(name).merge(sketch)

    def merge_text(self, name: str, text: str) -> None:
        """Count the durations of a sketch's text."""
        self._sketch(name).merge_text(text)

    def _sketch(self, name: str) -> DurationSketch:
        found = self.spans.get(name)
        if found is None:
            found = self.spans[name] = DurationSketch()
        return found


class Table:
    """Rows by key."""

    __slots__ = ("rows",)

    def __init__(self, rows: dict[Key, Row] | None = None):
        self.rows: dict[Key, Row] = rows if rows is not None else {}

    def row(self, *key: str) -> Row:
        """The row of a key, made where there is none."""
        found = self.rows.get(key)
        if found is None:
            place = key if len(self.rows) < ROWS_LIMIT else OTHERS
            found = self.rows.setdefault(place, Row())
        return found

    def merge(self, other: Table) -> None:
        """Count all that another table has."""
        for key, row in other.rows.items():
            self.row(*key).merge(row)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({self.rows!r})"

    def text(self) -> str:
        """As JSON, the same for equal tables."""
        rows = [
            [key, row.counts, {name: sketch.text() for name, sketch in row.spans.items()}]
            for key, row in sorted(self.rows.items())
        ]
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @classmethod
    def read(cls, text: str | bytes) -> Table:
        """What `text` gave. Raises ValueError, TypeError or AttributeError for anything else."""
        made = cls()
        for key, counts, spans in json.loads(text):
            row = made.rows[tuple(key)] = Row(dict(counts))
            for name, saved in spans.items():
                row.merge_text(name, saved)
        return made


class Sums:
    """Many tables summed for reading. The sketches are read only of the rows that are asked for."""

    def __init__(self, texts: Iterable[str] = ()):
        self._counts: dict[Key, dict[str, int]] = {}
        self._spans: dict[Key, list[Mapping[str, str]]] = defaultdict(list)
        for text in texts:
            self.add(text)

    @classmethod
    def of(cls, parts: Iterable[Sums]) -> Sums:
        """The sum of sums."""
        made = cls()
        for part in parts:
            for key, counts in part._counts.items():
                made._count(key, dict(counts), part._spans.get(key, ()))
        return made

    def add(self, text: str) -> None:
        """Count a table in."""
        for parts, counts, spans in json.loads(text):
            self._count(tuple(parts), counts, (spans,) if spans else ())

    def __iter__(self) -> Iterator[Key]:
        """The keys of all rows."""
        return iter(self._counts)

    def count(self, key: Key, name: str) -> int:
        """One count of a row; 0 where there is none."""
        return self._counts.get(key, {}).get(name, 0)

    def row(self, key: Key) -> Row:
        """A row with its sketches; empty where there is none."""
        made = Row(dict(self._counts.get(key, {})))
        for spans in self._spans.get(key, ()):
            for name, saved in spans.items():
                made.merge_text(name, saved)
        return made

    def total(self, keys: Iterable[Key]) -> Row:
        """Several rows in one."""
        made = Row()
        for key in keys:
            made.merge(self.row(key))
        return made

    def _count(self, key: Key, counts: dict[str, int], spans: Sequence[Mapping[str, str]]) -> None:
        known = self._counts.get(key)
        if known is None:
            self._counts[key] = counts
        else:
            for name, times in counts.items():
                known[name] = known.get(name, 0) + times
        if spans:
            self._spans[key].extend(spans)
