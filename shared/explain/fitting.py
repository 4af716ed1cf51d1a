"""Which of a step's requirements an agent does not meet: placement's rule, with its reasons."""

from __future__ import annotations

from shared.contracts.agents import AgentRecord
from shared.explain.wording import names
from shared.workflow.binding import bind, instance_values
from shared.workflow.errors import ExpressionError
from shared.workflow.events import Requirement
from shared.workflow.program import Program
from shared.workflow.scheduling import requirement
from shared.workflow.state import ExecutionState


def requirement_of(program: Program, state: ExecutionState, step: str) -> Requirement:
    """What an agent must have for a step, as it would be offered now."""
    compiled = program.step(step)
    local = instance_values(state.steps[step])
    try:
        host = compiled.host.render(bind(compiled.host.needs, state, local=local)) or None
    except ExpressionError:
        host = None
    return requirement(compiled, state.steps[step], host)


def unmet(agent: AgentRecord, wanted: Requirement) -> list[str]:
    """What the agent lacks, in words; empty where it fits."""
    lacks = ["is leaving"] if agent.draining else []
    if wanted.host not in (None, agent.name, agent.host):
        lacks.append(f"is not {wanted.host}")
    if wanted.agent not in (None, agent.name):
        lacks.append(f"is not {wanted.agent}")
    missing = [c for c in wanted.capabilities if c not in agent.capabilities]
    if missing:
        lacks.append(f"lacks the capability {names(missing)}")
    if wanted.any_capabilities and not set(wanted.any_capabilities) & set(agent.capabilities):
        lacks.append(f"has none of the capabilities {names(wanted.any_capabilities)}")
    for label, value in wanted.labels.items():
        has = agent.labels.get(label)
        if has != value:
            lacks.append(f"has {label}={has}, not {value}" if has else f"lacks {label}={value}")
    return lacks


def in_words(wanted: Requirement) -> str:
    """A requirement as one phrase."""
    parts = [f"is {one}" for one in (wanted.host, wanted.agent) if one]
    if wanted.capabilities:
        parts.append(f"has the capability {names(wanted.capabilities)}")
    if wanted.any_capabilities:
        parts.append(f"has one of the capabilities {names(wanted.any_capabilities)}")
    parts += [f"has {label}={value}" for label, value in wanted.labels.items()]
    return " and ".join(parts) or "takes tasks"
