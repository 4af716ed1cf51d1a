"""How likely something is to succeed: examples, and what always holds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.learning.fold import Fold
from shared.learning.records import RunAttempt, RunRecord
from shared.outcomes.believing import Beliefs, apart, moved
from shared.outcomes.success import SuccessModel
from tests.unit.learning.fold_laws import FoldLaws
from tests.unit.outcomes.made_runs import DAY_MS, NOW_MS, a_run

RUNS = st.lists(
    st.tuples(
        st.sampled_from(["rollout", "backup", "audit"]),
        st.booleans(),
        st.sampled_from(["agent-a", "agent-b"]),
        st.integers(0, 200),
    ),
    max_size=40,
)
CATEGORIES = {"rollout": "maintenance", "backup": "maintenance", "audit": "security"}


class TestLaws(FoldLaws):
    """It keeps the laws of folds."""

    def make(self) -> Fold:
        """A new one."""
        return SuccessModel()


def model_of(runs: Iterable[RunRecord]) -> SuccessModel:
    model = SuccessModel()
    for place, run in enumerate(runs, 1):
        model.apply(run, place)
    return model


def made(runs: list[tuple[str, bool, str, int]]) -> list[RunRecord]:
    return [
        a_run(
            number, well, template, category=CATEGORIES[template], agent=agent,
            at_ms=NOW_MS - age * DAY_MS,
        )
        for number, (template, well, agent, age) in enumerate(runs)
    ]  # fmt: skip


def beliefs(runs: Iterable[RunRecord]) -> Beliefs:
    return Beliefs(model_of(runs), NOW_MS)


def test_what_never_ran_is_assumed_and_says_so() -> None:
    """Without any run all of the belief is the assumption."""
    found = beliefs(()).template("rollout")
    assert found.levels[0].runs == 0
    assert found.levels[-1].level == "assumed"
    assert found.levels[-1].share == 1.0


def test_what_never_ran_is_as_its_category() -> None:
    """A template without runs is believed to be as others of its category."""
    runs = [a_run(n, n % 10 != 0, f"fine-{n % 8}") for n in range(200)]
    runs += [a_run(n, n % 2 == 0, f"bad-{n % 8}", category="security") for n in range(200)]
    known = beliefs(runs)
    assert known.template("new", "maintenance").belief.mean == pytest.approx(0.9, abs=0.04)
    assert known.template("new", "security").belief.mean == pytest.approx(0.5, abs=0.06)


def test_its_own_runs_come_to_count_most() -> None:
    """With many runs of its own a template leans on nothing else."""
    runs = [a_run(n, n % 2 == 0) for n in range(300)] + [
        a_run(n, True, "backup") for n in range(50)
    ]
    found = beliefs(runs).template("rollout")
    assert found.levels[0].level == "template"
    assert found.levels[0].share > 0.95
    assert found.belief.mean == pytest.approx(0.5, abs=0.02)


def test_one_template_is_not_the_category() -> None:
    """However often one template runs, another one leans on it only so much."""
    runs = [a_run(n, False, "broken") for n in range(1_000)]
    runs += [a_run(n, True, f"fine-{n}") for n in range(6) for _ in range(5)]
    assert beliefs(runs).template("new", "maintenance").belief.mean > 0.6


def test_the_latest_runs_count_most() -> None:
    """What was mended is believed to work before it has run as often as it failed."""
    runs = [a_run(n, False, at_ms=NOW_MS - 200 * DAY_MS) for n in range(60)]
    runs += [a_run(60 + n, True, at_ms=NOW_MS - n * DAY_MS) for n in range(20)]
    assert beliefs(runs).template("rollout").belief.mean > 0.8


def test_cancelled_runs_and_rollbacks_say_nothing() -> None:
    """Neither is a run that went well or badly."""
    runs = [a_run(1, status="cancelled"), a_run(2, False, rollback_of="x")]
    assert beliefs(runs).template("rollout").levels[0].runs == 0


def test_an_agent_that_fails_more_often_is_told_from_a_step_that_does() -> None:
    """Two agents run the same step; the one that fails gets a factor, the other none."""
    runs = [a_run(n, n % 20 != 0, agent="good") for n in range(200)]
    runs += [a_run(300 + n, n % 2 == 0, agent="bad") for n in range(40)]
    known = beliefs(sorted(runs, key=lambda run: run.id[::-1]))
    assert known.factor("bad").odds > 1.8
    assert known.factor("good").odds < 1.1
    assert known.factor("never seen").odds == 1.0
    elsewhere = [known.on_agent("other", "deploy", name, "shell").mean for name in ("good", "bad")]
    assert elsewhere[0] > elsewhere[1]


def test_a_value_that_matters_is_found() -> None:
    """Runs in one region fail; that is found, a value that makes no difference is not."""
    runs = [
        a_run(n, n % 4 != 0, parameters={"region": "eu" if n % 4 else "us", "size": n % 3})
        for n in range(60)
    ]
    found = {one.effect.value: one.effect for one in beliefs(runs).values("rollout")}
    assert set(found) == {'"eu"', '"us"'}
    assert sum(one.odd for one in found.values()) + found['"us"'].each > 0.99
    assert found['"us"'].own.mean < 0.35
    assert found['"eu"'].own.mean > 0.9


def test_a_value_counts_as_far_as_it_is_believed_to_matter() -> None:
    """The more runs with it fail, the likelier it matters; with one failure it hardly does."""
    runs = [a_run(n, parameters={"region": "eu"}) for n in range(20)]
    believed = []
    for failed in (1, 3, 6):
        some = [a_run(100 + n, False, parameters={"region": "us"}) for n in range(failed)]
        (value,) = [
            v.effect for v in beliefs([*runs, *some]).values("rollout") if v.effect.value == '"us"'
        ]
        believed.append(value.matters)
    assert believed[0] < 0.6 < believed[1] < believed[2]


def test_what_changed_is_believed_to_have_changed() -> None:
    """After many good runs the latest ten failed; and the other way round. What ended so here and
    there is not taken for a change."""
    fell = [a_run(n, n < 90, at_ms=NOW_MS + n) for n in range(100)]
    rose = [a_run(n, n >= 90, at_ms=NOW_MS + n) for n in range(100)]
    even = [a_run(n, n % 10 != 0, at_ms=NOW_MS + n) for n in range(100)]
    for runs, at_most, at_least in ((fell, 0.25, 0.0), (rose, 1.0, 0.75), (even, 0.95, 0.85)):
        assert at_least <= beliefs(runs).lately("rollout").mean <= at_most


def test_a_value_that_one_user_gave_is_not_shared() -> None:
    """A value may be shown once a second user has used it."""
    runs = [a_run(n, n % 2 == 0, parameters={"to": "a" if n % 2 else "b"}) for n in range(60)]
    assert not any(one.shared for one in beliefs(runs).values("rollout"))
    runs.append(a_run(100, True, parameters={"to": "b"}, by="bob"))
    assert {one.effect.value: one.shared for one in beliefs(runs).values("rollout")} == {
        '"a"': False,
        '"b"': True,
    }


def test_attempts_that_nobody_took_or_that_were_lost_are_no_failures() -> None:
    """They are counted apart."""
    attempts = (
        RunAttempt(step="deploy", command="shell", outcome="failed", code="no_agent"),
        RunAttempt(step="deploy", attempt=2, command="shell", agent="a", outcome="lost"),
        RunAttempt(step="deploy", attempt=3, command="shell", agent="a", outcome="completed"),
    )
    counts = model_of([a_run(1, attempts=attempts)]).steps["rollout", "deploy"]
    assert (counts.counts["ended"], counts.counts["failed"]) == (1, 0)
    assert (counts.counts["absent"], counts.counts["lost"]) == (1, 1)


@settings(max_examples=200)
@given(RUNS, st.sampled_from(["rollout", "backup"]), st.integers(0, 100))
def test_one_more_failure_never_raises_it(
    runs: list[tuple[str, bool, str, int]], template: str, age: int
) -> None:
    """Whatever was seen: after one more failure of a template, nothing is believed more likely to
    succeed than before, neither it nor another one, nor its step."""
    before = beliefs(made(runs))
    after = beliefs(made([*runs, (template, False, "agent-a", 0)]))
    for name, category in CATEGORIES.items():
        was, now = (each.template(name, category).belief.mean for each in (before, after))
        assert now <= was + 1e-9
    was, now = (each.step(template, "deploy", "shell").belief.mean for each in (before, after))
    assert now <= was + 1e-9


@given(RUNS)
def test_without_runs_it_is_as_its_parent(runs: list[tuple[str, bool, str, int]]) -> None:
    """A template that never ran is believed to be as its category would be, and less surely than
    anything that it leans on; with few runs it stays between both."""
    known = beliefs(made(runs))
    parent = known.template("new", "maintenance").belief
    failed = beliefs([*made(runs), a_run(900, False, "new")]).template("new", "maintenance").belief
    assert 0 < failed.mean < parent.mean
    assert parent.weight <= 6.0 + 1e-9


@given(RUNS)
def test_shares_are_shares(runs: list[tuple[str, bool, str, int]]) -> None:
    """What each level contributes sums to all of it."""
    levels = beliefs(made(runs)).template("rollout", "maintenance").levels
    assert sum(one.share for one in levels) == pytest.approx(1.0)


@given(st.floats(0.01, 0.99), st.floats(0.2, 5))
def test_a_factor_moves_the_odds(rate: float, factor: float) -> None:
    """A factor of 1 changes nothing, above it succeeds less often."""
    assert moved(rate, 1.0) == pytest.approx(rate)
    assert (moved(rate, factor) <= rate) == (factor >= 1) or factor == pytest.approx(1)


@given(st.integers(0, 50), st.integers(0, 50))
def test_groups_without_cases_are_never_apart(good: int, bad: int) -> None:
    """Where one of two groups has no case, nothing speaks for a rate of its own."""
    assert apart((good, bad), (0, 0)) == pytest.approx(0.0, abs=1e-9)
