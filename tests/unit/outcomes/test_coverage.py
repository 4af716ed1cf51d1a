"""Intervals hold the truth as often as they say, on histories of which it is known."""

from __future__ import annotations

from services.cli.evaluation_of_outcomes import Kind, measured


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 95 % intervals about 95 % do, with values that matter and templates that change, and they
    are no wider than what little is known asks for; runs of one template stand or fall together,
    so of so few the share is not exact."""
    figures = measured(Kind(runs=400, templates=25), histories=2, seed=7)
    found = figures["intervals"]["all"]
    assert 0.92 <= found["covers"] <= 0.985
    assert found["width"] < 0.6
    assert found["score"] < 0.7
    ours, alone = (figures["all"][way]["brier"] for way in ("ours", "own runs alone"))
    assert ours < alone
