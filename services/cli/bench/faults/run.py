"""One run: load all the time, one strike after another, and at the end the verdict.

The time to recover is taken from each strike to the end of probes that were asked for right after
it, enough of them to have some in every partition.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from services.cli.bench.faults import ledger
from services.cli.bench.faults.load import Endings, Load
from services.cli.bench.faults.strikes import Strike, carry_out, choose, strikes
from services.cli.bench.faults.verdict import Verdict, judge
from services.cli.bench.faults.world import FaultWorld, fault_world, victim_name
from shared.adapters.mongo.connection import Mongo
from shared.adapters.nats.connection import Bus, connect
from shared.workflow.definition import Template

PROBES: Final = 64
PER_S: Final = 2.0
REST_S: Final = 3.0
RECOVER_S: Final = 120.0
"""A run that has not recovered from a strike after so long ends."""

Report = Callable[[str], None]


class NotRecoveredError(Exception):
    """After a strike the system did not go on."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A strike that was carried out, and how long it took until all went on."""

    kind: str
    victim: str
    for_s: float
    recovered_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave."""

    seed: int
    seconds: float
    accepted: int
    tried_again: int
    restarts: int
    struck: tuple[Struck, ...]
    verdict: Verdict
    undisturbed_s: float = 0.0

    def figures(self) -> dict[str, Any]:
        """For JSON and for the table."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "accepted": self.accepted,
            "requests_tried_again": self.tried_again,
            "processes_restarted": self.restarts,
            "strikes": len(self.struck),
            "undisturbed_s": self.undisturbed_s,
            "recovery_s": self.recovery_s(),
            "lost_and_said_so": self.verdict.lost_steps,
            "problems": len(self.verdict.problems),
        }

    def recovery_s(self) -> dict[str, dict[str, float]]:
        """Count, median and maximum by kind of strike."""
        kinds = dict.fromkeys(one.kind for one in self.struck)
        return {
            kind: _spread([s.recovered_s for s in self.struck if s.kind == kind]) for kind in kinds
        }

    def record(self) -> dict[str, Any]:
        """Everything, each strike and each problem too."""
        strikes_ = [asdict(one) for one in self.struck]
        return self.figures() | {"each": strikes_, "told": self.verdict.problems}


@dataclass
class Bench:
    """A world with everything that a run needs of it."""

    world: FaultWorld
    load: Load
    endings: Endings
    bus: Bus
    report: Report
    undisturbed_s: float = 0.0
    """What the probes take while nothing is struck."""


async def run(home: Path, *, seconds: float, seed: int, report: Report) -> Outcome:
    """Run in `home`, a new folder. Raises `NotRecoveredError`."""
    report("starting three nats-servers, three mongods, a gateway, coordinators and runners")
    async with _bench(home, report) as bench:
        started = time.monotonic()
        struck = await _strike_under_load(bench, seconds, seed)
        report(f"waiting for the ends of {len(bench.load.accepted)} workflows")
        verdict = await judge(bench.load.accepted, bench.endings, bench.bus, bench.world.book)
        return Outcome(
            seed=seed,
            seconds=time.monotonic() - started,
            accepted=len(bench.load.accepted),
            tried_again=bench.load.tried_again,
            restarts=bench.world.restarts,
            struck=tuple(struck),
            verdict=verdict,
            undisturbed_s=bench.undisturbed_s,
        )


@asynccontextmanager
async def _bench(home: Path, report: Report) -> AsyncIterator[Bench]:
    async with fault_world(home) as world, world.client() as client:
        mongo = Mongo(world.cluster.mongo_url)
        bus = await connect(world.cluster.nats_url("admin"), "bench faults")
        try:
            for template in (ledger.ledger_template(world.book), ledger.probe_template()):
                await _store(client, template)
            yield Bench(world, Load(client, PER_S), Endings(mongo), bus, report)
        finally:
            await bus.close()
            await mongo.close()


async def _store(client: httpx.AsyncClient, template: Template) -> None:
    body = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    answer = await client.post("/api/v1/workflows/templates", json=body)
    answer.raise_for_status()


async def _strike_under_load(bench: Bench, seconds: float, seed: int) -> list[Struck]:
    loading = asyncio.create_task(bench.load.run())
    tending = asyncio.create_task(bench.world.tend())
    striking = asyncio.create_task(_strike(bench, seconds, seed))
    try:
        await asyncio.wait({striking, loading, tending}, return_when=asyncio.FIRST_COMPLETED)
        for endless in (loading, tending):
            if endless.done():
                endless.result()
        return await striking
    finally:
        for task in (striking, loading, tending):
            task.cancel()
        await asyncio.gather(striking, loading, tending, return_exceptions=True)


async def _strike(bench: Bench, seconds: float, seed: int) -> list[Struck]:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be unforeseeable
    until = time.monotonic() + seconds
    struck: list[Struck] = []
    began = time.monotonic()
    await _recovered(bench)
    bench.undisturbed_s = round(time.monotonic() - began, 2)
    for strike in strikes(chance):
        if time.monotonic() >= until:
            break
        struck.append(await _one(bench, strike, chance))
        await asyncio.sleep(REST_S)
    return struck


async def _one(bench: Bench, strike: Strike, chance: random.Random) -> Struck:
    victim = await choose(bench.world, strike.kind, chance)
    name = victim_name(victim)
    began = time.monotonic()
    carrying = asyncio.create_task(carry_out(bench.world, strike, victim))
    await asyncio.sleep(0)  # so that the probes come after it
    try:
        await _recovered(bench)
    except TimeoutError as error:
        raise NotRecoveredError(
            f"{strike.kind.name} ({name}): not within {RECOVER_S:g} s"
        ) from error
    finally:
        took = time.monotonic() - began
        with suppress(OSError):
            await carrying
    bench.report(f"{strike.kind.name} ({name}, {strike.for_s:g} s): went on after {took:.1f} s")
    return Struck(strike.kind.name, name, strike.for_s, round(took, 2))


async def _recovered(bench: Bench) -> None:
    """Return when probes that are asked for now have ended. Raises `TimeoutError`."""
    async with asyncio.timeout(RECOVER_S):
        asked = [bench.load.ask(ledger.PROBE) for _ in range(PROBES)]
        await bench.endings.wait(await asyncio.gather(*asked))


def _spread(values: list[float]) -> dict[str, float]:
    median = round(statistics.median(values), 2)
    return {"count": len(values), "median": median, "max": max(values)}
