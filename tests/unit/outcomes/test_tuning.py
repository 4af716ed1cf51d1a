"""What would run better, and by how much: one example for each rule, and when none applies."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.fold import Fold
from shared.learning.records import RunAttempt, RunRecord
from shared.outcomes.changing import CannotChangeError, changed, next_version, setting_of
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import SuccessModel
from shared.outcomes.trials import TrialModel, crowded
from shared.outcomes.tuning import Evidence, Proposal, proposals, rounded_up, saved_by_twice
from shared.workflow.definition import Template
from tests.unit.learning.fold_laws import FoldLaws
from tests.unit.outcomes.made_runs import NOW_MS, a_run


class TestLaws(FoldLaws):
    """The model of trials keeps the laws of folds."""

    def make(self) -> Fold:
        """A new one."""
        return TrialModel()


def a_template(policies: dict[str, Any] | None = None, **step: Any) -> Template:
    return Template.model_validate(
        {
            "id": "rollout",
            "name": "Roll out",
            "steps": [{"id": "deploy", "command": "shell", **step}],
            "policies": policies or {},
        }
    )


def learned(runs: Iterable[RunRecord]) -> Evidence:
    success, durations, trials = SuccessModel(), DurationModel(), TrialModel()
    for place, run in enumerate(runs, 1):
        for model in (success, durations, trials):
            model.apply(run, place)
    return Evidence(success, durations, trials, NOW_MS)


def found(template: Template, runs: Iterable[RunRecord]) -> Proposal | None:
    several = proposals(template, learned(runs))
    assert len(several) <= 1
    return several[0] if several else None


def tried(number: int, outcomes: str, **given: Any) -> RunRecord:
    """A run whose attempts at its step ended so: `c`ompleted, `f`ailed."""
    attempts = tuple(
        RunAttempt(
            step="deploy",
            attempt=n,
            command="shell",
            agent="a",
            started_at_ms=NOW_MS - 1_000,
            ended_at_ms=NOW_MS,
            outcome="completed" if outcome == "c" else "failed",
            code="" if outcome == "c" else "failed",
        )
        for n, outcome in enumerate(outcomes, 1)
    )
    return a_run(number, outcomes.endswith("c"), attempts=attempts, **given)


def test_without_runs_nothing_is_proposed() -> None:
    """What nobody ran cannot be tuned."""
    assert found(a_template(), []) is None


def test_a_timeout_that_is_far_too_long() -> None:
    """All attempts take about two seconds, the timeout is five minutes."""
    one = found(a_template(), [a_run(n, lasted_ms=2_000) for n in range(60)])
    assert one is not None
    assert (one.setting, one.current, one.proposed) == ("timeout_s", 300.0, 6.0)
    assert one.gain.measure == "seconds"
    assert "60 attempts completed" in one.evidence[0]


def test_a_timeout_that_few_runs_speak_against_stays() -> None:
    """Twenty runs are not enough to say how long the longest takes."""
    assert found(a_template(), [a_run(n, lasted_ms=2_000) for n in range(20)]) is None


def test_a_timeout_that_is_too_short() -> None:
    """Every tenth attempt times out at 10 s, and the others come close to that."""
    draw = random.Random(1)
    runs = [
        a_run(n, n % 10 != 0, code="timeout", lasted_ms=int(draw.uniform(4_000, 9_900)))
        for n in range(100)
    ]
    one = found(a_template(timeout_s=10), runs)
    assert one is not None
    assert (one.setting, one.current, one.proposed) == ("timeout_s", 10.0, 20.0)
    assert one.gain.before == pytest.approx(0.1, abs=0.01)
    assert one.gain.low <= one.gain.after <= one.gain.high < one.gain.before


def test_another_try_where_it_helps() -> None:
    """Of 50 first tries that failed, the second nearly always completed: a third would, too."""
    runs = [tried(n, "fc" if n % 4 == 0 else "c") for n in range(200)]
    template = a_template(idempotent=True, timeout_s=5, retry={"max_attempts": 2})
    one = found(template, runs)
    assert one is not None
    assert (one.setting, one.proposed) == ("retry.max_attempts", 3)
    assert one.gain.after < one.gain.before


def test_another_try_is_not_proposed_for_what_must_not_run_twice() -> None:
    """A step that does not say that it is idempotent keeps its tries."""
    runs = [tried(n, "fc" if n % 4 == 0 else "c") for n in range(200)]
    assert found(a_template(timeout_s=5, retry={"max_attempts": 2}), runs) is None


def test_how_often_another_try_helps_is_learned_from_the_command() -> None:
    """The step has no retries yet; another step with the same command shows that they help."""
    runs = [tried(n, "fc" if n % 2 else "c", template="other") for n in range(100)]
    runs += [tried(n, "f" if n % 5 == 0 else "c") for n in range(100)]
    one = found(a_template(idempotent=True, timeout_s=5), runs)
    assert one is not None
    assert (one.setting, one.current, one.proposed) == ("retry.max_attempts", 1, 2)
    assert one.gain.before == pytest.approx(0.2, abs=0.02)


def test_tries_that_never_help() -> None:
    """Eighty further tries after a failure all failed."""
    runs = [tried(n, "fff" if n % 2 else "c") for n in range(80)]
    one = found(a_template(timeout_s=5, retry={"max_attempts": 3}), runs)
    assert one is not None
    assert (one.setting, one.proposed) == ("retry.max_attempts", 1)
    assert one.gain.before == pytest.approx(1 + 2 + 2 * 1.0, rel=0.02)


def a_crowd(number: int, size: int, failing: int) -> RunRecord:
    """Instances that all run at once, of which some fail."""
    attempts = tuple(
        RunAttempt(
            step="deploy",
            instance=str(n),
            command="shell",
            agent="a",
            started_at_ms=NOW_MS - 1_000 + n,
            ended_at_ms=NOW_MS,
            outcome="failed" if n >= size - failing else "completed",
            code="failed" if n >= size - failing else "",
        )
        for n in range(size)
    )
    return a_run(number, not failing, attempts=attempts)


def test_smaller_batches() -> None:
    """Twenty at once: those that begin when many run fail, the first ones do not."""
    template = a_template(timeout_s=5, foreach={"items": "[1]", "concurrency": 20})
    one = found(template, [a_crowd(n, 20, 8) for n in range(20)])
    assert one is not None
    assert (one.setting, one.current) == ("foreach.concurrency", 20)
    assert one.proposed == 8
    assert one.gain.after < 0.1 < one.gain.before


def test_how_crowded_it_was() -> None:
    """Of three that overlap the second one had one other, the third two; what ended is no other."""
    spans = [(1, 10), (2, 10), (3, 10), (20, 30)]
    attempts = [
        RunAttempt(step="s", started_at_ms=a, ended_at_ms=b, outcome="completed") for a, b in spans
    ]
    assert [crowd for crowd, _ in crowded(attempts)] == [0, 1, 2, 0]


def test_another_agent() -> None:
    """It is pinned to an agent on which it fails half of the time; elsewhere it never does."""
    runs = [a_run(n, n % 2 == 0, agent="bad") for n in range(60)]
    runs += [a_run(100 + n, agent="good") for n in range(60)]
    one = found(a_template(timeout_s=5, target={"host": "bad"}), runs)
    assert one is not None
    assert (one.setting, one.current, one.proposed) == ("target.host", "bad", "good")
    assert not one.safe


def test_a_template_may_say_that_it_is_not_tuned() -> None:
    """With `policies.tuning: off` nothing is looked for."""
    runs = [a_run(n, lasted_ms=2_000) for n in range(60)]
    assert found(a_template({"tuning": "off"}), runs) is None


def test_a_setting_is_changed_in_the_next_version() -> None:
    """Nothing else changes, and what nobody wrote stays unwritten."""
    template = a_template(timeout_s=10)
    made = changed(template, "deploy", "retry.max_attempts", 3, {"1.0.0", "1.0.1"})
    assert made.version == "1.0.2"
    assert setting_of(made, "deploy", "retry.max_attempts") == 3
    assert made.model_dump(exclude_unset=True)["steps"][0] == {
        "id": "deploy",
        "command": "shell",
        "timeout_s": 10,
        "retry": {"max_attempts": 3},
    }


def test_what_cannot_be_changed_says_why() -> None:
    """A step that is gone, or a value that no template may have."""
    with pytest.raises(CannotChangeError, match="no step 'gone'"):
        changed(a_template(), "gone", "timeout_s", 5.0, ())
    with pytest.raises(CannotChangeError, match="max_attempts cannot be 1000"):
        changed(a_template(), "deploy", "retry.max_attempts", 1_000, ())


def test_the_next_version() -> None:
    """The last number rises, whatever stands behind it."""
    assert next_version("1.2.3", ()) == "1.2.4"
    assert next_version("1.2.3-rc1", {"1.2.4"}) == "1.2.5"
    assert next_version("main", ()) == "1.0.1"


@given(st.floats(0.001, 1e7))
def test_rounding_goes_up_and_not_far(seconds: float) -> None:
    """A rounded figure is at least what was asked for, and at most a quarter more."""
    assert seconds <= rounded_up(seconds) * (1 + 1e-9)
    assert rounded_up(seconds) <= seconds * 1.26 + 1e-6


def test_a_log_normal_tail() -> None:
    """Median 5 s, 10 % beyond 10 s: then 0.5 % are beyond 20 s, and 95 % of the tail are saved."""
    assert saved_by_twice(5, 10, 0.1) == pytest.approx(1 - 0.0052 / 0.1, abs=0.01)
    assert saved_by_twice(0, 10, 0.1) == 0.5
