"""What may run twice is claimed when it has run for a moment, and stopped if another has it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from services.executor.runner.claiming import MOMENT_S, Claims, LateClaim, Verdict
from services.executor.runner.identity import Held
from shared.contracts.tasks import Task
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.tasks import MemoryTaskFeed


@dataclass
class Journal:
    """Stands for the claims of an agent: gives one verdict, and counts how often it was asked."""

    gives: Verdict
    asked: int = field(default=0)

    async def claim(self, _held: Held) -> Verdict:
        self.asked += 1
        return self.gives


async def _held() -> Held:
    bus = MemoryBus()
    effects = MemoryEffects(bus)
    task = Task(
        execution_id="ex_1",
        template_id="t",
        step="a",
        attempt=1,
        leg=0,
        command="noop",
        parameters={},
        timeout_s=1,
        must_claim=False,
    )
    effects.task("any._", task, again=False)
    await effects.commit()
    feed = MemoryTaskFeed(bus, "agent", [], slots=1)
    await feed.start()
    [delivery] = await feed.take(1)
    return Held(delivery, task)


def _late(journal: Journal, held: Held) -> LateClaim:
    return LateClaim(cast(Claims, journal), held)


async def test_what_is_over_in_a_moment_is_never_claimed() -> None:
    """A run that ends at once reports without a claim, and none follows later."""
    journal, held = Journal(Verdict.RUN), await _held()
    late = _late(journal, held)
    late.stop()
    assert await late.verdict() is Verdict.RUN
    await asyncio.sleep(2 * MOMENT_S)
    assert journal.asked == 0


@pytest.mark.parametrize("verdict", [Verdict.RUN, Verdict.DONE, Verdict.BACK])
async def test_what_takes_longer_is_claimed_once(verdict: Verdict) -> None:
    """A run that goes on is claimed; if another agent has it, it is told to stop and its report
    does not count."""
    journal, held = Journal(verdict), await _held()
    late = _late(journal, held)
    await asyncio.sleep(2 * MOMENT_S)
    late.stop()
    assert await late.verdict() is verdict
    assert journal.asked == 1
    assert held.cancelled.is_set() == (verdict is not Verdict.RUN)
