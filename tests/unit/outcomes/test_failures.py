"""Failures by what they have in common, and what was done about them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.fold import Fold
from shared.learning.records import RunAttempt, RunRecord, RunStep
from shared.outcomes import failures
from shared.outcomes.failures import FailureModel, Signature, count_name
from shared.outcomes.messages import masked, tokens_of
from shared.outcomes.resolving import Change
from shared.outcomes.viewing import signature_view
from tests.unit.learning.fold_laws import FoldLaws
from tests.unit.outcomes.made_runs import NOW_MS, a_run

HOUR_MS = 3_600_000


class TestLaws(FoldLaws):
    """It keeps the laws of folds."""

    def make(self) -> Fold:
        """A new one."""
        return FailureModel()


def model_of(runs: Iterable[RunRecord]) -> FailureModel:
    model = FailureModel()
    for place, run in enumerate(runs, 1):
        model.apply(run, place)
    return model


def only(model: FailureModel) -> Signature:
    (found,) = model.signatures.values()
    return found


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("connection to 10.0.0.7:5432 refused", "connection to <IP> refused"),
        ("GET https://ann:pw@db.example.org/x failed", "GET <URL> failed"),
        ("password=hunter2 rejected", "password <SECRET> rejected"),
        ("Authorization: Bearer eyJhbGciOi.abc denied", "Authorization <SECRET> denied"),
        ("no such file: /home/ann/.ssh/id_rsa", "no such file: <PATH>"),
        ("user 'ann' is unknown", "user <TEXT> is unknown"),
        ("mail to ann.b@example.org bounced", "mail to <EMAIL> bounced"),
        ("after 30.5 s at 2024-05-06T07:08:09Z", "after <NUM> at <TIME>"),
        ("host web-1.example.org is down", "host <HOST> is down"),
        ("id 123e4567-e89b-12d3-a456-426614174000 gone", "id <ID> gone"),
        ("token has expired", "token has expired"),
        ("exit status 137", "exit status <NUM>"),
    ],
)
def test_values_are_masked(message: str, shown: str) -> None:
    """What varies and what is private becomes a placeholder; the program's words stay."""
    assert masked(message) == shown


@given(st.text(max_size=300))
def test_any_text_can_be_masked(text: str) -> None:
    """Masking never fails, and masking what is masked changes nothing that counts."""
    assert len(tokens_of(text)) <= 40
    assert masked(text) == masked(text)


def test_messages_that_differ_in_values_are_one_signature() -> None:
    """Addresses and numbers do not make another failure; other words do."""
    runs = [
        a_run(n, False, message=f"connection to 10.0.0.{n}:5432 refused after {n} s")
        for n in range(1, 9)
    ]
    runs += [a_run(20, False, message="disk /var is full")]
    model = model_of(runs)
    assert sorted(one.count for one in model.signatures.values()) == [1, 8]


def test_a_word_that_varies_becomes_a_value() -> None:
    """The pattern keeps what its messages share."""
    names = ("alpha", "beta", "gamma", "delta")
    runs = [a_run(n, False, message=f"unit {name} entered failed state") for n, name in
            enumerate(names)]  # fmt: skip
    model = model_of(runs)
    assert model.pattern(only(model)) == "unit <*> entered failed state"


def test_where_and_when_it_occurs() -> None:
    """Steps, agents, values of parameters, hours and days are counted."""
    at_ms = NOW_MS - NOW_MS % failures.DAY_MS + 3 * HOUR_MS
    runs = [
        a_run(n, False, agent="bad", at_ms=at_ms + n, parameters={"region": "us"}) for n in range(3)
    ]
    found = only(model_of(runs))
    assert found.steps == {"rollout/deploy": 3}
    assert found.agents == {"bad": 3}
    assert found.values == {'region="us"': 3}
    assert found.hours[3] == 3
    assert found.days == {at_ms // failures.DAY_MS: 3}


def test_a_value_that_one_user_gave_is_not_shown() -> None:
    """Whoever else has the same failure: a value is shown once a second user has used it."""
    runs = [
        a_run(1, False, by="ann", parameters={"host": "secret-1"}),
        a_run(2, False, by="bob", parameters={"host": "web-1"}),
        a_run(3, False, by="eve", parameters={"host": "web-1"}),
    ]
    model = model_of(runs)
    assert [one.name for one in signature_view(only(model), model).values] == ['host="web-1"']


def test_a_new_failure_is_matched() -> None:
    """With its code or without; what is like nothing known is matched with nothing."""
    model = model_of([a_run(n, False, message=f"port {n} is taken") for n in range(3)])
    assert model.match("port 99 is taken", "failed") is not None
    assert model.match("port 99 is taken") is not None
    assert model.match("port 99 is taken", "lost") is None
    assert model.match("the moon is made of cheese") is None


def test_matching_learns_nothing() -> None:
    """Whatever is asked, the model stays as it is."""
    model = model_of([a_run(1, False)])
    before = model.save()
    model.match("never seen before", "failed")
    assert model.save() == before


def resumed(number: int, well: bool, **given: Any) -> RunRecord:
    return a_run(number, well, at_ms=NOW_MS + number * HOUR_MS, **given)


def done(model: FailureModel) -> dict[Change, tuple[int, int]]:
    return {change: (one.tried, one.helped) for change, one in only(model).done.items()}


def test_a_rerun_that_passed_resolved_it() -> None:
    """Nothing differs: it was done again, and that helped."""
    model = model_of([a_run(1, False), resumed(2, True, resumed_from="rollout-1")])
    assert done(model) == {Change("again"): (1, 1)}


def test_a_rerun_that_failed_likewise_did_not_help() -> None:
    """It was tried; the failure that it is itself is what the next one answers."""
    model = model_of(
        [
            a_run(1, False),
            resumed(2, False, resumed_from="rollout-1"),
            resumed(3, True, resumed_from="rollout-2", template_version="1.0.1"),
        ]
    )
    assert done(model) == {Change("again"): (1, 0), Change("version", "1.0.1"): (1, 1)}
    ((change, one),) = only(model).helpful()
    assert (change.kind, one.run) == ("version", "rollout-3")


def test_what_differs_is_what_was_done() -> None:
    """Other values of parameters and another agent for the step that had failed."""
    model = model_of(
        [
            a_run(1, False, parameters={"region": "us", "size": 3}),
            resumed(
                2, True, resumed_from="rollout-1", agent="b", parameters={"region": "eu", "size": 3}
            ),
        ]
    )
    assert done(model) == {
        Change("parameter", "region", '"eu"'): (1, 1),
        Change("agent", "b"): (1, 1),
    }


def test_a_step_that_a_person_marked() -> None:
    """The step that had failed completed without any attempt."""
    steps = (RunStep(step="deploy", command="shell", status="completed", attempts=0),)
    model = model_of(
        [a_run(1, False), resumed(2, True, resumed_from="rollout-1", attempts=(), steps=steps)]
    )
    assert done(model) == {Change("marked", "completed"): (1, 1)}


def test_a_workflow_in_between() -> None:
    """Another workflow ran on the same host, and after it the run passed."""
    on: dict[str, Any] = {"parameters": {"host": "web-1"}}
    model = model_of(
        [
            a_run(1, False, **on),
            resumed(2, True, template="free-disk", **on),
            resumed(3, True, template="elsewhere", parameters={"host": "web-9"}),
            resumed(4, True, **on),
        ]
    )
    assert done(model) == {Change("workflow", "free-disk"): (1, 1)}


def test_a_run_elsewhere_answers_nothing() -> None:
    """The same template on another target, or long after, says nothing about a failure."""
    failed = a_run(1, False, parameters={"host": "web-1"})
    elsewhere = resumed(2, True, parameters={"host": "web-2"})
    later = resumed(30, True, parameters={"host": "web-1"})
    assert done(model_of([failed, elsewhere, later])) == {}


def test_what_people_wrote_is_not_mined() -> None:
    """The reason of a mark is nobody else's."""
    attempts = (
        RunAttempt(
            step="deploy", outcome="failed", code="marked_failed", message="Ann is on leave"
        ),
    )
    model = model_of([a_run(1, False, attempts=attempts)])
    assert "Ann" not in model.pattern(only(model)) + only(model).example
    assert b"Ann" not in zlib.decompress(model.save())


def test_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signatures that were seen longest ago give way."""
    monkeypatch.setattr(failures, "MAX_SIGNATURES", 20)
    words = [f"{a}{b}" for a in "abcdefgh" for b in "klmnopqr"]
    runs = [
        a_run(n, False, message=f"{word} {word} went wrong", at_ms=NOW_MS + n)
        for n, word in enumerate(words)
    ]
    model = model_of(runs)
    assert len(model.signatures) <= 20
    assert model.signatures.keys() == model.drain.patterns.keys()
    assert model.match("hr hr went wrong") is not None
    assert model.match("ak ak went wrong") is None


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=200))
def test_frequent_names_stay(names: list[str]) -> None:
    """Whoever makes up more than one of every `MAX_NAMES` is among those that are kept."""
    counts: dict[str, float] = {}
    for name in names:
        count_name(counts, name)
    assert len(counts) <= failures.MAX_NAMES
    assert sum(counts.values()) == len(names)
    for name in set(names):
        assert name in counts or names.count(name) <= len(names) / failures.MAX_NAMES
