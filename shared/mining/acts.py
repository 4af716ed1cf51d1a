"""Acts: the commands of a stretch of work that a step could run, with how they went.

What failed did not get the work done and is left out; where the same was run again right after and
went well, it counts as an attempt of that. The same command many times in a row is one act.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from shared.learning.records import RecordedCommand
from shared.mining.forms import Form, form_of
from shared.mining.programs import answers_one, is_runnable
from shared.mining.sessions import Session
from shared.mining.splitting import Part, moved, parts_of
from shared.mining.vocabulary import Vocabulary

SHELLS: Final = frozenset({"", "sh", "bash", "zsh", "fish", "dash", "ksh", "ash"})


@dataclass(slots=True)
class Act:
    """A command that was run and went well, as far as is known."""

    form: Form
    number: int
    """The how manieth command of its stretch its line is."""
    at_ms: int
    duration_ms: int | None
    """How long it ran; None where that is unknown."""
    gap_ms: int | None
    """From the end of what was run before it to its end; None where that is unknown."""
    failed: bool = False
    failures: int = 0
    """Attempts of the same that failed just before."""
    retried_ms: list[int] = field(default_factory=list)
    """Milliseconds from each of them to the next attempt."""
    key: int = -1

    @property
    def part(self) -> Part:
        """What was run."""
        return self.form.part


@dataclass(slots=True)
class Stretch:
    """The acts of a stretch of work, in order."""

    user: str
    host: str
    acts: list[Act]


@dataclass(frozen=True, slots=True)
class Corpus:
    """All stretches, and the name of each key."""

    stretches: tuple[Stretch, ...]
    keys: tuple[str, ...]
    vocabulary: Vocabulary


def corpus_of(sessions: Iterable[Session]) -> Corpus:
    """The acts of all sessions, each with its key."""
    stretches = [
        Stretch(one.user, one.host, _settled(list(_acts(one.commands)))) for one in sessions
    ]
    vocabulary = Vocabulary([act.form for act in one.acts] for one in stretches)
    ids: dict[str, int] = {}
    for stretch in stretches:
        for act in stretch.acts:
            act.key = ids.setdefault(vocabulary.key(act.form), len(ids))
        stretch.acts = without_repeats([act for act in stretch.acts if act.key >= 0])
    return Corpus(tuple(one for one in stretches if one.acts), tuple(ids), vocabulary)


@lru_cache(maxsize=20_000)
def _forms(line: str, cwd: str) -> tuple[Form, ...]:
    forms = (form_of(part) for part in parts_of(line, cwd))
    return tuple(form for form in forms if form.commands and is_runnable(form.name, form.words))


def _acts(commands: Sequence[RecordedCommand]) -> Iterator[Act]:
    cwd, before = "", None
    for number, one in enumerate(commands):
        cwd = one.cwd or cwd
        if one.shell in SHELLS and not one.more_lines and one.source != "step":
            yield from _of_line(number, one, cwd, before)
        cwd = _after(one, cwd)
        before = one


def _of_line(
    number: int, one: RecordedCommand, cwd: str, before: RecordedCommand | None
) -> Iterator[Act]:
    forms = _forms(one.command, cwd)
    many = max(1, len(forms))
    gap = _gap_ms(before, one)
    duration = one.duration_ms // many if one.duration_ms is not None else None
    for form in forms:
        failed = bool(one.exit) and not (one.exit == 1 and answers_one(form.name))
        each = gap // many if gap is not None else None
        yield Act(form, number, one.at_ms, duration, each, failed)


def _gap_ms(before: RecordedCommand | None, one: RecordedCommand) -> int | None:
    if before is None or not before.at_ms or not one.at_ms:
        return None
    ended = before.at_ms + (before.duration_ms or 0)
    return max(0, one.at_ms + (one.duration_ms or 0) - ended)


def _after(one: RecordedCommand, cwd: str) -> str:
    """Where a session is after a line that is nothing but a change of directory."""
    words = one.command.split()
    if words and words[0] == "cd" and len(words) <= 2 and not one.exit:
        return moved(cwd, words[1] if len(words) > 1 else "~")
    return cwd


def _settled(acts: Sequence[Act]) -> list[Act]:
    """Without what failed; its retries know of it. A retry is the same line right after: with
    anything in between, something was changed first."""
    kept: list[Act] = []
    failed: list[Act] = []
    for act in acts:
        follows = bool(failed) and _is_retry(failed[-1], act)
        if act.failed:
            failed = [*failed, act] if follows else [act]
            continue
        if follows:
            act.failures = len(failed)
            times = [*(one.at_ms for one in failed), act.at_ms]
            act.retried_ms = [
                max(0, later - one) for one, later in itertools.pairwise(times) if one and later
            ]
        failed = []
        kept.append(act)
    return kept


def _is_retry(failed: Act, act: Act) -> bool:
    return act.number == failed.number + 1 and act.part.text == failed.part.text


def without_repeats(acts: Sequence[Act]) -> list[Act]:
    """Without the same command again and again, and without all but the last of three or more of
    one key in a row, which are attempts at one thing."""
    kept: list[Act] = []
    row: list[Act] = []
    for act in acts:
        if row and row[-1].key != act.key:
            kept += _of_row(row)
            row = []
        row.append(act)
    return [*kept, *_of_row(row)]


def _of_row(row: Sequence[Act]) -> list[Act]:
    if len(row) == 2 and row[0].part.text != row[1].part.text:
        return list(row)
    if len(row) < 2:
        return list(row)
    last = row[-1]
    last.failures = sum(act.failures for act in row)
    last.retried_ms = [wait for act in row for wait in act.retried_ms]
    return [last]
