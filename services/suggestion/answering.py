"""Answers: workflows and next commands, ranked together by how likely each is what is wanted.

The law:

* A workflow is likely by what the text asks for, or by the commands that began it; either alone is
  enough, so the two join as independent chances. A command is likely by what came before it.
* Each of the three is calibrated by itself and moved by feedback of its kind (`shared.suggest.
  feedback`); so one order holds for all.
* A template that is less likely than that nothing fits is not offered for a text.
* Nothing is read while a question is answered: all is in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.suggestion.library import Library
from services.suggestion.matching import LiveMatcher
from services.suggestion.models import Models
from services.suggestion.reasoning import of_command, of_started, of_text
from services.suggestion.workflows import Workflows
from shared.contracts.suggestions import (
    Asking,
    AutocompleteQuestion,
    SuggestAnswer,
    Suggestion,
    SuggestQuestion,
)
from shared.learning.history import Situation
from shared.learning.next_command import Suggestion as NextCommand
from shared.ports.clock import Ids
from shared.suggest.entities import entities
from shared.suggest.matcher import Look
from shared.suggest.prefill import Known, looks_secret
from shared.suggest.started import Started

LEAST_OF_TEXT: Final = 0.05
LEAST_OF_STEPS: Final = 0.03
LEAST_OF_COMMAND: Final = 0.01
MOST_REASONED: Final = 3
"""Commands whose reasons are told: the likeliest ones."""

IMAGINED: Final = 8
"""The latest commands that count for which one comes next."""


@dataclass(frozen=True)
class _Seen:
    """What a question is answered from."""

    question: Asking
    user: str
    lines: Sequence[str]
    is_told: bool
    """Whether the lines came with the question, rather than from the record."""
    started: Mapping[str, Started]
    look: Look | None
    known: Known


class Answering:
    """See the module."""

    def __init__(
        self,
        models: Models,
        library: Library,
        matcher: LiveMatcher,
        workflows: Workflows,
        ids: Ids,
    ) -> None:
        self._models, self._library, self._matcher = models, library, matcher
        self._workflows, self._ids = workflows, ids
        self.place = 0

    async def suggest(self, question: SuggestQuestion) -> SuggestAnswer:
        """Workflows and next commands for a situation."""
        begun = time.perf_counter()
        text = "\n".join(part for part in (question.intent, question.context) if part.strip())
        look = await self._matcher.look(text, question.user) if text.strip() else None
        seen = self._seen(question, question.user, question.recent_commands, look, question)
        found: list[Suggestion] = []
        if "workflow" in question.kinds:
            found += self._of_workflows(seen)
        # To a text alone, what usually comes next is no answer.
        if "command" in question.kinds and (seen.lines or look is None):
            found += self._of_commands(seen)
        return self._answer(found, seen, begun)

    async def autocomplete(self, question: AutocompleteQuestion) -> SuggestAnswer:
        """How a sequence goes on: the workflows that it began, and the next commands."""
        begun = time.perf_counter()
        lines = question.partial_sequence or question.recent_commands
        seen = self._seen(question, question.user, lines, None, None)
        found = [*self._of_workflows(seen), *self._of_commands(seen)]
        return self._answer(found, seen, begun)

    def _seen(
        self,
        question: Asking,
        user: str,
        lines: Sequence[str],
        look: Look | None,
        asked: SuggestQuestion | None,
    ) -> _Seen:
        told = bool(lines)
        lines = lines or self._models.sessions.lines(user, question.session)
        said = f"{asked.intent}\n{asked.context}".strip() if asked is not None else ""
        known = Known(
            user=user,
            text=asked.context if asked is not None else "",
            intent=asked.intent if asked is not None else "",
            facts=asked.facts if asked is not None else {},
            agents=None if self._library.agents is None else sorted(self._library.agents),
            experience=self._models.experience,
            named=tuple(entities(said)) if said else (),
        )
        started = {one.template: one for one in self._library.steps.started(lines)}
        return _Seen(question, user, lines, told, started, look, known)

    def _of_workflows(self, seen: _Seen) -> Iterator[Suggestion]:
        by_text = self._by_text(seen)
        by_steps = {
            name: self._models.feedback.moved("steps", one.likely, seen.user, name)
            for name, one in seen.started.items()
        }
        chances = {
            name: 1 - (1 - by_text.get(name, 0.0)) * (1 - by_steps.get(name, 0.0))
            for name in {**by_text, **by_steps}
        }
        best = sorted(chances.items(), key=lambda one: (-one[1], one[0]))
        for name, chance in best[: seen.question.limit]:
            template = self._library.templates.get(name)
            if template is not None and chance >= LEAST_OF_STEPS:
                yield self._workflow(seen, name, chance, by_text.get(name, 0.0))

    def _by_text(self, seen: _Seen) -> dict[str, float]:
        """How likely each template is by the text, where it is likelier than nothing."""
        if seen.look is None:
            return {}
        answer = seen.look.answer
        if answer.best is None:
            return {}
        moved = self._models.feedback.moved
        return {
            match.template: moved("text", match.confidence, seen.user, match.template)
            for match in answer.matches[: seen.question.limit]
            if match.confidence >= LEAST_OF_TEXT
        }

    def _workflow(self, seen: _Seen, name: str, chance: float, by_text: float) -> Suggestion:
        template = self._library.templates[name]
        started = seen.started.get(name)
        known = seen.known
        if started is not None:
            values = {n: v for n, v in started.values.items() if not looks_secret(v)}
            known = Known(**{**vars(known), "commands": values})
        reasons = []
        if started is not None:
            reasons.append(of_started(template, started))
        if seen.look is not None and by_text:
            said = f"{known.intent}\n{known.text}"
            similar = self._models.experience.similar(name, said, 3)
            reasons += of_text(seen.look.reasons.get(name), similar)
        basis = "sgs" if started is not None and not by_text else "sgt"
        return Suggestion(
            id=self._ids.new(basis),
            kind="workflow",
            title=template.name,
            confidence=round(min(chance, 1.0), 4),
            workflow=self._workflows.part(template, known, started),
            reasons=tuple(reasons),
        )

    def _of_commands(self, seen: _Seen) -> Iterator[Suggestion]:
        model = self._models.commands.model
        question = seen.question
        situation = Situation(seen.user, question.session, question.cwd, question.host)
        if not seen.is_told:
            yield from self._predicted(seen, situation)
            return
        with model.after(situation, seen.lines[-IMAGINED:]):
            yield from list(self._predicted(seen, situation))

    def _predicted(self, seen: _Seen, situation: Situation) -> Iterator[Suggestion]:
        model = self._models.commands.model
        likely = [
            one
            for one in model.predict(situation, seen.question.limit)
            if one.confidence >= LEAST_OF_COMMAND
            and not looks_secret(one.text)
            and not self._models.hidden.hides(one.text)
        ]
        following = self._following(seen)
        texts = dict.fromkeys([*following, *(one.text for one in likely)])
        by_text = {one.text: one for one in likely}
        for number, line in enumerate(texts):
            yield self._command(seen, situation, line, by_text.get(line), following, number)

    def _following(self, seen: _Seen) -> dict[str, Started]:
        """The next steps of workflows that were begun, as lines."""
        begun = [one for one in seen.started.values() if one.next_line]
        return {one.next_line: one for one in begun if not looks_secret(one.next_line)}

    def _command(
        self,
        seen: _Seen,
        situation: Situation,
        line: str,
        predicted: NextCommand | None,
        following: Mapping[str, Started],
        number: int,
    ) -> Suggestion:
        moved = self._models.feedback.moved
        chance, reasons = 0.0, []
        if predicted is not None:
            chance = moved("sequence", predicted.confidence, seen.user)
            if number < MOST_REASONED:
                told = self._models.commands.model.reasons(situation, line)
                reasons += [of_command(one) for one in told]
        started = following.get(line)
        if started is not None:
            likely = moved("steps", started.likely, seen.user, started.template)
            chance = 1 - (1 - chance) * (1 - likely)
            reasons.insert(0, of_started(self._library.templates[started.template], started))
        return Suggestion(
            id=self._ids.new("sgc"),
            kind="command",
            title=line,
            confidence=round(chance, 4),
            command=line,
            reasons=tuple(reasons),
        )

    def _answer(self, found: list[Suggestion], seen: _Seen, begun: float) -> SuggestAnswer:
        found.sort(key=lambda one: (-one.confidence, one.kind == "command"))
        nothing = None if seen.look is None else seen.look.answer.nothing
        fits = seen.look is None or seen.look.answer.best is not None
        return SuggestAnswer(
            suggestions=tuple(found[: seen.question.limit]),
            nothing=None if nothing is None else round(nothing, 4),
            nothing_fits=not fits,
            says=self._says(found, fits),
            learned_to=self.place,
            took_us=round((time.perf_counter() - begun) * 1e6),
        )

    def _says(self, found: Sequence[Suggestion], fits: bool) -> str:
        if not fits:
            return "No workflow fits this text."
        if not self._matcher.ready:
            return "The templates are being read; ask again in a moment."
        return "" if found else "Nothing is known that comes next here."
