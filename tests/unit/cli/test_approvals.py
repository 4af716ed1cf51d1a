"""How a gate is shown on a terminal, and what `hv approve` refuses to send."""

from __future__ import annotations

from typing import Any

import pytest

from services.cli.approval_view import described
from services.cli.approvals import _check, _consent
from services.cli.outcome import CliError
from shared.contracts.api.approvals import ApprovalView, PredictedEffects
from shared.workflow.approval_rule import Approvers
from shared.workflow.approval_subject import ApprovalSubject, SubjectStep
from shared.workflow.gate_state import Vote
from shared.workflow.messages import Actor

SUBJECT = ApprovalSubject(
    execution_id="ex_1",
    gate="deploy",
    round=1,
    template_id="t",
    template_version="1.0.0",
    parameters={"who": "web"},
    steps=(
        SubjectStep(
            id="deploy",
            command="shell",
            parameters={"script": "one\ntwo \x1b[2K\u202e", "n": [1]},
            when="params.n > 1",
            targets=("web-1", "web-2"),
            timeout_s=3,
        ),
        SubjectStep(
            id="after", command="noop", parameters={}, host="h", labels={"a": "b"}, timeout_s=1
        ),
    ),
)


def view(**fields: Any) -> ApprovalView:
    made = {
        "execution_id": "ex_1",
        "template_id": "t",
        "template_version": "1.0.0",
        "gate": "deploy",
        "round": 1,
        "status": "requested",
        "requested_by": Actor(id="ryan"),
        "requested_at_ms": 0,
        "subject_hash": SUBJECT.digest,
        "subject": SUBJECT,
        "effects": (
            PredictedEffects(step="deploy", command="shell", effects="irreversible", rollback=True),
            PredictedEffects(step="after", command="noop", effects="none", rollback=False),
        ),
        **fields,
    }
    return ApprovalView.model_validate(made)


def text(**fields: Any) -> str:
    return "\n".join(line.plain for line in described(view(**fields)))


def test_everything_that_would_run_is_shown() -> None:
    """Commands, parameters, targets, conditions, effects and the hash stand there in full."""
    shown = text()
    for part in (
        "deploy  shell  on web-1, web-2  effects: irreversible, with rollback",
        "    when params.n > 1",
        "    script: one\n      two",
        "    n: [1]",
        "after  noop  on host h a=b  effects: none",
        "  who: web",
        f"subject_hash {SUBJECT.digest}",
        "needs 1 of everybody who may approve; approved so far: nobody",
    ):
        assert part in shown


def test_nothing_can_hide_behind_control_characters() -> None:
    """What would move the cursor or turn the text around is shown escaped."""
    shown = text()
    assert "\\x1b[2K\\u202e" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_people_are_shown() -> None:
    """Who must answer, who has, for whom, until when, and why the caller may not."""
    shown = text(
        quorum=2,
        approvers=(Approvers(roles=("admin",), groups=("ops",), users=("alice",)),),
        votes=(Vote(by=Actor(id="dave"), approved=True, at_ms=1, for_whom="carol"),),
        delegated={"carol": "dave"},
        escalated=True,
        expires_at_ms=1_790_000_000_000,
        form={"properties": {"window": {}}},
        why_not="you are not among them",
    )
    assert "needs 2 of role admin, group ops, user alice; approved so far: dave for carol" in shown
    assert "carol has handed the vote to dave" in shown
    assert "escalated\nexpires " in shown
    assert "asks for input: window" in shown
    assert "you may not answer: you are not among them" in shown


def test_what_cannot_be_shown_cannot_be_approved() -> None:
    """Without a subject, with another one, or for another hash, nothing is sent."""
    assert "cannot be shown: no template" in text(subject=None, subject_problem="no template")
    with pytest.raises(CliError, match="cannot be shown"):
        _check(view(subject=None), None)
    with pytest.raises(CliError, match="Approve nothing"):
        _check(view(subject=SUBJECT.model_copy(update={"round": 2})), None)
    with pytest.raises(CliError, match="what would run has changed"):
        _check(view(), "0" * 64)
    _check(view(), SUBJECT.digest)


@pytest.mark.parametrize(("yes", "named"), [(False, False), (True, False), (False, True)])
def test_a_script_names_the_hash(yes: bool, named: bool) -> None:
    """Without a terminal both --yes and --hash are needed, but for the simple form."""
    with pytest.raises(CliError, match=f"--yes --hash {SUBJECT.digest}"):
        _consent(view(), yes=yes, named=named, interactive=False)
    _consent(view(), yes=True, named=True, interactive=False)
    _consent(view(hash_required=False), yes=yes, named=named, interactive=False)


def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a yes goes on and a no sends nothing."""
    answers = iter([True, False])
    monkeypatch.setattr("typer.confirm", lambda *_args, **_more: next(answers))
    _consent(view(), yes=False, named=False, interactive=True)
    with pytest.raises(CliError, match="Nothing was approved"):
        _consent(view(), yes=False, named=False, interactive=True)
