"""The tables as a fold over the record.

The law:

* What is counted depends on the items alone, not on their order; only the gaps between commands
  follow the order of the record.
* Every table is kept for its time, counted back from the newest item (`Keep`): hours give way to
  their days, days to their months, months are dropped. An item that is older than that counts where
  there is still something kept.
* Tables at work are held as objects, all others as compressed text; which of them are is no part of
  the state.
* `take_changes` gives what changed since it was last asked, whole: to write it twice does no harm.
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from shared.analytics.counting import Tally
from shared.analytics.packing import pack, unpack
from shared.analytics.periods import DAY_MS, Kept, period_of
from shared.analytics.rows import Table
from shared.analytics.saving import LONGEST_GAP_MS
from shared.analytics.speeds import compared
from shared.analytics.views import LEVELS, Name
from shared.learning.records import (
    AnyRecord,
    Feedback,
    Forget,
    RecordedCommand,
    RollbackRecord,
    RunRecord,
)

NAME: Final = "analytics"
VERSION: Final = 1
SESSIONS_LIMIT: Final = 2_000
"""Sessions whose last command is known; the one that was quiet for longest gives way."""
OPEN_LIMIT: Final = 1_500
"""Tables that are held as objects."""
PENDING_LIMIT: Final = 3_000
"""Tables that are counted on their own before days and months are told."""


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long tables are kept, in days: at least 2, 62 and 31."""

    hours_days: int = 15
    days_days: int = 400
    months_days: int = 3_660

    def __post_init__(self) -> None:
        for name, least in (("hours_days", 2), ("days_days", 62), ("months_days", 31)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; at least {least}")
        if not self.hours_days <= self.days_days <= self.months_days:
            raise ValueError("hours are kept no longer than days, days no longer than months")

    def since(self, newest_ms: int) -> Kept:
        """Since when tables are there: hours by whole days, days by whole months."""
        hours = period_of(newest_ms - self.hours_days * DAY_MS, "d").start_ms
        days = period_of(newest_ms - self.days_days * DAY_MS, "m").start_ms
        months = period_of(newest_ms - self.months_days * DAY_MS, "m").start_ms
        return Kept(hours, days, months)


@dataclass(frozen=True, slots=True)
class Changes:
    """Tables as they are now, by name; older ones than are `kept` are no more."""

    tables: dict[Name, str]
    newest_ms: int
    kept: Kept

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.tables


class Analytics:
    """The fold. Thread-safe only as every fold is: one call at a time."""

    name = NAME
    version = VERSION
    personal = True

    def __init__(self, keep: Keep | None = None):
        self.keep = keep or Keep()
        self.newest_ms = 0
        self._personal = 0
        """Items that somebody can order to be forgotten."""
        self._sessions: OrderedDict[str, int] = OrderedDict()
        self._pending = Tally()
        self._open: OrderedDict[Name, Table] = OrderedDict()
        self._packed: dict[Name, bytes] = {}
        self._changed: set[Name] = set()
        self._kept = Kept()

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - a fold's signature
        """Count an item; commands tell only how long people take between them."""
        match item:
            case RunRecord():
                self._tally(item.at_ms).add_run(item)
            case RollbackRecord():
                self._tally(item.at_ms).add_rollback(item)
            case Feedback():
                self._personal += 1
                self._tally(item.at_ms).add_feedback(item)
            case RecordedCommand(source="shell") if item.session and item.duration_ms is not None:
                self._add_command(item)
                return
            case _:
                return
        self.newest_ms = max(self.newest_ms, item.at_ms)
        if len(self._pending.tables) > PENDING_LIMIT:
            self._settle()

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - a fold's signature
        """Counts do not tell whose they are: where there is any of people's, they are counted
        again."""
        return not self._personal

    def take_changes(self) -> Changes:
        """What changed since this was last asked, or since the fold was made or loaded."""
        self._settle()
        changed, self._changed = self._changed, set()
        tables = {name: self._text(name) for name in sorted(changed) if name.view != "cells"}
        for name in changed:
            if name.view == "cells":
                speeds = Name("speeds", "", name.period)
                tables[speeds] = compared(self._table(name)).text()
        return Changes(tables, self.newest_ms, self._kept)

    def take_everything(self) -> Changes:
        """Every table there is."""
        self._settle()
        self._changed = {*self._open, *self._packed}
        return self.take_changes()

    def texts(self, names: Iterable[Name]) -> list[str]:
        """Those of these tables that are there, as text."""
        self._settle()
        return [self._text(one) for one in names if one in self._open or one in self._packed]

    def save(self) -> bytes:
        """The whole state."""
        self._settle()
        for name in list(self._open):
            self._put_away(name)
        head = {
            "keep": asdict(self.keep),
            "newest_ms": self.newest_ms,
            "personal": self._personal,
            "sessions": list(self._sessions.items()),
        }
        return pack(head, {name.text(): self._packed[name] for name in sorted(self._packed)})

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`. Raises ValueError for anything else."""
        head, tables = unpack(data)
        try:
            fresh = Analytics(self.keep)
            fresh._take_in(head, tables)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no snapshot of {NAME}: {error!r}") from error
        self.__dict__.update(fresh.__dict__)

    def _take_in(self, head: dict[str, Any], tables: dict[str, bytes]) -> None:
        self.newest_ms = int(head["newest_ms"])
        self._personal = int(head["personal"])
        self._sessions = OrderedDict((str(key), int(at_ms)) for key, at_ms in head["sessions"])
        self._packed = {Name.read(text): packed for text, packed in tables.items()}

    def _tally(self, at_ms: int) -> Tally:
        self._pending.begin(at_ms)
        return self._pending

    def _add_command(self, item: RecordedCommand) -> None:
        key = json.dumps([item.user, item.host, item.session])
        before = self._sessions.pop(key, None)
        self._sessions[key] = item.at_ms + (item.duration_ms or 0)
        if len(self._sessions) > SESSIONS_LIMIT:
            self._sessions.popitem(last=False)
        self._personal += 1
        # What a client says of its clock must not drop what is kept, so it is never the newest.
        if before is None or item.at_ms > self.newest_ms + DAY_MS:
            return
        if 0 <= item.at_ms - before <= LONGEST_GAP_MS:
            self._tally(item.at_ms).add_gap(item.at_ms - before)

    def _settle(self) -> None:
        """Tell hours, days and months what was counted, and drop what is too old."""
        pending, self._pending = self._pending, Tally()
        kept = self.keep.since(self.newest_ms)
        for name, table in pending.tables.items():
            for level in LEVELS[name.view]:
                period = period_of(name.period.start_ms, level)
                if not kept.is_over(period):
                    self._count(Name(name.view, name.scope, period), table)
        if kept != self._kept:
            self._drop(kept)
        while len(self._open) > OPEN_LIMIT:
            self._put_away(next(iter(self._open)))

    def _count(self, name: Name, table: Table) -> None:
        self._table(name).merge(table)
        self._changed.add(name)

    def _drop(self, kept: Kept) -> None:
        self._kept = kept
        for name in [*self._open, *self._packed]:
            if kept.is_over(name.period):
                self._open.pop(name, None)
                self._packed.pop(name, None)
                self._changed.discard(name)

    def _table(self, name: Name) -> Table:
        """The table as an object, made where there is none."""
        found = self._open.get(name)
        if found is None:
            packed = self._packed.pop(name, None)
            found = Table.read(zlib.decompress(packed)) if packed is not None else Table()
            self._open[name] = found
        self._open.move_to_end(name)
        return found

    def _text(self, name: Name) -> str:
        found = self._open.get(name)
        return found.text() if found is not None else zlib.decompress(self._packed[name]).decode()

    def _put_away(self, name: Name) -> None:
        self._packed[name] = zlib.compress(self._open.pop(name).text().encode(), 1)
