"""Takes an answer of the linear model apart: which cues, words and known texts it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.suggest import cues, words
from shared.suggest.arrays import Array
from shared.suggest.evidence import Evidence, Reader
from shared.suggest.reasons import MOST, CueReason, Reasons, Similar, WordReason, telling
from shared.suggest.situations import Profile
from shared.suggest.softmax import Weights


@dataclass(frozen=True)
class Choice:
    """What was answered, and what came next; a class beyond the templates is nothing."""

    cls: int
    against: int
    confidence: float


def explain(
    read: Evidence,
    fit: Array,
    choice: Choice,
    weights: Weights,
    reader: Reader,
    profiles: Sequence[Profile],
    similar: Sequence[Similar],
) -> Reasons:
    """The reasons of a choice over a text; `fit` is `(k, g)`, `similar` the likest first."""
    own = weights.own[:, choice.cls] - weights.own[:, choice.against]
    moved = read.vector * own
    keywords = _stems(profiles[choice.cls].keywords) if choice.cls < len(profiles) else set()
    by_cue = _cues(read.text, moved[reader.cues_at : reader.words_at])
    by_word = _words(read.text, moved[reader.words_at :], keywords)
    shared = (fit[choice.cls] - fit[choice.against]) * weights.shared
    named = choice.cls if choice.cls < len(profiles) else choice.against
    other = profiles[choice.against].id if choice.against < len(profiles) else None
    return Reasons(
        template=profiles[choice.cls].id if choice.cls < len(profiles) else None,
        name=profiles[named].name,
        confidence=choice.confidence,
        runner_up=other,
        parts={
            "meaning": float(moved[: reader.cues_at].sum()),
            "cues": float(moved[reader.cues_at : reader.words_at].sum()),
            "words": float(moved[reader.words_at :].sum() + shared[-1]),
            "similar": float(shared[:-1].sum()),
        },
        cues=by_cue,
        words=by_word,
        similar=tuple(similar[:MOST]),
        telling=telling(read.text, _marks(read.text, by_cue, by_word)),
    )


def _cues(text: str, moved: Array) -> tuple[CueReason, ...]:
    says = {cue.name: cue.says for cue in cues.CUES}
    signs: dict[str, list[str]] = {}
    for sign in cues.signs(text):
        signs.setdefault(sign.cue, []).append(sign.text)
    best = sorted(zip(cues.NAMES, moved, strict=True), key=lambda one: -one[1])
    return tuple(
        CueReason(name, says[name], tuple(dict.fromkeys(signs.get(name, ()))), float(odds))
        for name, odds in best
        if odds > 0 and name in says
    )[:MOST]


def _words(text: str, moved: Array, keywords: set[str]) -> tuple[WordReason, ...]:
    """Words with the odds of their place; words that share one count once, as the first."""
    found: dict[int, WordReason] = {}
    for word in words.found(text):
        place = words.place(words.stem(word))
        known = words.stem(word) in keywords
        if place not in found and (moved[place] > 0 or known):
            found[place] = WordReason(word.lower(), float(moved[place]), known)
    best = sorted(found.values(), key=lambda one: (not one.is_keyword, -one.odds))
    return tuple(best[:MOST])


def _marks(
    text: str, by_cue: Sequence[CueReason], by_word: Sequence[WordReason]
) -> list[tuple[int, float]]:
    odds = {one.cue: one.odds for one in by_cue}
    marks = [(sign.start, odds[sign.cue]) for sign in cues.signs(text) if sign.cue in odds]
    lower = text.lower()
    marks += [(lower.find(one.word), max(one.odds, 0.0)) for one in by_word]
    return marks


def _stems(keywords: Sequence[str]) -> set[str]:
    return {words.stem(word) for keyword in keywords for word in words.found(keyword)}


def choice_of(chances: Array, cls: int | None = None) -> Choice:
    """The likeliest class (or this one) and the next likely other one, `(k,)` with at least two
    classes."""
    first, second = np.argsort(-chances, kind="stable")[:2]
    if cls is None or cls == first:
        return Choice(int(first), int(second), float(chances[first]))
    return Choice(cls, int(first), float(chances[cls]))
