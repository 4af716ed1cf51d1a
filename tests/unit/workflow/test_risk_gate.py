"""The risk gate: what findings and a forecast lead to, and what people must then approve."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.workflow import messages as msg
from shared.workflow.approval_rule import Approval
from shared.workflow.errors import DefinitionError, ExpressionError
from shared.workflow.program import compile_template
from shared.workflow.risk_gate import Facts, Rules, compile_rules, decide_gate
from shared.workflow.risk_verdict import RiskVerdict, asked_of
from shared.workflow.validation_policy import GateRule
from tests.unit.workflow.scenario import Run, step, template

FINDINGS = (
    {"code": "no-agent", "severity": "error", "path": "steps/0"},
    {"code": "busy-agents", "severity": "warning", "path": "steps/1"},
)
FACTS = Facts(
    level="paranoid",
    findings=FINDINGS,
    failure=0.25,
    duration_s=12.5,
    irreversible=1,
    reversible=2,
    unprotected=0,
)


def rules(*given: tuple[str, str], whose: Any = "template") -> Rules:
    """Rules of pairs of a condition and what follows."""
    return compile_rules([GateRule(when=w, then=t) for w, t in given], whose)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "condition",
    [
        "level == 'paranoid'",
        "counts.error == 1 && counts.warning == 1 && counts.info == 0",
        "findings.exists(f, f.code == 'no-agent' && f.path.startsWith('steps/'))",
        "findings.all(f, f.severity != 'info')",
        "predicted.known && predicted.failure > 0.2 && predicted.duration_s < 60.0",
        "effects.irreversible + effects.unprotected == 1 && effects.reversible == 2",
    ],
)
def test_a_condition_sees_what_is_known(condition: str) -> None:
    """Level, findings, counts, forecast, effects."""
    assert decide_gate([rules((condition, "refuse"))], FACTS).choice == "refuse"
    assert decide_gate([rules((f"!({condition})", "refuse"))], FACTS).choice == "run"


def test_nothing_predicted_is_not_a_prediction_of_success() -> None:
    """`predicted.known` tells them apart."""
    facts = Facts(level="strict")
    assert decide_gate([rules(("predicted.known", "refuse"))], facts).choice == "run"
    assert decide_gate([rules(("!predicted.known", "approve"))], facts).choice == "approve"


def test_the_first_rule_that_holds_decides() -> None:
    """A later one is not looked at; where none holds the run goes."""
    ordered = rules(("false", "refuse"), ("counts.error > 0", "approve"), ("true", "refuse"))
    decision = decide_gate([ordered], FACTS)
    assert (decision.choice, decision.rule) == ("approve", "counts.error > 0")
    assert decide_gate([rules(("true", "run"), ("true", "refuse"))], FACTS).choice == "run"
    assert decide_gate([], FACTS).choice == "run"
    assert decide_gate([rules(("false", "refuse"))], FACTS).whose == ""


def test_of_template_and_installation_the_stricter_decides() -> None:
    """An author cannot weaken what the installation asks, and may ask for more."""
    allows, refuses = rules(("true", "run")), rules(("true", "refuse"), whose="installation")
    assert decide_gate([allows, refuses], FACTS).whose == "installation"
    asks = rules(("true", "approve"), whose="installation")
    assert decide_gate([rules(("true", "refuse")), asks], FACTS).whose == "template"
    assert decide_gate([allows, asks], FACTS).choice == "approve"


def test_what_cannot_be_evaluated_refuses() -> None:
    """A gate that breaks lets nothing pass, and says what broke."""
    broken = rules(("findings[7].code == 'x'", "run"))
    decision = decide_gate([broken], FACTS)
    assert decision.choice == "refuse"
    assert "cannot be evaluated" in decision.reason


def test_the_words_and_the_approval_of_a_rule_are_kept() -> None:
    """For who is asked, or told."""
    rule = GateRule(when="true", then="approve", approval=Approval(quorum=2), reason="risky")
    decision = decide_gate([compile_rules([rule], "installation")], FACTS)
    assert decision.reason == "risky"
    assert decision.approval == Approval(quorum=2)


@pytest.mark.parametrize("condition", ["nonsense", "counts.error", "level == 1", "params.x"])
def test_a_broken_condition_is_found_when_it_is_written(condition: str) -> None:
    """In a template it is a problem with its path; for an installation an error."""
    with pytest.raises(ExpressionError):
        rules((condition, "refuse"))
    gate = [{"when": "true", "then": "run"}, {"when": condition, "then": "refuse"}]
    made = template(step("a"), policies={"validation": {"gate": gate}})
    with pytest.raises(DefinitionError) as raised:
        compile_template(made)
    assert [p.path for p in raised.value.problems] == ["policies/validation/gate/1/when"]


def test_a_program_has_its_gate_ready() -> None:
    """Compiled once with everything else."""
    gate = [{"when": "counts.error > 0", "then": "refuse", "reason": "mend it"}]
    program = compile_template(template(step("a"), policies={"validation": {"gate": gate}}))
    decision = decide_gate([program.risk_gate], FACTS)
    assert (decision.choice, decision.whose, decision.reason) == ("refuse", "template", "mend it")


# What is asked of people


def approving(**fields: Any) -> RiskVerdict:
    return RiskVerdict(level="strict", decision="approve", by="template", **fields)


def test_a_run_that_is_risky_asks_first() -> None:
    """Nothing starts before somebody else has approved; the verdict is in the state."""
    run = Run(step("a"))
    run.requested_by = msg.Actor(id="alice")
    run.request_with({}, verdict=approving(reason="it often fails"))
    assert run.status == "waiting"
    assert run.state.verdict is not None
    assert run.state.verdict.reason == "it often fails"
    gate = run.gate()
    assert gate.rule == Approval()
    own = msg.ApprovalAnswered(
        approved=True, by=msg.Actor(id="alice"), subject_hash=gate.subject_hash
    )
    assert run.tell(own) == ["approval.refused"]
    other = own.model_copy(update={"by": msg.Actor(id="bob")})
    assert run.tell(other) == ["approval.granted", "execution.started", "step.scheduled"]


def test_an_approval_of_it_names_what_will_run() -> None:
    """It is bound by the hash, like any other."""
    run = Run(step("a"))
    run.request_with({}, verdict=approving())
    blind = msg.ApprovalAnswered(approved=True, by=msg.Actor(id="bob"))
    assert run.tell(blind) == ["approval.refused"]


def test_a_run_that_may_go_goes() -> None:
    """What was found is kept with it all the same."""
    run = Run(step("a"))
    run.request_with({}, verdict=RiskVerdict(level="paranoid", warnings=2, failure=0.01))
    assert run.statuses == {"a": "scheduled"}
    assert run.state.verdict == RiskVerdict(level="paranoid", warnings=2, failure=0.01)


_APPROVALS = st.builds(
    Approval,
    quorum=st.integers(1, 5),
    allow_self_approval=st.booleans(),
    comment_required=st.booleans(),
    approvers=st.sampled_from([{}, {"groups": ("ops",)}, {"roles": ("admin",)}]),
    form=st.sampled_from([{}, {"n": {"type": "integer", "default": 1}}]),
)


@given(own=st.none() | _APPROVALS, asked=st.none() | _APPROVALS)
def test_both_wishes_hold(own: Approval | None, asked: Approval | None) -> None:
    """Never fewer people, never one's own answer where one of the two forbids it, and the form that
    the template's steps make use of stays."""
    found = asked_of(own, approving(approval=asked))
    assert found is not None
    wishes = [rule for rule in (own, asked or Approval()) if rule is not None]
    assert found.quorum == max(rule.quorum for rule in wishes)
    assert found.allow_self_approval == all(rule.allow_self_approval for rule in wishes)
    assert found.comment_required == any(rule.comment_required for rule in wishes)
    if own is not None:
        assert found.form == own.form


@given(own=st.none() | _APPROVALS)
def test_without_a_risk_only_the_template_asks(own: Approval | None) -> None:
    """No verdict, or one that lets it run."""
    assert asked_of(own, None) == own
    assert asked_of(own, RiskVerdict(level="standard")) == own
