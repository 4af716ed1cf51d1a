"""How long runs, steps and commands take: the fold.

Of each key two sketches are kept: one that fills, and the one before it. When the first holds
`EPOCH` durations it takes the other's place, so what is told comes from the latest 2,000 to 4,000
and what was long ago does not count. Only what went well is told by duration: a run that
completed, an attempt that completed. Those that a timeout cut off are counted by `success`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.learning.records import AnyRecord, Forget, RunRecord
from shared.outcomes.durations import DurationSketch
from shared.outcomes.success import packed, unpacked
from shared.outcomes.tally import make_room

EPOCH: Final = 2_000
MAX_KEYS: Final = 20_000

Key = tuple[str, ...]
"""`("run", template)`, `("step", template, step)`, `("on", template, step, agent)`,
`("command", command)`."""


@dataclass(slots=True)
class Lasting:
    """The latest durations of one key, in milliseconds."""

    filling: DurationSketch = field(default_factory=DurationSketch)
    before: DurationSketch = field(default_factory=DurationSketch)
    at_ms: int = 0

    def add(self, ms: int, at_ms: int) -> None:
        """Count one."""
        if self.filling.count >= EPOCH:
            self.before, self.filling = self.filling, DurationSketch()
        self.filling.add(ms)
        self.at_ms = max(self.at_ms, at_ms)

    @property
    def whole(self) -> DurationSketch:
        """Both sketches as one."""
        if not self.before.count:
            return self.filling
        made = DurationSketch()
        made.merge(self.before)
        made.merge(self.filling)
        return made


class DurationModel:
    """Learns durations; a fold."""

    name = "outcomes-durations"
    version = 1
    personal = False

    def __init__(self) -> None:
        self.kept: dict[Key, Lasting] = {}

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - the fold's form
        """Learn from a run."""
        if not isinstance(item, RunRecord) or item.rollback_of:
            return
        if item.status == "completed" and item.started_at_ms and not item.resumed_from:
            self._add(("run", item.template_id), item.at_ms - item.started_at_ms, item.at_ms)
        for one in item.attempts:
            if one.outcome != "completed" or not 0 < one.started_at_ms <= one.ended_at_ms:
                continue
            lasted, at_ms = one.ended_at_ms - one.started_at_ms, one.ended_at_ms
            self._add(("step", item.template_id, one.step), lasted, at_ms)
            self._add(("on", item.template_id, one.step, one.agent), lasted, at_ms)
            self._add(("command", one.command), lasted, at_ms)
        make_room(self.kept, MAX_KEYS, lambda one: one.at_ms)

    def of(self, *key: str) -> DurationSketch:
        """What is known of a key; an empty sketch where nothing is."""
        kept = self.kept.get(key)
        return kept.whole if kept is not None else DurationSketch()

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - the fold's form
        """Orders name commands and feedback, which this never sees."""
        return True

    def save(self) -> bytes:
        """The whole state."""
        kept = [[*key, _state(one)] for key, one in self.kept.items()]
        return packed({"version": self.version, "kept": kept})

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`; raises ValueError for anything else."""
        state = unpacked(data, self.version)
        self.kept = {tuple(key): _restored(one) for *key, one in state["kept"]}

    def _add(self, key: Key, lasted_ms: int, at_ms: int) -> None:
        self.kept.setdefault(key, Lasting()).add(lasted_ms, at_ms)


def seconds_at(sketch: DurationSketch, levels: Sequence[float]) -> tuple[float, ...]:
    """The durations at rising levels, in seconds; empty where nothing was seen."""
    if not sketch.count:
        return ()
    return tuple(round((sketch.quantile(level) or 0.0) / 1_000, 6) for level in levels)


def _state(one: Lasting) -> list[Any]:
    return [one.filling.save(), one.before.save(), one.at_ms]


def _restored(state: list[Any]) -> Lasting:
    filling, before, at_ms = state
    return Lasting(DurationSketch.load(filling), DurationSketch.load(before), at_ms)
