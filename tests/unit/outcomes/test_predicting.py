"""What to expect of a run, from views."""

from __future__ import annotations

import pytest

from shared.outcomes.matching import best_match, tokens_with, what_helped
from shared.outcomes.predicting import predict
from shared.outcomes.viewing import agent_view, category_view, signature_view, template_view
from tests.unit.outcomes.made_runs import NOW_MS, a_run
from tests.unit.outcomes.test_failures import model_of
from tests.unit.outcomes.test_tuning import learned


def test_before_anything_ran() -> None:
    """Nothing is counted, and what is believed is said to be assumed."""
    found = predict("new", None, category_view("maintenance", learned([])))
    assert (found.standing, found.runs, found.success_rate) == ("no runs yet", 0, None)
    assert found.because == ("100% from what is assumed before anything was run",)


def test_what_it_leans_on_is_told() -> None:
    """Of a template with few runs: its own and its category, with the runs of each."""
    runs = [a_run(1), a_run(2, False), *[a_run(n, template=f"other-{n % 5}") for n in range(50)]]
    evidence = learned(runs)
    found = predict("rollout", template_view("rollout", evidence), category_view("", evidence))
    assert found.success_rate == 0.5
    assert found.chance.low < found.chance.probability < found.chance.high
    assert "1 of 2 runs succeeded" in found.because[0]
    assert any("category maintenance: 50 of 50" in one for one in found.because)


def test_a_value_and_an_agent() -> None:
    """Both change the chance, and are told."""
    runs = [
        a_run(n, n % 2 == 0, parameters={"zone": "ab"[n % 2]}, agent="ab"[n % 2]) for n in range(60)
    ]
    evidence = learned([*runs, *[a_run(100 + n, agent="b", template="x") for n in range(5)]])
    known, category = template_view("rollout", evidence), category_view("", evidence)
    plain = predict("rollout", known, category, {"zone": "c"})
    zone = predict("rollout", known, category, {"zone": "b"})
    assert zone.chance.probability < 0.2 < plain.chance.probability
    assert plain.value is None
    assert zone.value is not None
    assert "with zone = " in zone.because[-1]
    on = predict("rollout", known, category, {}, agent_view("b", evidence))
    assert on.chance.probability < plain.chance.probability


def test_a_failure_is_matched_by_its_view() -> None:
    """As the model itself would; what helped is told in words."""
    again = a_run(9, True, resumed_from="rollout-1", agent="b", at_ms=NOW_MS + 1)
    model = model_of([a_run(1, False, message="port 1 is taken"), again])
    views = [signature_view(one, model) for one in model.signatures.values()]
    found = best_match(tokens_with("failed", "port 77 is taken"), views)
    assert found is not None
    assert found.similarity == pytest.approx(1.0)
    assert what_helped(found.signature) == ("agent b: helped 1 of 1 times",)
    assert best_match(tokens_with("lost", "port 77 is taken"), views) is None
    assert best_match(tokens_with("failed", "it is cold outside"), views) is None
