"""The text model, off the event loop: one thread answers, another one learns.

The law:

* The loop never waits for numpy: encoding a text takes 11 ms, making the model of many templates
  seconds. Where the model is being made anew, the one before answers.
* A text is read once: what was answered is kept until the model changes, and two who ask the same
  at once share the answer.
* The model is made anew when templates or the order of examples change; one more example is learned
  in place. Arrays are replaced, never written into, so an answer beside it is of before or after.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from services.suggestion.vectors import KnownVectors
from shared.ports.embedder import Embedder
from shared.ports.text_models import TextModelStore
from shared.suggest.feedback import Label, weights_of
from shared.suggest.matcher import FIRST_SHARPNESS, MOST_LEARNED, Labelled, Look, Matcher, Saved
from shared.suggest.own_texts import OwnText, for_user
from shared.workflow.definition import Template

log = structlog.get_logger()

KEPT_ANSWERS: Final = 4_000
KEPT_TEXT: Final = 20_000


class LiveMatcher:
    """See the module."""

    def __init__(self, embedder: Embedder | None, kept: TextModelStore | None = None) -> None:
        self._embedder = embedder
        self._kept = kept
        self._known: KnownVectors | None = None
        self._saved: Saved | None = None
        self._matcher: Matcher | None = None
        self._templates: Sequence[Template] = ()
        self._labels: tuple[Label, ...] = ()
        self._own: dict[str, list[OwnText]] = {}
        self._answers: OrderedDict[str, Look] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Look]] = {}
        self._answering = ThreadPoolExecutor(1, "text-answers")
        self._learning = ThreadPoolExecutor(1, "text-learns")
        self._edition = 0

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self._matcher is not None

    async def make(self, templates: Sequence[Template], labels: tuple[Label, ...]) -> None:
        """Make the model of these templates and examples, and answer by it from then on."""
        loop = asyncio.get_running_loop()
        if self._matcher is None:
            await self._remember()
        if self._known is not None:
            new = await loop.run_in_executor(self._learning, self._known.learned, templates)
            await self._keep(self._known.name, new)
        made = await loop.run_in_executor(self._learning, self._made, templates, labels)
        matcher, own = made
        if not labels:
            await self._keep_weights(matcher.saved)
        self._templates, self._labels = templates, labels
        self._matcher, self._own = matcher, own
        self._forget_answers()

    async def _remember(self) -> None:
        """Take what was kept by an earlier process; without it all is made again."""
        if self._kept is None or self._embedder is None:
            return
        try:
            known = await self._kept.vectors(self._embedder.name)
            self._saved = await self._kept.weights()
        except Exception as error:
            log.warning("text model made anew", error=str(error) or type(error).__name__)
            known = {}
        self._known = KnownVectors(self._embedder, known)

    async def _keep(self, model: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        if self._kept is not None and vectors:
            try:
                await self._kept.keep_vectors(model, vectors)
            except Exception as error:
                log.warning("vectors not kept", error=str(error) or type(error).__name__)

    async def _keep_weights(self, saved: Saved) -> None:
        if self._kept is not None:
            try:
                await self._kept.keep_weights(saved)
            except Exception as error:
                log.warning("weights not kept", error=str(error) or type(error).__name__)

    async def learn(self, labels: tuple[Label, ...]) -> None:
        """Take in what was said since: one more example in place, anything else anew."""
        if labels == self._labels:
            return
        matcher = self._matcher
        more = labels[len(self._labels) :]
        grown = labels[: len(self._labels)] == self._labels and len(more) <= 8
        room = matcher is not None and len(matcher.learned) + len(more) < MOST_LEARNED
        if matcher is None or not grown or not room:
            await self.make(self._templates, labels)
            return
        weights = weights_of(labels)[len(self._labels) :]
        loop = asyncio.get_running_loop()
        for label, weight in zip(more, weights, strict=True):
            await loop.run_in_executor(self._learning, self._learned, matcher, label, weight)
        self._labels = labels
        self._forget_answers()

    async def look(self, text: str, user: str) -> Look | None:
        """What a text asks for, for this user; None while there is no model yet."""
        if self._matcher is None:
            return None
        text = text[:KEPT_TEXT]
        found = self._answers.get(text)
        if found is None:
            found = await self._read(text)
        own = self._own.get(user)
        if not own:
            return found
        return Look(for_user(found.answer, found.likeness, own), found.likeness, found.reasons)

    async def close(self) -> None:
        """End both threads."""
        self._answering.shutdown(wait=False, cancel_futures=True)
        self._learning.shutdown(wait=False, cancel_futures=True)

    async def _read(self, text: str) -> Look:
        asked = self._asked.get(text)
        if asked is not None:
            return await asyncio.shield(asked)
        matcher, edition = self._matcher, self._edition
        if matcher is None:
            raise RuntimeError("there is no model yet")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._answering, matcher.look, text)
        self._asked[text] = future
        try:
            found = await asyncio.shield(future)
        finally:
            self._asked.pop(text, None)
        if edition == self._edition:
            self._answers[text] = found
            if len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return found

    def _made(
        self, templates: Sequence[Template], labels: tuple[Label, ...]
    ) -> tuple[Matcher, dict[str, list[OwnText]]]:
        earlier = self._matcher
        saved = self._saved if earlier is None else earlier.saved
        learned = [
            Labelled(one.text, one.template, weight, one.execution)
            for one, weight in zip(labels, weights_of(labels), strict=True)
        ]
        sharpness = FIRST_SHARPNESS if earlier is None else earlier.sharpness
        embedder = self._known or self._embedder
        matcher = Matcher(templates, embedder, learned, sharpness, saved=saved)
        own: dict[str, list[OwnText]] = {}
        for one in labels:
            if matcher.knows(one.template):
                vector = matcher.likeness(one.text)
                own.setdefault(one.user, []).append(OwnText(one.template, vector))
        return matcher, own

    def _learned(self, matcher: Matcher, label: Label, weight: float) -> None:
        if not matcher.knows(label.template):
            return
        matcher.learn(label.text, label.template, weight, label.execution)
        own = OwnText(label.template, matcher.likeness(label.text))
        self._own[label.user] = [*self._own.get(label.user, ()), own]

    def _forget_answers(self) -> None:
        self._edition += 1
        self._answers.clear()
