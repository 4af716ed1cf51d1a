"""Stretches of work: what one user ran at one host without a long break.

Where sessions are recorded they are never joined. Within one, a break longer than the user's own
threshold begins a new stretch: the valley between the short gaps (typing on) and the long ones
(having done something else), found on the logarithm of the gaps by Otsu's method (Otsu 1979) and
kept within bounds. A change to a directory of another tree begins one after a third of that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.learning.records import RecordedCommand

SHORTEST_BREAK_S: Final = 900.0
LONGEST_BREAK_S: Final = 7_200.0
USUAL_BREAK_S: Final = 1_800.0
"""Seconds of a break where too few gaps are known."""
FEWEST_GAPS: Final = 40
"""Gaps of a user from which a threshold is found."""
BINS: Final = 48


@dataclass(frozen=True, slots=True)
class Session:
    """Commands of one stretch of work, in order."""

    user: str
    host: str
    commands: tuple[RecordedCommand, ...]


def sessions_of(commands: Iterable[RecordedCommand]) -> Iterator[Session]:
    """The stretches of all users, by user and begin; `commands` in the order of the record."""
    streams: dict[tuple[str, str, str], list[RecordedCommand]] = {}
    for one in commands:
        streams.setdefault((one.user, one.session, one.host), []).append(one)
    by_user: dict[str, list[list[RecordedCommand]]] = {}
    for (user, _, _), stream in streams.items():
        by_user.setdefault(user, []).append(stream)
    for user, own in by_user.items():
        limit = threshold_s([gap for stream in own for gap in _gaps(stream)])
        for stream in own:
            for stretch in _stretches(stream, limit):
                yield Session(user, stretch[0].host, tuple(stretch))


def _gaps(stream: Sequence[RecordedCommand]) -> Iterator[float]:
    """Seconds between the commands of a stream, where times are known."""
    for one, following in itertools.pairwise(stream):
        if one.at_ms and following.at_ms:
            yield max(0.0, (following.at_ms - one.at_ms) / 1_000)


def threshold_s(gaps: Sequence[float]) -> float:
    """The break, in seconds, that parts the short gaps of a user from the long ones."""
    if len(gaps) < FEWEST_GAPS:
        return USUAL_BREAK_S
    logs = sorted(math.log(max(1.0, gap)) for gap in gaps)
    low, high = logs[0], logs[-1]
    if high - low < 1.0:
        return USUAL_BREAK_S
    counts = [0] * BINS
    for value in logs:
        counts[min(BINS - 1, int((value - low) / (high - low) * BINS))] += 1
    cut = _otsu(counts)
    at = math.exp(low + (high - low) * (cut + 1) / BINS)
    return min(LONGEST_BREAK_S, max(SHORTEST_BREAK_S, at))


def _otsu(counts: Sequence[int]) -> int:
    """The bin after which to cut, so that the two classes differ most."""
    total, mean = sum(counts), sum(i * c for i, c in enumerate(counts))
    best, cut, below, moment = -1.0, 0, 0, 0.0
    for index, count in enumerate(counts[:-1]):
        below += count
        moment += index * count
        if not below or below == total:
            continue
        apart = (mean * below / total - moment) ** 2 / (below * (total - below))
        if apart > best:
            best, cut = apart, index
    return cut


def _stretches(
    stream: Sequence[RecordedCommand], limit_s: float
) -> Iterator[list[RecordedCommand]]:
    stretch: list[RecordedCommand] = []
    for one in stream:
        if stretch and _begins(stretch[-1], one, limit_s):
            yield stretch
            stretch = []
        stretch.append(one)
    if stretch:
        yield stretch


def _begins(before: RecordedCommand, one: RecordedCommand, limit_s: float) -> bool:
    if not (before.at_ms and one.at_ms):
        return False
    ended = before.at_ms + (before.duration_ms or 0)
    gap = (one.at_ms - ended) / 1_000
    moved = bool(before.cwd and one.cwd) and _tree(before.cwd) != _tree(one.cwd)
    return gap > (limit_s / 3 if moved else limit_s)


def _tree(cwd: str) -> str:
    """The tree that a directory is in: its first three parts."""
    return "/".join(cwd.split("/")[:4])
