"""Which of the live agents a fleet runs on.

* A selector is CEL over one agent at a time. An agent for which it cannot be evaluated (a label
  that it does not have) does not match.
* Agents that are leaving, or lack the step's labels or capabilities, are no targets.
* Targets are in order of their names, so that the same directory gives the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, TypeVar

from cel_expr_python import cel

from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Compiled, Scope
from shared.workflow.fleet_events import StepTargeting
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.messages import TargetAgent, TargetsResolved

AGENT_VARIABLES: Final[Mapping[str, cel.Type]] = {
    "agent.name": cel.Type.STRING,
    "agent.host": cel.Type.STRING,
    "agent.labels": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "agent.capabilities": cel.Type.List(cel.Type.STRING),
    "agent.load": cel.Type.DOUBLE,
}
"""What a selector knows of an agent; `load` is the share of its slots in use, from 0."""


class LiveAgent(Protocol):
    """What must be known of an agent to select it."""

    @property
    def name(self) -> str:
        """Its name, unlike that of any other agent."""
        ...

    @property
    def host(self) -> str:
        """The host that it runs on."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        ...

    @property
    def capabilities(self) -> Sequence[str]:
        """What it can do."""
        ...

    @property
    def load(self) -> float:
        """The share of its slots in use, from 0 to 1."""
        ...

    @property
    def system_load(self) -> float:
        """The load average of its host, divided by its cores."""
        ...

    @property
    def draining(self) -> bool:
        """True when it is leaving, and takes no more."""
        ...


A = TypeVar("A", bound=LiveAgent)


@dataclass(frozen=True, slots=True)
class Selection:
    """The agents that a selector chose, in order, and why each other one was not."""

    targets: tuple[LiveAgent, ...]
    others: Mapping[str, str]


def select(question: StepTargeting, agents: Iterable[LiveAgent]) -> Selection:
    """The targets among the live agents. Raises `ExpressionError` for a selector that can never be
    evaluated."""
    selector = _compiled(question.where, tuple(sorted(question.values)))
    others: dict[str, str] = {}
    fitting: list[LiveAgent] = []
    for agent in sorted(agents, key=lambda one: one.name):
        reason = _why_not(question, selector, agent)
        if reason:
            others[agent.name] = reason
        else:
            fitting.append(agent)
    if question.per == "host":
        fitting = _one_per_host(fitting, others)
    if question.one and fitting:
        best = preferred(fitting, question.placement, lambda one: one.load)
        others |= {one.name: f"{best.name} was chosen" for one in fitting if one is not best}
        fitting = [best]
    return Selection(tuple(fitting), others)


def resolved(question: StepTargeting, agents: Sequence[LiveAgent]) -> TargetsResolved:
    """The answer to a question about targets, for the execution's own journal."""
    try:
        chosen = select(question, agents)
    except ExpressionError as error:
        chosen = Selection((), {"": str(error)})
    return TargetsResolved(
        step=question.step,
        asked=question.asked,
        targets=tuple(
            TargetAgent(name=one.name, host=one.host, labels=dict(one.labels))
            for one in chosen.targets[:MAX_INSTANCES]
        ),
        matched=len(chosen.targets),
        live=len(agents),
        why=next((f"{n}: {why}" if n else why for n, why in chosen.others.items()), ""),
    )


def preferred(agents: Sequence[A], placement: str | None, burden: Callable[[A], float]) -> A:
    """The agent to choose among several: the least burdened, or, to `pack`, the most burdened that
    has a free slot. A burden is a share of slots."""
    if placement == "pack":
        free = [agent for agent in agents if burden(agent) < 1]
        if free:
            return min(free, key=lambda one: (-burden(one), one.system_load, one.name))
    return min(agents, key=lambda one: (burden(one), one.system_load, one.name))


def why_unfit(
    agent: LiveAgent,
    labels: Mapping[str, str],
    capabilities: Iterable[str],
    any_capabilities: Sequence[str],
) -> str:
    """What keeps an agent from a step that needs these; empty when nothing does."""
    if agent.draining:
        return "it is leaving"
    lacking = [one for one in capabilities if one not in agent.capabilities]
    if lacking:
        return "it lacks " + ", ".join(lacking)
    if any_capabilities and not any(one in agent.capabilities for one in any_capabilities):
        return "it has none of " + ", ".join(any_capabilities)
    other = [f"{k}={v}" for k, v in labels.items() if agent.labels.get(k) != v]
    return "it is not labelled " + ", ".join(other) if other else ""


def _why_not(question: StepTargeting, selector: Compiled, agent: LiveAgent) -> str:
    facts = {
        "agent.name": agent.name,
        "agent.host": agent.host,
        "agent.labels": dict(agent.labels),
        "agent.capabilities": list(agent.capabilities),
        "agent.load": agent.load,
    }
    try:
        if not selector.test({**question.values, **facts}):
            return "the selector does not match"
    except ExpressionError as error:
        return str(error)
    needs = question.labels, question.capabilities, question.any_capabilities
    return why_unfit(agent, *needs)


def _one_per_host(agents: Iterable[LiveAgent], others: dict[str, str]) -> list[LiveAgent]:
    """Of several agents on a host the first by name stands for all: the same one every time."""
    chosen: dict[str, LiveAgent] = {}
    for agent in agents:
        first = chosen.setdefault(agent.host, agent)
        if first is not agent:
            others[agent.name] = f"{first.name} stands for host {agent.host}"
    return list(chosen.values())


@lru_cache(maxsize=256)
def _compiled(where: str, names: tuple[str, ...]) -> Compiled:
    return Compiled(where, Scope({**dict.fromkeys(names, cel.Type.DYN), **AGENT_VARIABLES}))
