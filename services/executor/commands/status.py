"""`hv-status`: how the hive is, by its own answers."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel

from services.executor.commands.base import CommandContext, Completed, Outcome
from services.executor.commands.hive_access import ask_agents, with_hive
from shared.commands.hive import (
    STATUS,
    AgentHealth,
    BroadcastState,
    DelegationState,
    StatusOutput,
    StatusParameters,
)
from shared.commands.spec import CommandSpec
from shared.contracts import control
from shared.contracts.agents import AgentRecord
from shared.contracts.delegations import Delegation
from shared.ports.collective import NotFoundError
from shared.ports.control import Answers
from shared.ports.hive import HivePort


class StatusCommand:
    """Asks agents how they are."""

    spec: CommandSpec = STATUS
    parameters: type[BaseModel] = StatusParameters

    async def run(self, params: StatusParameters, context: CommandContext) -> Outcome:
        """Ask, and compute the summary from the answers."""

        async def work(hive: HivePort) -> Outcome:
            question = control.StatusQuestion()
            answers = await ask_agents(
                hive, control.STATUS, question, params.agents, params.deadline_s
            )
            broadcast = await _broadcast(hive, params.broadcast_id)
            delegation = await _delegation(hive, params.delegation_id)
            output = _summary(answers, params, hive.clock.now_ms())
            more = {"broadcast": broadcast, "delegation": delegation}
            return Completed(output.model_copy(update=more).model_dump(mode="json"))

        return await with_hive(context, work)


def delegation_state(delegation: Delegation) -> DelegationState:
    """A delegation as commands report it."""
    return DelegationState(
        delegation_id=delegation.id,
        status=delegation.status.value,
        participant=delegation.participant,
        offers=len(delegation.offers),
        result=delegation.result,
        reason=delegation.reason,
    )


async def _broadcast(hive: HivePort, broadcast_id: str | None) -> BroadcastState | None:
    if broadcast_id is None:
        return None
    kept = await hive.broadcasts.get(broadcast_id)
    if kept is None:
        raise NotFoundError(f"broadcast_id: there is no broadcast {broadcast_id}")
    have = kept.acknowledged_by()
    return BroadcastState(
        broadcast_id=kept.id,
        acknowledged_by=sorted(have),
        missing=sorted(set(kept.expected) - have),
    )


async def _delegation(hive: HivePort, delegation_id: str | None) -> DelegationState | None:
    if delegation_id is None:
        return None
    kept = await hive.delegations.get(delegation_id)
    if kept is None:
        raise NotFoundError(f"delegation_id: there is no delegation {delegation_id}")
    return delegation_state(kept)


def _summary(
    answers: Answers[control.StatusAnswer], params: StatusParameters, now_ms: int
) -> StatusOutput:
    agents = [_health(answers.answers[n], params, now_ms) for n in sorted(answers.answers)]
    unreachable = sorted({*answers.silent, *answers.errors})
    return StatusOutput(
        total=len(agents) + len(unreachable),
        reachable=len(agents),
        healthy=sum(agent.healthy for agent in agents),
        unreachable=unreachable,
        unhealthy=[agent.agent for agent in agents if not agent.healthy],
        mean_load=round(sum(a.load for a in agents) / len(agents), 4) if agents else 0.0,
        free_slots=sum(max(0, agent.slots - agent.running) for agent in agents),
        capabilities=dict(sorted(Counter(c for a in agents for c in a.capabilities).items())),
        agents=agents,
    )


def _health(answer: control.StatusAnswer, params: StatusParameters, now_ms: int) -> AgentHealth:
    record = answer.record
    reasons = _reasons(record, params)
    return AgentHealth(
        agent=record.name,
        healthy=not reasons,
        reasons=reasons,
        host=record.host,
        version=record.version,
        load=round(record.load, 4),
        running=record.running,
        slots=record.slots,
        system_load=round(record.system_load, 4),
        memory_percent=record.memory_percent,
        disk_percent=record.disk_percent,
        uptime_s=round(max(0, now_ms - record.started_at_ms) / 1000, 3),
        labels=record.labels,
        capabilities=list(record.capabilities),
        bundles=answer.bundles,
    )


def _reasons(record: AgentRecord, params: StatusParameters) -> list[str]:
    measured = (
        ("memory in use", record.memory_percent, params.max_memory_percent, "%"),
        ("disk in use", record.disk_percent, params.max_disk_percent, "%"),
        ("system load for each core", record.system_load, params.max_system_load, ""),
    )
    reasons = [f"{n}: {v:.1f}{u} > {top:g}{u}" for n, v, top, u in measured if v > top]
    return [*reasons, "is draining: takes no tasks"] if record.draining else reasons
