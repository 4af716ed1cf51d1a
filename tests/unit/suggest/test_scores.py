"""Figures about answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.suggest.scores import Judged, calibration_error, scores_of


def test_the_figures_of_a_small_case() -> None:
    """Counted by hand: four answers, of which three are right."""
    scores = scores_of(
        [
            Judged("a", "a", 0.9),
            Judged("a", "b", 0.6),
            Judged(None, None, 0.8),
            Judged("b", "b", 1.0),
        ]
    )
    assert scores.n == 4
    assert scores.acc1 == 0.75
    assert scores.macro == pytest.approx((0.5 + 1 + 1) / 3)
    assert scores.ece == pytest.approx((0.1 + 0.6 + 0.2 + 0.0) / 4)
    assert (scores.nothing_precision, scores.nothing_recall) == (1.0, 1.0)


def test_what_was_neither_asked_nor_said_has_no_figure() -> None:
    """A share of nothing is not zero."""
    scores = scores_of([Judged("a", "a", 0.5)])
    assert (scores.nothing_precision, scores.nothing_recall) == (None, None)


def test_no_answers_have_no_figures() -> None:
    """An empty file is an error, not a score of zero."""
    with pytest.raises(ValueError, match="nothing to judge"):
        scores_of([])


def test_being_as_sure_as_right_is_no_error() -> None:
    """Half of the answers given with 0.5 are right."""
    assert calibration_error([0.5] * 10, [True, False] * 5) == pytest.approx(0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_the_error_is_a_share(answers: list[tuple[float, bool]]) -> None:
    """Whatever is answered, the error lies between 0 and 1."""
    sure, right = zip(*answers, strict=True)
    assert -1e-9 <= calibration_error(sure, right) <= 1 + 1e-9
