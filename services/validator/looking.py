"""Looking at a run: the picture is gathered, the forecast made, every check of the level asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.validator.checks import FORESEEN, LIVE, Check
from services.validator.gathering import Gatherer
from services.validator.picture import Picture
from services.validator.ports import Sources
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts.forecasts import Forecast
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.forecast.experience import UNSEEN, Experience, Seen
from shared.forecast.history import load_experience
from shared.forecast.learned import LearnedCommand
from shared.forecast.world import MAX_DEPTH, Known, World
from shared.outcomes.views import CommandView
from shared.ports.collective import InvalidRequestError
from shared.validation.finding import Finding, includes
from shared.workflow.definition import Template
from shared.workflow.errors import DefinitionError
from shared.workflow.program import Program, compile_template

MAX_CALLED: Final = 50
"""Sub-workflows that are read for one forecast."""


class Looking:
    """Answers questions. Forecasts run beside the event loop, `forecasts` at a time."""

    def __init__(
        self, sources: Sources, commands: CommandRegistry, gatherer: Gatherer, forecasts: int = 1
    ) -> None:
        self._sources = sources
        self._commands = commands
        self._signatures = signatures(commands)
        self._gatherer = gatherer
        self._room = asyncio.Semaphore(forecasts)

    async def look(self, question: ValidationQuestion) -> ValidationAnswer:
        """What is found beyond the static rules. Raises `InvalidRequestError` for a template that
        cannot be compiled: its static rules were not looked at."""
        if not includes(question.level, "strict"):
            return ValidationAnswer()
        program = self._compiled(question.template)
        picture = await self._gatherer.live(question, program)
        checks: Sequence[Check] = LIVE
        if includes(question.level, "paranoid"):
            picture = await self._foreseen(await self._gatherer.network(picture))
            checks = (*LIVE, *FORESEEN)
        return ValidationAnswer(
            findings=tuple(_findings(checks, picture)), forecast=picture.forecast
        )

    def _compiled(self, template: Template) -> Program:
        try:
            return compile_template(template, self._signatures)
        except DefinitionError as error:
            raise InvalidRequestError(f"the template cannot be compiled: {error}") from error

    async def _foreseen(self, picture: Picture) -> Picture:
        """The picture with a forecast."""
        executions = self._sources.executions
        experience = await load_experience(executions, picture.template.id)
        called = await self._called(picture.program)
        learned = await self._learned(picture.program, called)
        world = World(self._commands, picture.agents, called, learned)
        async with self._room:
            found = await asyncio.to_thread(_forecast, picture, world, experience)
        return replace(picture, experience=experience, forecast=found)

    async def _learned(
        self, program: Program, called: Mapping[tuple[str, str], Known]
    ) -> dict[str, LearnedCommand]:
        """What the commands of these programs did in any template."""
        programs = [program, *(known.program for known in called.values())]
        commands = {one.step.command for some in programs for one in some.steps.values()}
        found: dict[str, LearnedCommand] = {}
        for command in sorted(commands - {""}):
            view = await self._sources.outcomes.get(CommandView, command)
            if view is not None:
                found[command] = learned_of(view)
        return found

    async def _called(self, program: Program) -> Mapping[tuple[str, str], Known]:
        """The sub-workflows, at any depth that is simulated, that can be read."""
        found: dict[tuple[str, str], Known] = {}
        waiting = [(key, 1) for key in _calls(program)]
        while waiting and len(found) < MAX_CALLED:
            key, depth = waiting.pop()
            template = None if key in found else await self._sources.templates.get(*key)
            if template is None:
                continue
            try:
                known = compile_template(template, self._signatures)
            except DefinitionError:
                continue
            found[key] = Known(known, await load_experience(self._sources.executions, key[0]))
            if depth < MAX_DEPTH:
                waiting += [(one, depth + 1) for one in _calls(known)]
        return found


def learned_of(view: CommandView) -> LearnedCommand:
    """What is known of a command, as a forecast asks for it."""
    tried, lasts = view.tried, view.durations_s
    return LearnedCommand(
        attempts=int(tried.ended),
        failing=1 - view.chance.probability,
        weight=view.chance.alpha + view.chance.beta,
        durations_s=Seen(lasts.count, lasts.at) if lasts.count else UNSEEN,
        again=tried.again,
        again_failed=tried.again_failed,
        failed=tried.failed,
        final=tried.final,
    )


def _calls(program: Program) -> Iterator[tuple[str, str]]:
    for compiled in program.steps.values():
        if compiled.step.workflow is not None:
            yield compiled.step.workflow.template, compiled.step.workflow.version


def _forecast(picture: Picture, world: World, experience: Experience) -> Forecast:
    from shared.forecast.forecasting import forecast  # loads numpy, which nothing else needs

    question = picture.question
    return forecast(
        picture.program,
        question.parameters or _defaults(picture.template),
        world,
        experience,
        runs=question.runs,
        seed=question.seed,
    )


def _defaults(template: Template) -> dict[str, object]:
    """The parameters of a run that nobody has asked for: what is declared, else nothing."""
    return {n: p.default for n, p in template.parameters.items() if not p.is_required}


def _findings(checks: Iterable[Check], picture: Picture) -> Iterator[Finding]:
    for check in checks:
        for rule, found in check(picture):
            yield rule.finding(found)
