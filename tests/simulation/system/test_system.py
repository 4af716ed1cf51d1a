"""The production engine in seeded worlds, and that these worlds would see it broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.system.mutations import MUTATIONS
from tests.simulation.system.undo_mutations import UNDO_MUTATIONS

ROOT = Path(__file__).resolve().parents[3]
SEEDS = int(os.environ.get("HIVE_SIM_SEEDS", "120"))
QUICK = ("states-before-effects", "claims-ignored", "join-of-any", "no-dedup-of-entries")
"""Mutations that a few worlds show."""
FEW, MANY = 60, 500
FAILED_ONCE = (767, 8_391, 14_880)
"""Where the engine dropped a state in use; where a key that had been idle said something by an old
name; where a world was looked at before its end."""


UNDO_FAILED_ONCE = (1, 132, 192, 700, 3_058, 6_388, 13_476)
"""Where a plan that was read again had another template; where what had begun to wait was not
undone; where a step that was drained began to wait; where a sub-workflow was not stored yet;
where a clock that was set back turned the order round."""


def sim(*arguments: str) -> dict[str, Any]:
    """What `hv sim` says, in a process of its own, since hashes must not differ."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.system", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.timeout(0 if SEEDS > 200 else 300)
def test_nothing_is_violated() -> None:
    """In every seeded world every accepted execution ends, and every invariant holds."""
    said = sim("--seeds", str(SEEDS))
    shown = [(f["reproduce"], f["violations"][:3]) for f in said["failed"][:3]]
    assert said["failed"] == [], f"{len(said['failed'])} worlds failed: {shown}"
    assert said["crashes"] > SEEDS / 2
    assert said["starts"] > SEEDS


def test_what_is_rolled_back_is_as_before() -> None:
    """In every world whose executions are rolled back, with crashes amid everything, what is said
    to be undone is, in the right order, and after a complete rollback nothing is left."""
    said = sim("--rollbacks", "--seeds", str(SEEDS // 2))
    shown = [(f["reproduce"], f["violations"][:3]) for f in said["failed"][:3]]
    assert said["failed"] == [], f"{len(said['failed'])} worlds failed: {shown}"
    assert said["crashes"] > SEEDS / 4


@pytest.mark.parametrize("name", sorted(UNDO_MUTATIONS))
def test_a_broken_rollback_is_seen(name: str) -> None:
    """Each defect of rollbacks is caught within a bounded number of seeds."""
    assert sim("--rollbacks", "--mutation", name, "--seeds", str(MANY), "--first")["failed"]


@pytest.mark.parametrize("seed", UNDO_FAILED_ONCE)
def test_what_was_not_undone_once_is(seed: int) -> None:
    """A world of rollbacks that was violated by an earlier version."""
    assert sim("--rollbacks", "--seeds", "1", "--start", str(seed))["failed"] == []


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_what_failed_once_does_not_again(seed: int) -> None:
    """A world that was violated by an earlier version."""
    assert sim("--seeds", "1", "--start", str(seed))["failed"] == []


def test_a_seed_is_one_world() -> None:
    """The same seeds give the same traces, event by event."""
    first, second = (sim("--seeds", "12", "--start", "40") for _ in range(2))
    assert first["traces"] == second["traces"]
    assert sim("--seeds", "12", "--start", "41")["traces"] != first["traces"]


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_engine_is_seen(name: str) -> None:
    """A defect that touches much is caught within a few seeds, which reproduce it."""
    [failed] = sim("--mutation", name, "--seeds", str(FEW), "--first")["failed"]
    assert failed["reproduce"].endswith(f"--start {failed['seed']} --mutation {name}")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(MUTATIONS.keys() - set(QUICK)))
def test_every_broken_engine_is_seen(name: str) -> None:
    """Each deliberate defect is caught within a bounded number of seeds."""
    assert sim("--mutation", name, "--seeds", str(MANY), "--first")["failed"]
