"""Confidence follows how often it was right."""

import random

from shared.learning.calibration import Calibrator
from shared.learning.scores import Outcome, scores_of


def test_overconfidence_is_corrected() -> None:
    """Who says 0.9 and is right half of the time is soon believed half."""
    calibrator, draw = Calibrator(), random.Random(1)
    for _ in range(600):
        calibrator.learn(0.9, draw.random() < 0.5)
    assert 0.4 < calibrator.confidence(0.9) < 0.6


def test_what_is_right_is_left_alone() -> None:
    """Where confidence is true already, it stays so, at every height."""
    calibrator, draw, outcomes = Calibrator(), random.Random(2), []
    for _ in range(6000):
        said = draw.random()
        right = draw.random() < said
        outcomes.append(Outcome(int(right), calibrator.confidence(said)))
        calibrator.learn(said, right)
    assert scores_of(outcomes).ece < 0.03


def test_at_first_it_believes() -> None:
    """Before anything was learned, confidence is what the ranker says."""
    assert abs(Calibrator().confidence(0.3) - 0.3) < 1e-9
    for said in (0.0, 1.0):
        assert 0 <= Calibrator().confidence(said) <= 1
