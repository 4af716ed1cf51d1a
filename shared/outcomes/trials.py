"""What tuning needs beyond rates and durations: runs by version, failures by how many run at once.

*Versions*: the outcome of each run, by the version of its template. *Crowds*: of the attempts at
the instances of a step, how many others were running when each began, by powers of two (0: alone).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.learning.records import AnyRecord, Forget, RunAttempt, RunRecord
from shared.outcomes.success import packed, unpacked
from shared.outcomes.tally import make_room

MAX_VERSIONS: Final = 10_000
MAX_STEPS: Final = 5_000


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """The runs of one version."""

    runs: int = 0
    succeeded: int = 0
    at_ms: int = 0


NO_RUNS: Final = VersionCounts()


@dataclass(slots=True)
class Crowds:
    """Attempts and failures at a step, by how many others ran (the lower end of a power of two)."""

    counts: dict[int, list[int]] = field(default_factory=dict)
    at_ms: int = 0


class TrialModel:
    """Counts runs by version, and failures by crowd; a fold."""

    name = "outcomes-trials"
    version = 1
    personal = False

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], VersionCounts] = {}
        self.crowds: dict[tuple[str, str], Crowds] = {}

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - the fold's form
        """Count a run."""
        if not isinstance(item, RunRecord) or item.rollback_of:
            return
        if item.status != "cancelled":
            key = (item.template_id, item.template_version)
            before = self.versions.get(key, NO_RUNS)
            self.versions[key] = VersionCounts(
                before.runs + 1,
                before.succeeded + (item.status == "completed"),
                max(before.at_ms, item.at_ms),
            )
        for step, some in _by_step(item).items():
            kept = self.crowds.setdefault((item.template_id, step), Crowds())
            kept.at_ms = max(kept.at_ms, item.at_ms)
            for crowd, failed in crowded(some):
                counted = kept.counts.setdefault(crowd, [0, 0])
                counted[0] += 1
                counted[1] += failed
        make_room(self.versions, MAX_VERSIONS, lambda one: one.at_ms)
        make_room(self.crowds, MAX_STEPS, lambda one: one.at_ms)

    def of_version(self, template_id: str, version: str) -> VersionCounts:
        """The runs of a version so far."""
        return self.versions.get((template_id, version), NO_RUNS)

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - the fold's form
        """Orders name commands and feedback, which this never sees."""
        return True

    def save(self) -> bytes:
        """The whole state."""
        versions = [[*k, v.runs, v.succeeded, v.at_ms] for k, v in self.versions.items()]
        crowds = [[*k, sorted(v.counts.items()), v.at_ms] for k, v in self.crowds.items()]
        return packed({"version": self.version, "versions": versions, "crowds": crowds})

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`; raises ValueError for anything else."""
        state = unpacked(data, self.version)
        self.versions = {(t, v): VersionCounts(*rest) for t, v, *rest in state["versions"]}
        self.crowds = {(t, s): Crowds(dict(map(tuple, c)), at) for t, s, c, at in state["crowds"]}


def crowded(attempts: Sequence[RunAttempt]) -> list[tuple[int, bool]]:
    """Of each attempt that ran: the power of two that is at most as many others as were running
    when it began (0: none), and whether it failed."""
    ran = [one for one in attempts if 0 < one.started_at_ms <= one.ended_at_ms]
    starts = sorted(one.started_at_ms for one in ran)
    ends = sorted(one.ended_at_ms for one in ran)
    found: list[tuple[int, bool]] = []
    for one in ran:
        begun = bisect_right(starts, one.started_at_ms)
        over = bisect_left(ends, one.started_at_ms)
        others = max(begun - over - 1, 0)
        found.append((1 << (others.bit_length() - 1) if others else 0, one.outcome == "failed"))
    return found


def _by_step(run: RunRecord) -> Mapping[str, list[RunAttempt]]:
    found: dict[str, list[RunAttempt]] = defaultdict(list)
    for one in run.attempts:
        if one.instance and one.outcome != "lost" and one.agent:
            found[one.step].append(one)
    return found
