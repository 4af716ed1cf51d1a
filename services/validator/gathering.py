"""Gathering a picture: everything is read at the same time, and nothing is written.

What cannot be read is said in the picture, so that a report is never silently weaker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog

from services.validator.library import KeyLibrary
from services.validator.picture import Picture, Told
from services.validator.ports import Sources
from shared.automation.states import ScheduleState
from shared.commands.registry import CommandRegistry
from shared.contracts.agents import AgentRecord
from shared.contracts.control import PRECHECK
from shared.contracts.prechecks import (
    MAX_ADDRESSES,
    MAX_USES,
    AddressState,
    NetworkAddress,
    PrecheckAnswer,
    PrecheckQuestion,
)
from shared.contracts.validation import ValidationQuestion
from shared.workflow.program import Program

log = structlog.get_logger()

T = TypeVar("T")

PROBING_AGENTS: Final = 5
"""Agents that try to connect to one address, of those that may run its step."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long agents get to answer, and to try to connect, in seconds."""

    ask_s: float = 1.0
    probe_s: float = 5.0


class Gatherer:
    """Gathers pictures."""

    def __init__(
        self, sources: Sources, commands: CommandRegistry, library: KeyLibrary, patience: Patience
    ) -> None:
        self._sources = sources
        self._commands = commands
        self._library = library
        self._patience = patience

    async def live(self, question: ValidationQuestion, program: Program) -> Picture:
        """What `strict` looks at."""
        unknown: list[str] = []
        agents, keys, automations = await asyncio.gather(
            _read(self._sources.agents.live(), "the directory of agents", unknown),
            _read(self._sources.keys.all(), "who may approve", unknown),
            _read(self._sources.automations.all("schedule"), "schedules", unknown),
        )
        if self._library.uses is None:
            unknown.append("the concurrency keys of other templates have not been read yet")
        template_id = program.template.id
        picture = Picture(
            question=question,
            program=program,
            commands=self._commands,
            agents=tuple(agents or ()),
            keys=tuple(keys or ()),
            key_uses=self._library.uses or (),
            schedules=tuple(
                stored.state
                for stored in automations or ()
                if isinstance(stored.state, ScheduleState)
                and stored.state.spec.template_id == template_id
            ),
            now_ms=self._sources.clock.now_ms(),
        )
        told, silent = await self._ask(picture, unknown)
        return replace(picture, told=told, silent=silent, unknown=tuple(unknown))

    async def network(self, picture: Picture) -> Picture:
        """The same, with what came of connecting to what steps address."""
        wanted = _addresses(picture)
        unknown = list(picture.unknown)
        asked = await asyncio.gather(
            *(self._probe(name, tuple(some), unknown) for name, some in wanted.items())
        )
        reached = dict(zip(wanted, asked, strict=True))
        return replace(picture, reached=reached, unknown=tuple(unknown))

    async def _ask(
        self, picture: Picture, unknown: list[str]
    ) -> tuple[dict[str, Told], tuple[str, ...]]:
        """Have every agent that may run a step say whether it would."""
        runners = [agent.name for agent in picture.runners()]
        if not runners:
            return {}, ()
        uses = tuple(use.question for use in picture.uses)
        if len(uses) > MAX_USES:
            unknown.append(f"agents were asked about the first {MAX_USES} commands only")
        question = PrecheckQuestion(template_id=picture.template.id, uses=uses[:MAX_USES])
        clock, ask_s = self._sources.clock, self._patience.ask_s
        asked_at_ms = clock.now_ms()
        everybody = len(runners) * 2 >= len(picture.agents)
        ask = self._sources.control.ask_all if everybody else self._sources.control.ask
        answers = await _read(
            ask(PRECHECK, question, runners, ask_s), "what agents would do", unknown
        )
        if answers is None:
            return {}, ()
        heard_at_ms = clock.now_ms()
        told = {n: Told(one, asked_at_ms, heard_at_ms) for n, one in answers.answers.items()}
        return told, (*answers.silent, *answers.errors)

    async def _probe(
        self, agent: str, addresses: Sequence[NetworkAddress], unknown: list[str]
    ) -> tuple[AddressState, ...]:
        question = PrecheckQuestion(template_id="", addresses=tuple(addresses[:MAX_ADDRESSES]))
        if len(addresses) > MAX_ADDRESSES:
            unknown.append(f"{agent} was asked about {MAX_ADDRESSES} addresses only")
        control, probe_s = self._sources.control, self._patience.probe_s
        answers = await _read(
            control.ask(PRECHECK, question, [agent], probe_s), f"what {agent} can reach", unknown
        )
        answer: PrecheckAnswer | None = answers.answers.get(agent) if answers is not None else None
        if answer is None and answers is not None:
            unknown.append(f"{agent} did not say what it can reach")
        return answer.addresses if answer is not None else ()


def _addresses(picture: Picture) -> dict[str, dict[NetworkAddress, None]]:
    """By agent, the addresses that it should try."""
    found: dict[str, dict[NetworkAddress, None]] = {}
    for use in picture.uses:
        address = use.address
        if address is None:
            continue
        for agent in _some(picture.targets.get(use.step.id) or ()):
            found.setdefault(agent.name, {})[address] = None
    return found


def _some(agents: Sequence[AgentRecord]) -> Sequence[AgentRecord]:
    """A few of the agents, spread over their names."""
    step = max(len(agents) // PROBING_AGENTS, 1)
    return agents[::step][:PROBING_AGENTS]


async def _read(reading: Awaitable[T], what: str, unknown: list[str]) -> T | None:
    """What was read; None where that failed, which is remembered."""
    try:
        return await reading
    except Exception as error:
        reason = str(error) or type(error).__name__
        log.warning("cannot look", at=what, error=reason)
        unknown.append(f"{what} cannot be read now: {reason[:200]}")
        return None
