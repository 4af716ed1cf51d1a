"""Who would run each step: agents that live, fit, and have a free slot."""

from __future__ import annotations

from collections.abc import Iterator

from services.validator.picture import Picture
from shared.contracts.agents import AgentRecord
from shared.validation.rule import Found, Rule
from shared.validation.rules.live import BUSY_AGENTS, EMPTY_FLEET, NO_AGENT
from shared.workflow.definition import Step
from shared.workflow.selecting import why_unfit

MAX_NAMED = 3


def who_can_run(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Steps that nobody can run, fleets of nobody, steps whose agents are all full."""
    for path, step in picture.placed:
        found = picture.targets.get(step.id)
        if found is None:
            continue
        if step.target.is_fleet:
            if not found:
                yield EMPTY_FLEET, _empty_fleet(picture, path, step)
        elif not found:
            yield NO_AGENT, _nobody(picture, path, step)
        elif all(_is_full(agent) for agent in found):
            yield BUSY_AGENTS, _busy(path, step, found)


def _empty_fleet(picture: Picture, path: str, step: Step) -> Found:
    live = len(picture.agents)
    return Found(
        f"{path}/target/where",
        f"`{step.target.where}` matches none of the {live} live agents",
        fix="change the selector, or label the agents that it is for"
        + ("" if step.target.allow_empty else "; `allow_empty: true` lets the step complete"),
        about="system",
        severity="info" if step.target.allow_empty else None,
    )


def _nobody(picture: Picture, path: str, step: Step) -> Found:
    reasons = list(_reasons(picture, step))
    if not picture.agents:
        message = f"no agent lives that could run {step.id!r}"
    else:
        named = "; ".join(reasons[:MAX_NAMED])
        more = f" (and {len(reasons) - MAX_NAMED} more)" if len(reasons) > MAX_NAMED else ""
        message = f"no live agent can run {step.id!r}: {named}{more}"
    return Found(
        path,
        message,
        fix="start an agent that has what the step needs, or change its target",
        about="system",
    )


def _reasons(picture: Picture, step: Step) -> Iterator[str]:
    """Why each live agent cannot, in words."""
    compiled = picture.program.steps[step.id]
    needs = step.target.labels, compiled.capabilities, step.any_capabilities
    for agent in picture.agents:
        why = why_unfit(agent, *needs)
        yield f"{agent.name}: {why or f'the step wants {step.target.host}'}"


def _is_full(agent: AgentRecord) -> bool:
    return agent.running >= agent.slots or agent.load >= 1


def _busy(path: str, step: Step, agents: tuple[AgentRecord, ...]) -> Found:
    named = ", ".join(f"{a.name} ({a.running} of {a.slots} slots)" for a in agents[:MAX_NAMED])
    more = f" and {len(agents) - MAX_NAMED} more" if len(agents) > MAX_NAMED else ""
    return Found(
        path,
        f"every agent that can run {step.id!r} is full: {named}{more}",
        fix=f"wait, add agents, or give the step more time to start (now {step.start_timeout_s:g}"
        " s)",
        about="system",
    )
