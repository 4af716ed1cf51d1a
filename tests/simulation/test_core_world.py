"""The pure core under hundreds of seeded worlds; every invariant is checked at every message."""

import os
import traceback

import pytest

from tests.simulation.core_world import CoreWorld

SEEDS = int(os.environ.get("HIVE_SEEDS", "300"))
SEED_START = int(os.environ.get("HIVE_SEED_START", "0"))
MAX_SHOWN = 3


def reproduce(seed: int) -> str:
    """Return the command that runs one seed alone."""
    return (
        f"HIVE_SEED_START={seed} HIVE_SEEDS=1 "
        ".venv/bin/python -m pytest tests/simulation/test_core_world.py -k seeds"
    )


@pytest.mark.timeout(0 if SEEDS > 300 else 120)
def test_seeds() -> None:
    """In every seeded world the execution ends, and every invariant holds on the way."""
    failures = []
    for seed in range(SEED_START, SEED_START + SEEDS):
        try:
            CoreWorld(seed).run()
        except Exception:
            failures.append(f"{traceback.format_exc(limit=-4)}\nreproduce: {reproduce(seed)}\n")
    shown = "\n".join(failures[:MAX_SHOWN])
    assert not failures, f"{len(failures)} of {SEEDS} seeds failed\n{shown}"


def test_a_seed_is_one_world() -> None:
    """The same seed leads to the same history."""
    first, second = CoreWorld(7), CoreWorld(7)
    first.run()
    second.run()
    assert first.history == second.history
