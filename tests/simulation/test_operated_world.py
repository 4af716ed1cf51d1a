"""Operators meddle with hundreds of seeded worlds, and what ended is run again."""

import os
import traceback

from tests.simulation.operated_world import OperatedWorld, RerunWorld

SEEDS = int(os.environ.get("HIVE_SEEDS", "120"))
SEED_START = int(os.environ.get("HIVE_SEED_START", "0"))
MAX_SHOWN = 3


def test_seeds() -> None:
    """Whatever operators do, an execution ends; so does its re-run, and what that keeps stays as
    it was and is not run."""
    failures = []
    kept = marked = 0
    for seed in range(SEED_START, SEED_START + SEEDS):
        try:
            world = OperatedWorld(seed)
            world.run()
            again = RerunWorld(world, seed)
            again.run()
            kept += len(again.sorting.kept)
            marked += len(world.marked)
        except Exception:
            reproduce = f"HIVE_SEED_START={seed} HIVE_SEEDS=1 ./hv test {__file__}"
            failures.append(f"{traceback.format_exc(limit=-4)}\nreproduce: {reproduce}\n")
    shown = "\n".join(failures[:MAX_SHOWN])
    assert not failures, f"{len(failures)} of {SEEDS} seeds failed\n{shown}"
    assert SEEDS < 100 or (kept > SEEDS / 4 and marked > SEEDS / 10), "the worlds show nothing"
