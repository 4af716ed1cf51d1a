"""Fleets under seeded worlds: every template has some, and the directory, agents and people
misbehave. What must be true is in `fleet_checks`, and holds at every event."""

from __future__ import annotations

import random
from collections import Counter

from shared.workflow.definition import Template
from tests.simulation.core_flow import make_fleets
from tests.simulation.core_templates import random_template
from tests.simulation.core_world import CoreWorld

SEEDS = 60


def _with_fleets(rng: random.Random) -> Template:
    """A random template whose commands run on fleets, most of them."""
    made = random_template(rng).model_dump(mode="json", by_alias=True, exclude_unset=True)
    make_fleets(rng, made, share=0.8)
    return Template.model_validate(made)


class FleetWorld(CoreWorld):
    """A world whose template is about fleets."""

    make_template = staticmethod(_with_fleets)


def test_seeds() -> None:
    """In every world batches, canaries, budgets, gates and counts are as they must be, and all
    that fleets can do is seen."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = FleetWorld(seed)
        try:
            world.run()
        except Exception as error:
            raise AssertionError(f"FleetWorld({seed}).run() fails") from error
        seen.update(event.type for kept in world.history for event in kept.events)
    for kind in ("targeting", "targeted", "batch_started", "batch_ended", "fleet_stopped"):
        assert seen[f"step.{kind}"] > 0, f"no seed leads to step.{kind}"
