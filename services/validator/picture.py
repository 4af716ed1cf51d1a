"""What is known of a run before it starts: gathered once, then looked at by pure checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from services.validator.uses import StepUse, uses_of
from shared.automation.states import ScheduleState
from shared.commands.registry import CommandRegistry
from shared.contracts.agents import AgentRecord
from shared.contracts.api.keys import ApiKey
from shared.contracts.forecasts import Forecast
from shared.contracts.prechecks import AddressState, PrecheckAnswer
from shared.contracts.validation import ValidationQuestion
from shared.forecast.experience import Experience, Nothing
from shared.workflow.definition import Step, Template, placed_steps
from shared.workflow.errors import ExpressionError
from shared.workflow.fleet_events import StepTargeting
from shared.workflow.flow import OnConflict
from shared.workflow.program import Program
from shared.workflow.selecting import select, why_unfit


@dataclass(frozen=True, slots=True)
class Told:
    """What one agent answered, and between which two moments of the server's clock (epoch ms)."""

    answer: PrecheckAnswer
    asked_at_ms: int
    heard_at_ms: int


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A concurrency key as a template uses it: as it is written."""

    template_id: str
    key: str
    limit: int
    on_conflict: OnConflict


@dataclass(frozen=True)
class Picture:
    """Everything that the checks look at.

    `told` is what agents answered, by name; `silent` those that were asked and did not. `reached`
    is, by agent, what came of connecting. `unknown` says in words what could not be read.
    """

    question: ValidationQuestion
    program: Program
    commands: CommandRegistry
    agents: Sequence[AgentRecord] = ()
    told: Mapping[str, Told] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    reached: Mapping[str, tuple[AddressState, ...]] = field(default_factory=dict)
    keys: Sequence[ApiKey] = ()
    key_uses: Sequence[KeyUse] = ()
    schedules: Sequence[ScheduleState] = ()
    now_ms: int = 0
    experience: Experience = field(default_factory=Nothing)
    forecast: Forecast | None = None
    unknown: tuple[str, ...] = ()

    @property
    def template(self) -> Template:
        """The definition."""
        return self.program.template

    @cached_property
    def uses(self) -> tuple[StepUse, ...]:
        """Every use of a command by a step, as far as its parameters are known."""
        return tuple(uses_of(self.program, self.question.parameters))

    @cached_property
    def placed(self) -> tuple[tuple[str, Step], ...]:
        """Every step with its path."""
        return tuple(placed_steps(self.template))

    @cached_property
    def targets(self) -> Mapping[str, tuple[AgentRecord, ...] | None]:
        """By step with a command: the live agents that may run it (of a fleet, those that it is
        for); None where that cannot be known before the run."""
        return {step.id: _targets(self, step) for _, step in self.placed if step.command}

    def runners(self) -> tuple[AgentRecord, ...]:
        """Every agent that may run any step, by name."""
        found = {one.name: one for some in self.targets.values() for one in some or ()}
        return tuple(found[name] for name in sorted(found))

    def known(self, name: str) -> Iterator[tuple[AgentRecord, Told]]:
        """The agents that may run a step and have answered, with their answers."""
        for agent in self.targets.get(name) or ():
            told = self.told.get(agent.name)
            if told is not None:
                yield agent, told


def _targets(picture: Picture, step: Step) -> tuple[AgentRecord, ...] | None:
    compiled = picture.program.steps[step.id]
    if step.target.is_fleet:
        return _fleet(picture, step)
    host = step.target.host
    if host is not None and "${{" in host:
        try:
            host = compiled.host.known(parameter_values(picture, compiled.host.needs))
        except ExpressionError:
            return None
        if not isinstance(host, str) or "${{" in host:
            return None
    needs = step.target.labels, compiled.capabilities, step.any_capabilities
    return tuple(
        agent
        for agent in picture.agents
        if host in (None, agent.name, agent.host) and not why_unfit(agent, *needs)
    )


def _fleet(picture: Picture, step: Step) -> tuple[AgentRecord, ...] | None:
    compiled = picture.program.steps[step.id]
    selector, target = compiled.selector, step.target
    if selector is None:
        return None
    needed = [name for name in selector.needs if not name.startswith("agent.")]
    values = parameter_values(picture, needed)
    if any(name not in values for name in needed):
        return None
    question = StepTargeting(
        step=step.id,
        asked=0,
        where=selector.source,
        values=values,
        labels=target.labels,
        capabilities=compiled.capabilities,
        any_capabilities=step.any_capabilities,
        per=target.per,
        one=False,
        placement=target.placement or "spread",
    )
    by_name = {agent.name: agent for agent in picture.agents}
    try:
        return tuple(by_name[one.name] for one in select(question, picture.agents).targets)
    except ExpressionError:
        return None


def parameter_values(picture: Picture, needs: Sequence[str]) -> dict[str, object]:
    """The values of those variables that are parameters of this run."""
    given = picture.question.parameters
    if given is None:
        return {}
    found = {n: n.partition(".")[2] for n in needs if n.startswith("params.")}
    return {name: given[field] for name, field in found.items() if field in given}
