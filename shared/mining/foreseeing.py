"""Which commands a template could write: those whose values follow from something.

A value is foreseen where the same command often has it, or where another command close by has it,
too. A command that only looks is worth a step if all of its values are foreseen: who looks for
something new each time is thinking. One that does something may have one value that is not (it
becomes a parameter), unless that is a text of its own, which is the work itself. Keys of which too
few uses can be foreseen are left out before anything is searched.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from shared.learning.command_text import kind_of
from shared.mining.acts import Act, Stretch
from shared.mining.forms import form_of
from shared.mining.looking import looks
from shared.mining.splitting import Part
from shared.mining.words import value_of

ENOUGH: Final = 0.35
"""Share of the uses of a key that can be foreseen, from which it is kept."""
USUAL: Final = 0.1
"""Share of the stretches with a key that have a value there, from which it is usual."""
FEWEST: Final = 3
"""Stretches with a value, from which it can be usual."""


def foreseen_keys(stretches: Sequence[Stretch], reach: int) -> frozenset[int]:
    """The keys whose commands a template could write."""
    usual = _usual(stretches)
    uses: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for stretch in stretches:
        acts = stretch.acts
        for at, act in enumerate(acts):
            uses[act.key] += 1
            near = acts[max(0, at - reach) : at] + acts[at + 1 : at + 1 + reach]
            if _is_foreseen(act, usual[act.key], near):
                good[act.key] += 1
    return frozenset(key for key, many in uses.items() if good[key] >= ENOUGH * many)


@lru_cache(maxsize=50_000)
def values_of(part: Part) -> tuple[tuple[str, str], ...]:
    """The values of a command as (kind, value); names of programs and options are none, and
    messages (what follows `-m`) neither."""
    form = form_of(part)
    names = {command.at for command in form.commands}
    found, before = [], ""
    for index, token in enumerate(part.tokens):
        if token.kind != "word" or index in names:
            continue
        value = value_of(token.text)
        option = token.text.startswith("-")
        if not option and before not in ("-m", "--message"):
            kind = kind_of(token.text) or "other"
            found.append((kind, value if value is not None else token.text))
        before = token.text
    return tuple(found)


def _usual(stretches: Iterable[Stretch]) -> dict[int, frozenset[str]]:
    """By key, the values that are usual there."""
    holding: Counter[int] = Counter()
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for stretch in stretches:
        values: dict[int, set[str]] = defaultdict(set)
        for act in stretch.acts:
            values[act.key].update(value for _, value in values_of(act.part))
        for key, own in values.items():
            holding[key] += 1
            counts[key].update(own)
    return {
        key: frozenset(v for v, n in counts[key].items() if n >= max(FEWEST, USUAL * many))
        for key, many in holding.items()
    }


def _is_foreseen(act: Act, usual: frozenset[str], near: Sequence[Act]) -> bool:
    new = [(kind, value) for kind, value in values_of(act.part) if value not in usual]
    if not new:
        return True
    only_looks = looks(act.part)
    around = [one for one in near if one.key != act.key and not (only_looks and looks(one.part))]
    texts = [value for one in around for _, value in values_of(one.part)]
    unforeseen = [
        (kind, value) for kind, value in new if not any(_is_about(value, text) for text in texts)
    ]
    if only_looks or len(unforeseen) > 1:
        return not unforeseen
    return not unforeseen or unforeseen[0][0] not in ("text", "other")


def _is_about(value: str, text: str) -> bool:
    return value == text or (len(value) > 2 and value in text) or (len(text) > 2 and text in value)
