"""`hv sim`: what it says, how it ends, and that a seed is named that runs a failure again."""

import json
from pathlib import Path

import pytest

from services.cli.app import main
from services.cli.simulation import is_there


def test_a_world_is_run_and_told_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    """One seed: figures, a trace, nothing violated, exit code 0."""
    assert main(["sim", "--seeds", "1", "--start", "7", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["seeds"], said["start"], said["failed"]) == (1, 7, [])
    assert len(said["traces"]) == 16


def test_a_broken_engine_ends_with_1_and_the_command_that_shows_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A mutation is caught; the seed, what was violated and the command are printed."""
    assert main(["sim", "--seeds", "30", "--first", "--mutation", "claims-ignored"]) == 1
    said = capfd.readouterr().out
    assert "reproduce: ./hv sim --seeds 1 --start " in said
    assert "--mutation claims-ignored" in said


def test_an_unknown_mutation_is_refused_with_the_known_ones(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, and what there is instead."""
    assert main(["sim", "--mutation", "nonsense"]) == 2
    assert "states-before-effects" in capfd.readouterr().err


def test_without_the_tests_it_says_what_is_missing(tmp_path: Path) -> None:
    """An installation without the repository has no simulation."""
    assert not is_there(tmp_path)
