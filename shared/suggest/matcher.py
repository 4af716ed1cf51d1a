"""Texts to templates: the model that says which workflow a text asks for, or that none fits.

The law:

* Everything it knows of a template before use stands in the template. What asks for nothing is a
  class of its own, of general texts; a template is named only where it is likelier than that.
* Evidence of all kinds goes into one linear model, which is made from the texts that templates
  bring along, and made anew (from where it stands) with each text that somebody has labelled.
* A confidence is a probability. One number, the sharpness, scales all of them; it follows how often
  the model was right before it was told.
* The same templates and the same labels in the same order give the same answers.

It is not safe for use by several threads while it learns.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from shared.ports.embedder import Embedder
from shared.suggest import nothing, softmax
from shared.suggest.arrays import Array
from shared.suggest.bm25 import Bm25
from shared.suggest.evidence import Evidence, Reader
from shared.suggest.explaining import choice_of, explain
from shared.suggest.neighbours import FEATURES, Neighbours
from shared.suggest.reasons import MOST, Reasons, Similar
from shared.suggest.situations import Profile, profile
from shared.suggest.softmax import Classes, Weights
from shared.workflow.definition import Template

LEARNED_WEIGHS: Final = 3.0
"""What a labelled text weighs against a situation: it is how people here really write."""

MOST_LEARNED: Final = 2_000
"""Labelled texts kept. There may be a quarter more: then the oldest go, and all is made anew."""

FIRST_SHARPNESS: Final = 1.0
KEY_VERSION: Final = 1
"""Rises when the same examples give other weights."""

_SHARPNESS_LEARNS: Final = 0.02
_SHARPEST: Final = 3.0

_WORK: Final = 3e8
"""Multiplications that learning one text may take, give or take."""

_MOST_STEPS: Final = 20

_FIRST_WORK: Final = 1e11
"""Multiplications that making the model may take, give or take: a large library gets fewer steps of
the descent, which it needs less, since what all templates share has more examples."""

_FEWEST_FIRST_STEPS: Final = 20


class Match(NamedTuple):
    """A template that a text may ask for."""

    template: str
    name: str
    confidence: float


@dataclass(frozen=True)
class Answer:
    """What a text asks for: every template with its probability, and that of nothing."""

    matches: tuple[Match, ...]
    """The likeliest first."""
    nothing: float
    """The probability that no template fits."""

    @property
    def best(self) -> Match | None:
        """The template that is likelier than any other and than nothing, if there is one."""
        first = self.matches[0] if self.matches else None
        return first if first is not None and first.confidence > self.nothing else None

    @property
    def confidence(self) -> float:
        """Of what is answered: of the best match, or of nothing."""
        return self.nothing if self.best is None else self.best.confidence


@dataclass(frozen=True)
class Look:
    """An answer, the text's unit vector, and the reasons of the likeliest templates by their id."""

    answer: Answer
    likeness: Array
    reasons: Mapping[str, Reasons]


@dataclass(frozen=True)
class Labelled:
    """A text of which somebody said what it asks for; `None` is nothing."""

    text: str
    template: str | None
    weight: float = 1.0
    """Against a label of somebody who never gave one before."""
    execution: str = ""
    """What was run then, if that is known."""


@dataclass(frozen=True)
class Saved:
    """The weights of a matcher, to begin another one with."""

    templates: tuple[str, ...]
    key: str
    """Of what they were made from; the same key needs no descent."""
    weights: Weights


class Matcher:
    """The model over the templates of an installation."""

    def __init__(
        self,
        templates: Iterable[Template],
        embedder: Embedder | None = None,
        learned: Sequence[Labelled] = (),
        sharpness: float = FIRST_SHARPNESS,
        most_learned: int = MOST_LEARNED,
        saved: Saved | None = None,
    ) -> None:
        """Made from templates and what was learned before; labels of gone templates are left out.

        `learned` and `sharpness` are those of an earlier one, `saved` its weights. Takes a few
        seconds with an encoder: every example is read once.
        """
        self._saved = saved
        self.profiles: list[Profile] = [profile(template) for template in templates]
        self._class = {one.id: index for index, one in enumerate(self.profiles)}
        self._none = len(self.profiles)
        known = [one for one in learned if one.template is None or one.template in self._class]
        self._given = [(text, c) for c, one in enumerate(self.profiles) for text in one.examples]
        self._given += [(text, self._none) for text in nothing.TEXTS]
        self._reader = Reader(embedder, [text for text, _ in self._given])
        self._bm25 = Bm25([one.fields for one in self.profiles])
        self._most_learned = most_learned
        self.sharpness = sharpness
        """What scales all confidences; it follows how often the model was right."""
        self._make(known)

    def _make(self, learned: Sequence[Labelled]) -> None:
        """Begins anew with the templates' examples and the newest of what was learned."""
        self._learned = list(learned[-self._most_learned :])
        given = self._given
        taught = [(one.text, self._class_of(one.template)) for one in self._learned]
        self._texts = [text for text, _ in (*given, *taught)]
        read = [self._reader.read(text) for text in self._texts]
        classes = np.array([cls for _, cls in (*given, *taught)])
        self._evidence = np.stack([one.vector for one in read])
        self._classes = classes
        self._words_fit = np.stack(
            [
                self._bm25_of(one, int(cls) if index < len(given) else None)
                for index, (one, cls) in enumerate(zip(read, classes, strict=True))
            ]
        )
        self._importance = np.concatenate(
            [
                _balanced(classes[: len(given)]),
                [one.weight * LEARNED_WEIGHS for one in self._learned],
            ]
        ).astype(np.float32)
        likeness = np.stack([one.likeness for one in read])
        self._neighbours = Neighbours(likeness, classes, self._none + 1)
        self._weights = self._descended()

    def _descended(self) -> Weights:
        """The weights: those that were saved of the same, or the end of a descent. It begins where
        an earlier one ended as far as the templates are the same, and is then shorter."""
        saved, self._saved = self._saved, None
        start = softmax.nothing_learned(self._reader.dimensions, self._none + 1, FEATURES + 1)
        steps = self._first_steps()
        if saved is not None and saved.weights.own.shape[0] == self._reader.dimensions:
            if saved.key == self.key:
                return saved.weights
            start = softmax.carried(
                saved.weights, [self._class.get(t) for t in saved.templates], start
            )
            steps = max(_FEWEST_FIRST_STEPS // 2, steps // 4)
        return softmax.descend(start, self._examples(), steps)

    @property
    def key(self) -> str:
        """Names what the weights are made from: templates' examples and labels, in their order."""
        named = hashlib.sha256(f"{self._reader.dimensions} {KEY_VERSION}".encode())
        for one in self.profiles:
            named.update(repr((one.id, one.name, one.keywords, one.examples)).encode())
            named.update(
                repr(sorted((f, sorted(c.items())) for f, c in one.fields.items())).encode()
            )
        named.update(repr(self._learned).encode())
        return named.hexdigest()

    @property
    def saved(self) -> Saved:
        """The weights as they are now."""
        return Saved(tuple(one.id for one in self.profiles), self.key, self._weights)

    def _first_steps(self) -> int:
        """Steps of the descent when all is new."""
        work = self._evidence.size * (self._none + 1) * 2
        return max(_FEWEST_FIRST_STEPS, min(softmax.FIRST_STEPS, int(_FIRST_WORK / work)))

    @property
    def learned(self) -> tuple[Labelled, ...]:
        """What it has been taught and still knows, the oldest first."""
        return tuple(self._learned)

    def match(self, text: str) -> Answer:
        """What a text asks for."""
        read = self._reader.read(text)
        return self._answer(self._scores(read, self._fit(read)))

    def knows(self, template: str | None) -> bool:
        """Whether it is one of the templates, or nothing."""
        return template is None or template in self._class

    def likeness(self, text: str) -> Array:
        """The unit vector by which texts are alike."""
        return self._reader.read(text).likeness

    def learn(
        self, text: str, template: str | None, weight: float = 1.0, execution: str = ""
    ) -> Answer:
        """Learns what a text asks for, and says what it would have answered before.

        Raises `KeyError` if there is no such template.
        """
        cls = self._class_of(template)
        read = self._reader.read(text)
        scores = self._scores(read, self._fit(read))
        answer = self._answer(scores)
        self._sharpen(scores, cls, weight)
        if len(self._learned) >= self._most_learned * 5 // 4:
            self._make(self._learned)
        self._texts.append(text)
        self._learned.append(Labelled(text, template, weight, execution))
        self._evidence = np.concatenate([self._evidence, read.vector[None, :]])
        self._classes = np.append(self._classes, cls)
        self._words_fit = np.concatenate([self._words_fit, self._bm25_of(read, None)[None, :]])
        self._importance = np.append(self._importance, np.float32(LEARNED_WEIGHS * weight))
        self._neighbours.add(read.likeness, cls)
        work = self._evidence.size * (self._none + 1) * 2
        steps = max(2, min(_MOST_STEPS, int(_WORK / work)))
        self._weights = softmax.descend(self._weights, self._examples(), steps)
        return answer

    def forget(self, text: str) -> bool:
        """Begins anew without what was learned of a text; whether there was anything."""
        kept = [one for one in self._learned if one.text != text]
        found = len(kept) < len(self._learned)
        if found:
            self._make(kept)
        return found

    def look(self, text: str, most: int = 2, least: float = 0.05) -> Look:
        """What a text asks for, with the reasons of the likeliest `most` templates that are at
        least so likely; all from one reading."""
        read = self._reader.read(text)
        fit = self._fit(read)
        scores = self._scores(read, fit)
        answer = self._answer(scores)
        told = [m.template for m in answer.matches[:most] if m.confidence >= least]
        reasons = {name: self._explained(read, fit, scores, self._class[name]) for name in told}
        return Look(answer, read.likeness, reasons)

    def explain(self, text: str) -> Reasons:
        """Why a text is answered as it is."""
        read = self._reader.read(text)
        fit = self._fit(read)
        return self._explained(read, fit, self._scores(read, fit))

    def _explained(
        self, read: Evidence, fit: Array, scores: Array, cls: int | None = None
    ) -> Reasons:
        chances = softmax.probabilities(scores * np.float32(self.sharpness))
        choice = choice_of(chances, cls)
        near = self._neighbours.nearest(read.likeness, choice.cls, MOST)
        given = len(self._texts) - len(self._learned)
        similar = [
            Similar(self._texts[i], like)
            if i < given
            else Similar(None, like, self._learned[i - given].execution)
            for i, like in near
        ]
        return explain(read, fit, choice, self._weights, self._reader, self.profiles, similar)

    def _class_of(self, template: str | None) -> int:
        return self._none if template is None else self._class[template]

    def _examples(self) -> softmax.Examples:
        fit = np.concatenate([self._neighbours.of_examples(), self._words_fit[..., None]], axis=2)
        return softmax.Examples(self._evidence, fit, self._classes, self._importance)

    def _bm25_of(self, read: Evidence, own: int | None) -> Array:
        """How a text's words fit each template, and nothing: `(k,)`."""
        own = own if own != self._none else None
        return np.append(self._bm25.scores(read.counts, own), np.float32(0))

    def _fit(self, read: Evidence) -> Array:
        near = self._neighbours.of(read.likeness)
        return np.concatenate([near, self._bm25_of(read, None)[:, None]], axis=1)

    def _scores(self, read: Evidence, fit: Array) -> Array:
        scores: Array = self._weights.scores(read.vector[None, :], fit[None, ...])[0]
        return scores

    def _answer(self, scores: Array) -> Answer:
        chances = softmax.probabilities(scores * np.float32(self.sharpness))
        order = np.argsort(-chances[: self._none], kind="stable")
        likeliest = zip(order.tolist(), chances[order].tolist(), strict=True)
        found = tuple(
            Match(self.profiles[i].id, self.profiles[i].name, chance) for i, chance in likeliest
        )
        return Answer(found, float(chances[self._none]))

    def _sharpen(self, scores: Array, cls: int, weight: float) -> None:
        """One step down the log loss of this text, along the sharpness alone."""
        chances = softmax.probabilities(scores * np.float32(self.sharpness))
        slope = float(scores[cls] - chances @ scores)
        change = math.exp(_SHARPNESS_LEARNS * weight * max(-5.0, min(5.0, slope * self.sharpness)))
        self.sharpness = max(1 / _SHARPEST, min(_SHARPEST, self.sharpness * change))


def _balanced(classes: Classes) -> Array:
    """A weight for each example with which every class weighs the same, and the mean is one.

    Otherwise a template of which little is known would seem as rare as its examples are.
    """
    counts = np.bincount(classes)
    return np.asarray(len(classes) / ((counts > 0).sum() * counts[classes]), dtype=np.float32)
