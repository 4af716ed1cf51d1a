"""How long runs, steps and commands take."""

from __future__ import annotations

import random

import pytest

from shared.learning.fold import Fold
from shared.outcomes import lasting
from shared.outcomes.lasting import DurationModel, Lasting, seconds_at
from tests.unit.learning.fold_laws import FoldLaws
from tests.unit.outcomes.made_runs import a_run


class TestLaws(FoldLaws):
    """It keeps the laws of folds."""

    def make(self) -> Fold:
        """A new one."""
        return DurationModel()


def test_each_key_has_its_own() -> None:
    """The run, its step, the step on the agent and the command are told apart."""
    model = DurationModel()
    for n in range(20):
        model.apply(a_run(n, lasted_ms=2_000, agent="a"), n + 1)
        model.apply(a_run(n, lasted_ms=8_000, agent="b", template="backup"), n + 100)
    for key, median in [
        (("run", "rollout"), 2),
        (("step", "rollout", "deploy"), 2),
        (("on", "backup", "deploy", "b"), 8),
    ]:
        (found,) = seconds_at(model.of(*key), (0.5,))
        assert found == pytest.approx(median, rel=0.011)
    assert model.of("command", "shell").count == 40


def test_what_failed_has_no_duration() -> None:
    """How long it takes to fail says nothing of how long it takes."""
    model = DurationModel()
    model.apply(a_run(1, False), 1)
    assert model.kept == {}
    assert seconds_at(model.of("run", "rollout"), (0.5,)) == ()


def test_what_was_long_ago_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two epochs of new durations nothing is left of the old ones."""
    monkeypatch.setattr(lasting, "EPOCH", 50)
    kept = Lasting()
    draw = random.Random(1)
    for _ in range(500):
        kept.add(draw.randint(50_000, 90_000), 1)
    for _ in range(101):
        kept.add(draw.randint(500, 900), 2)
    assert kept.whole.most_ms < 1_000
    assert kept.whole.count <= 100
