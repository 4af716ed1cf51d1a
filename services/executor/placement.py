"""Placement: which pool of agents a task goes to.

A step that needs nothing, or one capability, goes to a shared pool: the first free agent takes it.
Anything more (a host, labels, several capabilities, a placement) goes to one agent that fits: the
least loaded, or, to `pack`, the most loaded that has a free slot. A target goes to that agent.
Where no live agent fits, the reason says what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.ports.agents import AgentDirectory
from shared.workflow.events import Requirement
from shared.workflow.selecting import preferred, why_unfit

log = structlog.get_logger()

REFRESH_S: Final = 1.0


class Placement:
    """Places the tasks of one coordinator.

    What was placed on an agent since it last told its load counts too: many steps that become ready
    at once would otherwise all go to the same one.
    """

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, int]] = {}
        """By agent: the time of its record, and the tasks placed on it since."""

    def place(
        self, requirement: Requirement, agents: Sequence[AgentRecord]
    ) -> tuple[str | None, str]:
        """The pool for a task, or `None` and the reason why no live agent fits."""
        fitting = [agent for agent in agents if _fits(agent, requirement)]
        if not fitting:
            return None, _why_none(requirement, agents)
        if not _is_special(requirement):
            if requirement.capabilities:
                return subjects.pool_capability(requirement.capabilities[0]), ""
            return subjects.pool_any(), ""
        best = preferred(fitting, requirement.placement, self._burden)
        self._since[best.name] = best.seen_at_ms, self._placed(best) + 1
        return subjects.pool_host(best.name), ""

    def _burden(self, agent: AgentRecord) -> float:
        return agent.load + self._placed(agent) / agent.slots

    def _placed(self, agent: AgentRecord) -> int:
        seen_at_ms, count = self._since.get(agent.name, (0, 0))
        return count if seen_at_ms == agent.seen_at_ms else 0


def _is_special(requirement: Requirement) -> bool:
    return bool(
        requirement.host
        or requirement.labels
        or len(requirement.capabilities) > 1
        or requirement.any_capabilities
        or requirement.agent
        or requirement.placement
    )


def served_pools(agents: Sequence[AgentRecord]) -> frozenset[str]:
    """The pools from which some live agent takes tasks; one that is leaving takes no more."""
    serving = [agent for agent in agents if not agent.draining]
    capabilities = {c for agent in serving for c in agent.capabilities}
    return frozenset(
        (
            *((subjects.pool_any(),) if serving else ()),
            *(subjects.pool_capability(capability) for capability in capabilities),
            *(subjects.pool_host(agent.name) for agent in serving),
        )
    )


def _fits(agent: AgentRecord, requirement: Requirement) -> bool:
    needs = requirement.labels, requirement.capabilities, requirement.any_capabilities
    return (
        requirement.host in (None, agent.name, agent.host)
        and requirement.agent in (None, agent.name)
        and not why_unfit(agent, *needs)
    )


def _why_none(requirement: Requirement, agents: Sequence[AgentRecord]) -> str:
    wanted = [f"the name {requirement.agent!r}"] if requirement.agent else []
    if requirement.host:
        wanted.append(f"host {requirement.host!r}")
    if requirement.capabilities:
        wanted.append("capabilities " + ", ".join(requirement.capabilities))
    if requirement.any_capabilities:
        wanted.append("one of the capabilities " + ", ".join(requirement.any_capabilities))
    if requirement.labels:
        wanted.append("labels " + ", ".join(f"{k}={v}" for k, v in requirement.labels.items()))
    live = ", ".join(agent.name for agent in agents[:10]) or "none"
    return f"no live agent has {' and '.join(wanted) or 'a free slot'} (live agents: {live})"


class LiveAgents:
    """The directory, read every second, so that placing a task waits for nothing."""

    def __init__(self, directory: AgentDirectory) -> None:
        self._directory = directory
        self._agents: Sequence[AgentRecord] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def now(self) -> Sequence[AgentRecord]:
        """The live agents as last read."""
        return self._agents

    async def start(self) -> None:
        """Read once, however long that takes, then keep reading.

        Before the first reading nobody knows who lives, and no step may be told that nobody fits.
        """
        while not await self._read():  # noqa: ASYNC110 - the server is what is asked
            await asyncio.sleep(REFRESH_S)
        self._task = asyncio.create_task(self._keep_reading())

    async def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()

    async def refresh(self) -> Sequence[AgentRecord]:
        """Read now, for example before saying that no agent fits."""
        await self._read()
        return self._agents

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._read()

    async def _read(self) -> bool:
        try:
            self._agents = await self._directory.live()
        except (TimeoutError, OSError) as error:
            log.info("agents not read now", error=str(error) or type(error).__name__)
            return False
        return True
