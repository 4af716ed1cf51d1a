"""What goes wrong, when and where: every effect of every process asks here before and after.

All of it follows from the seed. Once it is calm, nothing goes wrong any more.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import dataclass, field
from typing import Final

from shared.memory.faults import Action, Faults, OutageError
from tests.simulation.system.processes import Process, current

_OF_STORE: Final = frozenset({Action.LOAD, Action.WRITE, Action.QUARANTINE})
_TALK: Final = frozenset(
    {Action.DECIDED, Action.STOP, Action.FORGET, Action.CLEAR_TIMER, Action.IN_PROGRESS}
)
"""What is sent once, and lost when it is lost."""
TIMEOUT_S: Final = 2.0
"""How long a caller waits for a server that is away."""


@dataclass(slots=True)
class Climate:
    """How bad it is: chances for each single effect."""

    crash: float = 0.0
    lost_before: float = 0.0
    lost_after: float = 0.0
    talk_lost: float = 0.0
    slow: float = 0.0


@dataclass(slots=True)
class Trace:
    """A digest of everything that happened, in order."""

    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def note(self, *what: object) -> None:
        """Add to it."""
        self._digest.update(repr(what).encode())

    @property
    def value(self) -> str:
        """The digest so far."""
        return self._digest.hexdigest()


class Weather(Faults):
    """The faults of one world."""

    def __init__(self, rng: random.Random, trace: Trace) -> None:
        self._rng = rng
        self._trace = trace
        self.climate = Climate()
        self.store_away_until = 0.0
        self.servers_away_until = 0.0
        self.slow_reads_until = 0.0
        self.crashes = 0

    @classmethod
    def of_seed(cls, rng: random.Random, trace: Trace) -> Weather:
        """A climate of its own for each world; some are nearly calm."""
        weather = cls(rng, trace)
        bad = rng.choice((0.1, 1, 1, 2))
        weather.climate = Climate(
            crash=rng.choice((0.0, 0.002, 0.006)) * bad,
            lost_before=rng.choice((0.0, 0.01)) * bad,
            lost_after=rng.choice((0.0, 0.01, 0.03)) * bad,
            talk_lost=rng.choice((0.0, 0.1, 0.3)),
            slow=rng.choice((0.0, 0.02, 0.1)),
        )
        return weather

    def calm(self) -> None:
        """Nothing goes wrong from now on."""
        self.climate = Climate()
        self.store_away_until = self.servers_away_until = self.slow_reads_until = 0.0

    async def before(self, action: Action, subject: str) -> None:
        """Delay it, prevent it, or let its process die before it."""
        process = current()
        if process is None:
            return
        now = asyncio.get_running_loop().time()
        self._trace.note(round(now, 3), process.name, action.value, subject)
        await process.stands()
        await self._maybe_crash(process)
        await self._outages(process, action)
        if action in _TALK and self._rng.random() < self.climate.talk_lost:
            raise OutageError("lost")
        if self._rng.random() < self.climate.slow:
            await asyncio.sleep(self._rng.choice((0.05, 0.4, 3.0)) * self._rng.random())
            await process.stands()
        if self._rng.random() < self.climate.lost_before:
            await self._time_out("not sent")

    async def after(self, action: Action, subject: str) -> None:
        """Let its process die after it, or not hear that it happened."""
        process = current()
        if process is None:
            return
        await self._maybe_crash(process)
        if action is Action.LOAD and asyncio.get_running_loop().time() < self.slow_reads_until:
            await asyncio.sleep(self._rng.uniform(0, 6))
        if action not in _TALK and self._rng.random() < self.climate.lost_after:
            await self._time_out("not confirmed")

    async def _maybe_crash(self, process: Process) -> None:
        if process.crashes and self._rng.random() < self.climate.crash:
            self.crashes += 1
            self._trace.note("crash", process.name)
            process.kill()
            await asyncio.Event().wait()

    async def _outages(self, process: Process, action: Action) -> None:
        now = asyncio.get_running_loop().time()
        away = self.store_away_until if action in _OF_STORE else self.servers_away_until
        if process.is_cut or now < away:
            if action in _TALK:
                raise OutageError("cut off")
            await self._time_out("away")

    async def _time_out(self, why: str) -> None:
        await asyncio.sleep(self._rng.uniform(0.1, TIMEOUT_S))
        raise OutageError(why)
