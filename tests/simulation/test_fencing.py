"""Claims, grants and cancellations under seeded trouble: nothing begins once it was ended."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from shared.contracts.claims import ClaimDecision
from shared.memory.bus import MemoryBus
from shared.memory.journal import MemoryJournal
from shared.memory.orders import MemoryOrders
from shared.ports.journal import Journal
from shared.ports.orders import Orders
from shared.workflow.messages import AttemptStarted, Message
from tests.simulation.fencing_world import FencingWorld
from tests.simulation.virtual_time import run_virtually

SEEDS = int(os.environ.get("HIVE_FENCING_SEEDS", "40"))


def test_nothing_begins_after_its_end(tmp_path: Path) -> None:
    """In every seeded world each command begins at most once per attempt, was granted, and not
    after the attempt's end; the trouble does lead to refused claims and to stops."""
    kinds: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = FencingWorld(seed, tmp_path)
        run_virtually(world.run())
        assert world.violations() == [], f"seed {seed}"
        kinds += world.kinds()
    for kind in ("step.revoked", "step.stopping", "step.completed", "execution.failing"):
        assert kinds[kind] > 0, f"no seed led to {kind}"


class _EagerJournal(MemoryJournal):
    """Lets an agent take its own claim for the leave to start."""

    def __init__(self, bus: MemoryBus, decide: Callable[[ClaimDecision], None]) -> None:
        super().__init__(bus)
        self._decide = decide

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        stored = await super().append(execution_id, message, message_id)
        if stored and isinstance(message, AttemptStarted):
            self._decide(
                ClaimDecision(
                    execution_id=execution_id,
                    step=message.step,
                    attempt=message.attempt,
                    leg=message.leg,
                    agent=message.agent,
                    granted=True,
                )
            )
        return stored


class _EagerWorld(FencingWorld):
    def ports(self) -> tuple[Journal, Orders]:
        """A journal that answers at once whatever it is told."""
        orders = MemoryOrders(self.bus)

        def decide(decision: ClaimDecision) -> None:
            self.bus.listeners.decided[decision.agent](decision)

        return _EagerJournal(self.bus, decide), orders


def test_the_simulation_sees_a_start_without_a_grant(tmp_path: Path) -> None:
    """Agents that start on their claim alone are caught within the same seeds."""
    for seed in range(SEEDS):
        world = _EagerWorld(seed, tmp_path)
        run_virtually(world.run())
        if world.violations():
            return
    raise AssertionError(f"{SEEDS} seeds saw nothing")
