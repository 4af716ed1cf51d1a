"""Strikes: which process, how, and for how long, all from one seed.

Each kind comes once in a random order, then each once again, so that a short run meets as many
kinds as it can.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from services.cli.bench.faults.world import FaultWorld, Victim, send, victim_name

JOURNAL: Final = "JOURNAL_0"
CHOOSE_S: Final = 60.0
"""How long a leader may be missing."""

Way = Literal["kill", "freeze"]
Choice = Callable[[FaultWorld, random.Random], Victim | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of strike. `for_s`: how long a killed process stays away, or a frozen one frozen, at
    least and at most."""

    name: str
    way: Way
    choose: Choice
    for_s: tuple[float, float]


def _stream_leader(world: FaultWorld, _: random.Random) -> Victim | None:
    return world.cluster.stream_leader(JOURNAL)


def _primary(world: FaultWorld, _: random.Random) -> Victim | None:
    return world.cluster.primary()


def _coordinator(world: FaultWorld, chance: random.Random) -> Victim:
    return chance.choice(world.coordinators)


def _runner(world: FaultWorld, chance: random.Random) -> Victim:
    return chance.choice(world.runners)


KINDS: Final = (
    Kind("kill stream leader", "kill", _stream_leader, (0.5, 10)),
    Kind("freeze stream leader", "freeze", _stream_leader, (5, 20)),
    Kind("kill primary", "kill", _primary, (0.5, 10)),
    Kind("freeze primary", "freeze", _primary, (5, 25)),
    Kind("kill coordinator", "kill", _coordinator, (0.5, 10)),
    Kind("freeze coordinator", "freeze", _coordinator, (8, 15)),
    Kind("kill runner", "kill", _runner, (0.5, 10)),
    Kind("freeze runner", "freeze", _runner, (17, 25)),
)
"""A frozen coordinator outlasts its leases (6 s), a frozen runner its tasks (15 s)."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One strike to come."""

    kind: Kind
    for_s: float


def strikes(chance: random.Random) -> Iterator[Strike]:
    """Strikes without end, the same ones for the same seed."""
    while True:
        for kind in chance.sample(KINDS, len(KINDS)):
            yield Strike(kind, round(chance.uniform(*kind.for_s), 1))


async def choose(world: FaultWorld, kind: Kind, chance: random.Random) -> Victim:
    """The process to strike; waits while there is no leader. Raises `TimeoutError`."""
    async with asyncio.timeout(CHOOSE_S):
        while (victim := await asyncio.to_thread(kind.choose, world, chance)) is None:  # noqa: ASYNC110 - servers elect it
            await asyncio.sleep(0.2)
    return victim


async def carry_out(world: FaultWorld, strike: Strike, victim: Victim) -> None:
    """Strike, wait, and let it come back."""
    name = victim_name(victim)
    world.struck.add(name)
    try:
        if strike.kind.way == "freeze":
            send(victim, signal.SIGSTOP)
            await asyncio.sleep(strike.for_s)
            send(victim, signal.SIGCONT)
        else:
            send(victim, signal.SIGKILL)
            await asyncio.sleep(strike.for_s)
            await asyncio.to_thread(victim.start)
    finally:
        world.struck.discard(name)
