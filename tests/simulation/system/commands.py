"""The commands of the simulated agents, and the ledger in which each start is written."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.executor.commands.base import (
    CommandContext,
    Completed,
    Deferred,
    Failed,
    Outcome,
    StopProof,
)
from services.executor.commands.interruption import Interruption, interrupted, race
from shared.commands.spec import CommandSpec
from shared.commands.spec import Effects as Changes
from tests.simulation.system.loop_clock import LoopClock

Leg = tuple[str, str, int, int]
"""Execution, step, attempt, leg."""


class Anything(BaseModel):
    """Any fields."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a command, written when it begins."""

    leg: Leg
    agent: str
    at_s: float
    fence: int
    command: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class Temper:
    """How commands behave: chances, and how long they take, in seconds."""

    fails: float = 0.1
    defers: float = 0.05
    long: float = 0.05
    most_s: float = 1.0
    longest_s: float = 40.0


@dataclass
class Ledger:
    """Every start of every command, whoever ran it. Written outside of all processes."""

    clock: LoopClock
    rng: random.Random
    temper: Temper = field(default_factory=Temper)
    starts: list[Start] = field(default_factory=list)
    waiting: list[tuple[Leg, str]] = field(default_factory=list)
    """Legs that wait to be woken from outside, with their tokens."""

    def begin(self, command: str, params: Anything, context: CommandContext) -> Leg:
        """Write a start down."""
        leg = (context.execution_id, context.step_id, context.attempt, context.leg)
        start = Start(
            leg,
            context.agent,
            self.clock.loop_s(),
            context.fence,
            command,
            params.model_dump(),
        )
        self.starts.append(start)
        return leg


class Simulated:
    """A command that works for a while and then does anything that commands do."""

    parameters: type[BaseModel] = Anything

    def __init__(self, name: str, effects: Changes, ledger: Ledger) -> None:
        self._ledger = ledger
        self.spec = CommandSpec.of(
            name=name,
            summary="Does something.",
            parameters=Anything,
            output=Anything,
            effects=effects,
        )

    async def run(self, params: Anything, context: CommandContext) -> Outcome:
        """Work, then end in some way."""
        leg = self._ledger.begin(self.spec.name, params, context)
        rng, temper = self._ledger.rng, self._ledger.temper
        if rng.random() < temper.defers:
            return self._deferred(leg)
        is_long = rng.random() < temper.long
        seconds = rng.uniform(0, temper.longest_s if is_long else temper.most_s)
        why = await race(asyncio.sleep(seconds), context)
        if isinstance(why, Interruption):
            return interrupted(why, StopProof(True, "it slept"))
        if rng.random() < temper.fails:
            return Failed("exit_1", "now and then", retryable=rng.random() < 0.8)
        return Completed({"n": rng.choice((2, 2, 2, 1))} if rng.random() < 0.95 else {})

    async def resume(self, params: Anything, context: CommandContext, token: str) -> Outcome:
        """Go on."""
        assert token.startswith(context.step_id)
        return await self.run(params, context)

    def _deferred(self, leg: Leg) -> Deferred:
        rng = self._ledger.rng
        token = f"{leg[1]}-{leg[2]}-{leg[3]}"
        self._ledger.waiting.append((leg, token))
        wakes = rng.random() < 0.5
        now_s = self._ledger.clock.now_ms() / 1000
        return Deferred(token, now_s + rng.uniform(0, 5) if wakes else None)


def commands(ledger: Ledger) -> list[Simulated]:
    """`noop`, which changes something for all that is known of it, and `look`, which does not."""
    return [
        Simulated("noop", Changes.IRREVERSIBLE, ledger),
        Simulated("look", Changes.NONE, ledger),
    ]
