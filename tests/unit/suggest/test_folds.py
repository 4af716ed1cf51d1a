"""What is learned of runs, feedback and sessions are folds that keep the laws of folds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.learning.fold import Fold
from shared.learning.records import Feedback, RunRecord
from shared.suggest.experience import K_USERS, ExperienceFold
from shared.suggest.feedback import MOST_OF_ONE, MOST_WEIGHT, FeedbackFold, Label, weights_of
from shared.suggest.sessions import SessionsFold
from tests.unit.learning.fold_laws import FoldLaws


class TestExperience(FoldLaws):
    def make(self) -> Fold:
        return ExperienceFold()


class TestFeedback(FoldLaws):
    def make(self) -> Fold:
        return FeedbackFold()


class TestSessions(FoldLaws):
    def make(self) -> Fold:
        return SessionsFold()


def a_run(number: int, by: str, status: str = "completed", **parameters: str | int) -> RunRecord:
    return RunRecord.model_validate(
        {
            "id": f"ex_{number}",
            "at_ms": 10_000 + number,
            "template_id": "rollout",
            "template_version": "1.0.0",
            "status": status,
            "by": by,
            "created_at_ms": 1_000,
            "started_at_ms": 2_000,
            "parameters": parameters,
        }
    )


def said(number: int, verdict: str = "accepted", user: str = "ann", **more: object) -> Feedback:
    return Feedback.model_validate(
        {
            "id": f"f{number}",
            "at_ms": number,
            "user": user,
            "suggestion_id": f"sgt_{number}",
            "verdict": verdict,
            "kind": "workflow",
            "suggested": "incident",
            "text": f"text {number}",
            **more,
        }
    )


def test_values_of_others_are_told_once_enough_people_used_them() -> None:
    """A value that one person used is told to that person alone; from `K_USERS` on to all."""
    fold = ExperienceFold()
    for number in range(5):
        fold.apply(a_run(number, "ann", host="db-1"), number)
    assert fold.shared_values("rollout", "host", "bob") == []
    assert fold.own_values("rollout", "host", "bob") == []
    assert [v for v, _ in fold.own_values("rollout", "host", "ann")] == ["db-1"]
    assert K_USERS == 2
    fold.apply(a_run(9, "bob", host="db-1"), 9)
    assert [v for v, _ in fold.shared_values("rollout", "host", "eve")] == ["db-1"]


def test_values_of_failed_runs_are_not_remembered() -> None:
    """Only what led to an end that was wanted is worth filling in again."""
    fold = ExperienceFold()
    fold.apply(a_run(1, "ann", "failed", host="db-1"), 1)
    fold.apply(a_run(2, "ann", "cancelled", host="db-2"), 2)
    assert fold.own_values("rollout", "host", "ann") == []
    assert fold.shared_values("rollout", "host", "ann") == []


def test_similar_runs_are_those_that_speak_of_the_same() -> None:
    """Runs are found by the words of their values, and only their ids are told."""
    fold = ExperienceFold()
    fold.apply(a_run(1, "ann", title="Checkout database answers slowly"), 1)
    fold.apply(a_run(2, "ann", title="Certificates of the mail relay expire"), 2)
    found = fold.similar("rollout", "the checkout database is slow again", 3)
    assert [run.id for run, _ in found] == ["ex_1"]


@given(st.lists(st.sampled_from(["ann", "bob", "eve"]), max_size=400))
@settings(max_examples=30)
def test_one_user_weighs_little_in_the_collective(users: list[str]) -> None:
    """All examples of one user together never weigh more than `MOST_WEIGHT` first ones."""
    labels = tuple(Label(user, f"t{n}", "x", "", n) for n, user in enumerate(users))
    weights = weights_of(labels)
    for user in set(users):
        mine = [w for w, one in zip(weights, labels, strict=True) if one.user == user]
        assert sum(mine) <= MOST_WEIGHT + 1e-9
        assert mine[0] > 0


def test_labels_of_one_user_are_bounded_and_count_once_a_text() -> None:
    """The newest remain; what was said last of a text counts."""
    fold = FeedbackFold()
    for number in range(MOST_OF_ONE + 50):
        fold.apply(said(number), number)
    assert len(fold.labels) == MOST_OF_ONE
    again = said(9_001, "edited", text=fold.labels[-1].text, chosen="maintenance")
    fold.apply(again, 9_001)
    assert len(fold.labels) == MOST_OF_ONE
    assert fold.labels[-1].template == "maintenance"


def test_refused_as_a_whole_is_an_example_of_nothing() -> None:
    """A dismissal alone says nothing of the text; with `nothing_fits` it does."""
    fold = FeedbackFold()
    fold.apply(said(1, "dismissed"), 1)
    assert list(fold.labels) == []
    fold.apply(said(2, "dismissed", nothing_fits=True), 2)
    assert [one.template for one in fold.labels] == [None]


def test_confidence_follows_what_is_said_and_no_user_moves_it_far() -> None:
    """Accepted suggestions raise a basis, dismissed ones lower it, within a bound."""
    fold = FeedbackFold()
    for number in range(40):
        fold.apply(said(number, "dismissed", user=f"u{number}"), number)
    assert fold.moved("text", 0.5, "x") < 0.35
    assert fold.moved("steps", 0.5, "x") == pytest.approx(0.5)
    alone = FeedbackFold()
    for number in range(5_000):
        alone.apply(said(number, "dismissed", user="eve"), number)
    assert alone.moved("text", 0.5, "x") > 0.17
    assert alone.moved("text", 0.5, "eve", "incident") < alone.moved("text", 0.5, "x", "incident")
