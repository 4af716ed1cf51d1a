"""Who may answer a gate, and which answers count."""

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.gate_state import MAX_REFUSALS
from shared.workflow.messages import Actor
from shared.workflow.state import ExecutionState
from tests.unit.workflow.scenario import Run, step

FORM = {
    "window": {"type": "integer", "minimum": 1},
    "note": {"type": "string", "default": "-"},
    "extra": {"type": "string", "required": False},
}


def asked(*, requested_by: str = "ryan", author: str = "anna", **rule: Any) -> Run:
    """An execution that waits at the workflow's gate with this rule."""
    parameters = {"w": "${{ approvals.workflow.input.window }}"} if "form" in rule else {}
    run = Run(step("a", parameters=parameters), policies={"approval": rule})
    run.requested_by = Actor(id=requested_by)
    run.template_author = author
    run.request()
    return run


def reason(run: Run) -> str:
    return run.the(ev.ApprovalRefused).reason


# Who


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        ({"roles": ["admin"]}, {"role": "admin"}),
        ({"groups": ["ops", "sre"]}, {"groups": ("web", "sre")}),
        ({"users": ["bob"]}, {}),
        ({}, {}),
    ],
)
def test_approvers_are_known_by_role_group_or_name(
    rule: dict[str, Any], who: dict[str, Any]
) -> None:
    """Whoever fits one of the lists may answer, and nobody else."""
    run = asked(approvers=rule)
    assert run.vote("bob", **who)[0] == "approval.granted"
    if rule:
        run = asked(approvers=rule)
        run.vote("mallory", role="operator", groups=("guests",))
        assert reason(run).startswith("mallory is not among the approvers: ")
        assert next(iter(rule.values()))[0] in reason(run)


@pytest.mark.parametrize("who", ["ryan", "anna"])
def test_nobody_approves_their_own(who: str) -> None:
    """Neither who asked for the run nor who wrote the template may answer, also not to reject;
    unless the rule says so."""
    run = asked()
    assert run.vote(who) == ["approval.refused"]
    assert run.vote(who, approved=False) == []  # the same refusal: recorded once
    assert run.vote("bob")[0] == "approval.granted"
    assert asked(allow_self_approval=True).vote(who)[0] == "approval.granted"


# The hash


def test_an_approval_names_what_it_approves() -> None:
    """Without the hash an approval does not count, nor with another; a rejection needs none."""
    run = asked()
    run.vote("bob", subject_hash="")
    assert "must name the subject_hash" in reason(run)
    run.vote("bob", subject_hash="f" * 64)
    assert "another subject" in reason(run)
    run.vote("bob", subject_hash="e" * 64, approved=False)
    assert "another subject" in reason(run)
    assert run.vote("bob", subject_hash="", approved=False)[0] == "approval.rejected"


def test_the_simple_form_needs_no_hash() -> None:
    """Where one answer of anybody is asked for, the first round stands for the request itself."""
    run = Run(step("a"), policies={"approval_required": True})
    run.request()
    assert run.answer(True)[0] == "approval.granted"
    assert run.gate().votes[0].subject_hash == run.gate().subject_hash


# The quorum


def test_the_quorum_counts_people() -> None:
    """The same person twice is one; the gate opens with the last one that is needed."""
    run = asked(quorum=3)
    assert run.vote("alice") == ["approval.voted"]
    assert run.vote("alice") == []
    assert run.vote("alice", key="another key") == []
    assert run.vote("bob") == ["approval.voted"]
    assert run.vote("carol")[0] == "approval.granted"
    assert [v.by.id for v in run.gate().votes] == ["alice", "bob", "carol"]


def test_one_rejection_is_enough() -> None:
    """Whoever approved before may still reject; then the gate stays closed."""
    run = asked(quorum=2)
    run.vote("alice")
    assert run.vote("alice", approved=False)[0] == "approval.rejected"
    assert run.status == "cancelled"


@pytest.mark.parametrize(
    ("first", "words"),
    [(True, "it was granted already"), (False, "it was rejected already")],
)
def test_late_answers_are_recorded_and_change_nothing(first: bool, words: str) -> None:
    """Whoever answers after it is decided is told so in the history; who repeats it is not."""
    run = Run(step("a", approval={}, continue_on_failure=True), step("b"))
    run.request()
    run.vote("alice", "a", approved=first)
    assert run.vote("alice", "a", approved=first) == []
    assert run.vote("bob", "a", approved=not first) == ["approval.refused"]
    assert reason(run) == words
    assert run.vote("bob", "a", approved=not first) == []
    assert run.delegate("carol", "dave", "a") == ["approval.refused"]


def test_refusals_are_bounded() -> None:
    """More answers that do not count than anybody reads are not recorded any more."""
    run = asked(approvers={"users": ["bob"]})
    for number in range(MAX_REFUSALS):
        assert run.vote(f"m{number}") == ["approval.refused"]
    assert run.vote("one-more") == []


# Comment and form


def test_a_comment_can_be_required() -> None:
    """Neither an approval nor a rejection counts without words."""
    run = asked(comment_required=True)
    run.vote("bob", comment="  ")
    assert reason(run) == "a comment is required"
    assert run.vote("carol", approved=False) == ["approval.refused"]
    assert run.vote("bob", comment="checked")[0] == "approval.granted"


def test_what_is_filled_in_reaches_the_steps() -> None:
    """Input is checked against the form, completed, and available to expressions."""
    run = asked(form=FORM)
    run.vote("bob", input={"window": 0})
    assert "input/window" in reason(run)
    run.vote("bob", input={"window": 5})
    assert run.the(ev.StepScheduled).parameters == {"w": 5}
    assert run.gate().input == {"window": 5, "note": "-", "extra": None}


def test_who_comes_later_approves_what_was_filled_in() -> None:
    """The first approver's input changes the hash; the next one approves exactly that."""
    run = asked(form=FORM, quorum=2)
    before = run.gate().subject_hash
    run.vote("alice", input={"window": 5})
    assert run.gate().subject_hash != before
    run.vote("bob", subject_hash=before)
    assert "another subject" in reason(run)
    run.vote("bob", input={"window": 6})
    assert reason(run) == "alice has filled in something else; reject, or approve that"
    assert run.vote("bob")[0] == "approval.granted"
    assert run.the(ev.StepScheduled).parameters == {"w": 5}


def test_a_form_stays_as_it_was_declared() -> None:
    """What must be filled in must be so, too, after the rule was stored and read again."""
    run = asked(form=FORM)
    read = ExecutionState.model_validate_json(run.state.model_dump_json())
    form = read.gates["workflow"].rule.form
    assert [form[name].is_required for name in FORM] == [True, False, False]


# Delegation


def test_a_vote_can_be_handed_over() -> None:
    """The delegate answers in the approver's place, who may not any more; both are recorded."""
    run = asked(approvers={"users": ["bob"]})
    run.vote("dave")
    assert "not among the approvers" in reason(run)
    assert run.delegate("bob", "dave", comment="on holiday") == ["approval.delegated"]
    assert run.delegate("bob", "dave") == []
    run.vote("bob")
    assert reason(run) == "bob has handed the vote to dave"
    assert run.vote("dave")[0] == "approval.granted"
    assert (run.gate().votes[0].by.id, run.gate().votes[0].for_whom) == ("dave", "bob")


def test_a_vote_can_be_taken_back() -> None:
    """Handing the vote to oneself takes it back, until the delegate has used it."""
    run = asked(approvers={"users": ["bob", "carol"]}, quorum=2)
    run.delegate("bob", "dave")
    run.delegate("bob", "bob")
    assert run.gate().delegated == {}
    assert run.delegate("bob", "bob") == []
    run.delegate("bob", "dave")
    run.vote("dave")
    run.delegate("bob", "bob")
    assert reason(run) == "dave has answered for bob already"
    run.vote("bob")
    assert reason(run) == "bob has handed the vote to dave"


def test_votes_of_several_in_one_hand_are_one() -> None:
    """Four eyes stay four eyes: a delegate counts once, however many votes were handed over."""
    run = asked(quorum=2)
    run.delegate("alice", "dave")
    run.delegate("bob", "dave")
    assert run.vote("dave") == ["approval.voted"]
    assert run.vote("dave") == []
    assert run.vote("carol")[0] == "approval.granted"


@pytest.mark.parametrize(
    ("who", "to", "words"),
    [
        ("mallory", "dave", "mallory has no vote of their own here"),
        ("ryan", "dave", "ryan has no vote of their own here"),
        ("bob", "ryan", "ryan asked for the run, or wrote or changed what runs"),
    ],
)
def test_only_ones_own_vote_and_not_to_those_it_is_about(who: str, to: str, words: str) -> None:
    """Who has no vote has none to give, and nobody may give it to whom it is kept from."""
    run = asked(approvers={"users": ["bob", "ryan"]})
    assert run.delegate(who, to) == ["approval.refused"]
    assert reason(run) == words


def test_a_vote_that_was_given_is_not_handed_over() -> None:
    """Who has answered has no vote left to give."""
    run = asked(quorum=2)
    run.vote("bob")
    run.delegate("bob", "dave")
    assert reason(run) == "bob has answered already"


def test_a_handed_over_vote_is_not_handed_on() -> None:
    """Delegates may answer, and no more than that."""
    run = asked(approvers={"users": ["bob"]})
    run.delegate("bob", "dave")
    run.delegate("dave", "erin")
    assert reason(run) == "dave has no vote of their own here"


def test_the_key_is_recorded() -> None:
    """The history names the API key of each answer."""
    run = asked()
    run.vote("bob", key="key_1", role="operator")
    assert run.the(ev.ApprovalGranted).key == "key_1"
    assert isinstance(run.history[-1].message, msg.ApprovalAnswered)
