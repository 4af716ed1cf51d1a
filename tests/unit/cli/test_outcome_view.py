"""Predictions, known failures and proposals as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from services.cli.outcome_view import (
    failure_text,
    matched_text,
    prediction_text,
    proposal_text,
)
from shared.contracts.api.outcomes import Matched
from shared.outcomes.matching import KnownFailure
from shared.outcomes.predicting import predict
from shared.outcomes.tuning import proposals
from shared.outcomes.viewing import (
    category_view,
    proposal_view,
    signature_view,
    template_view,
)
from tests.unit.outcomes.made_runs import NOW_MS, a_run
from tests.unit.outcomes.test_failures import model_of
from tests.unit.outcomes.test_tuning import a_template, learned


def text(lines: Iterable[Text]) -> str:
    return "\n".join(str(line) for line in lines)


def test_a_prediction_says_what_it_is_from() -> None:
    """Counts, the interval, durations, reasons."""
    evidence = learned([a_run(n, n % 5 != 0, lasted_ms=2_000) for n in range(20)])
    known = template_view("rollout", evidence)
    shown = text(prediction_text(predict("rollout", known, category_view("", evidence))))
    assert "16 of 20 runs succeeded" in shown
    assert "of 16 runs" in shown
    assert "by step" in shown


def test_without_runs_it_says_so() -> None:
    """Instead of a rate."""
    shown = text(prediction_text(predict("new", None, category_view("", learned([])))))
    assert shown.startswith("new  no runs yet")


def test_a_failure_says_what_helped() -> None:
    """Or that nothing is known to."""
    again = a_run(2, True, resumed_from="rollout-1", at_ms=NOW_MS + 1)
    for runs, helped in (([], "nothing that is known"), ([again], "running it again: helped 1 of")):
        model = model_of([a_run(1, False), *runs])
        (signature,) = (signature_view(one, model) for one in model.signatures.values())
        assert helped in text(failure_text(signature))
        matched = Matched(masked="x", known=KnownFailure(similarity=0.9, signature=signature))
        assert text(matched_text(matched)).startswith("90% of the words")


def test_nothing_like_it_is_known() -> None:
    """The message is told as it was compared."""
    assert "looked for   port <NUM>" in text(matched_text(Matched(masked="port <NUM>")))


def test_a_proposal_says_what_is_gained() -> None:
    """And how it is applied."""
    evidence = learned([a_run(n, lasted_ms=2_000) for n in range(60)])
    (one,) = proposals(a_template(), evidence)
    shown = text(proposal_text(proposal_view(one, NOW_MS)))
    assert "timeout_s: 300.0 → 6.0" in shown
    assert "300 → 6, from 60 attempts" in shown
    assert "tuning apply rollout.deploy.timeout_s" in shown
