"""What no order of answers, delegations, timers and changes can bring about."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.approval_subject import subject_of
from shared.workflow.gates import TIMERS
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.messages import Actor
from tests.simulation.gate_checks import check_granted
from tests.unit.workflow.scenario import Run, step

PEOPLE = ("ryan", "anna", "alice", "bob", "carol")
"""Ryan asks for the run, anna wrote the template."""

rules = st.fixed_dictionaries(
    {
        "quorum": st.integers(1, 3),
        "allow_self_approval": st.booleans(),
        "comment_required": st.booleans(),
        "remind_every_s": st.sampled_from([None, 5]),
        "expires_after_s": st.just(60),
    },
    optional={"approvers": st.just({"users": ["alice", "bob", "carol", "ryan"]})},
) | st.just({"expires_after_s": 60, "on_expiry": "escalate", "escalate_to": {"groups": ["bosses"]}})
answers = st.tuples(
    st.just("answer"),
    st.sampled_from(PEOPLE),
    st.booleans(),
    st.sampled_from(["now", "before", "none", "other"]),
    st.sampled_from(["", "fine"]),
)
delegations = st.tuples(st.just("delegate"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE))
timers = st.tuples(st.just("timer"), st.sampled_from(TIMERS))
changes = st.tuples(st.just("change"), st.integers(0, 2))


class Gated:
    """A step behind a gate, and everything that happens to it."""

    def __init__(self, rule: dict[str, Any]) -> None:
        self.rule = rule
        self.x = 0
        self.run = Run(*self._steps())
        self.run.requested_by, self.run.template_author = Actor(id="ryan"), "anna"
        self.run.request()
        self.hashes = [self.run.gate("a").subject_hash]
        self.ran: int | None = None

    def _steps(self) -> list[dict[str, Any]]:
        gated = step("a", parameters={"x": self.x}, approval=self.rule, continue_on_failure=True)
        return [gated, step("b")]

    def happens(self, action: tuple[Any, ...]) -> None:
        """One thing more; then what must be true is checked."""
        if not self.run.state.ended:
            self._act(*action)
            self._check()

    def _act(self, kind: str, *details: Any) -> None:
        self.run.events = ()
        if kind == "answer":
            self._answer(*details)
        elif kind == "delegate":
            self.run.delegate(details[0], details[1], "a")
        elif kind == "change":
            self.x = details[0]
            self.run.change(*self._steps())
        elif f"{details[0]}-a" in self.run.state.timers:
            self.run.fire(f"{details[0]}-a")

    def _answer(self, who: str, approved: bool, which: str, comment: str) -> None:
        named = {
            "now": self.run.gate("a").subject_hash,
            "before": self.hashes[0],
            "none": "",
            "other": "0" * 64,
        }[which]
        self.run.vote(who, "a", approved=approved, subject_hash=named, comment=comment)

    def _check(self) -> None:
        state, gate = self.run.state, self.run.gate("a")
        message = self.run.history[-1].message
        if gate.subject_hash not in self.hashes:
            self.hashes.append(gate.subject_hash)
        for event in self.run.events:
            if isinstance(event, ev.ApprovalGranted):
                assert isinstance(message, msg.ApprovalAnswered)
                assert message.subject_hash, "something unnamed was approved"
            if isinstance(event, ev.StepScheduled) and event.step == "a":
                check_granted(state, "a")
                assert all(v.subject_hash == gate.subject_hash for v in gate.votes)
                assert subject_of(self.run.program, state, "a", gate).digest == gate.subject_hash
                assert event.parameters == {"x": self.x}, "something else runs"
        if state.steps["a"].attempt:
            assert gate.status is ApprovalStatus.GRANTED
        if gate.status is not ApprovalStatus.REQUESTED:
            assert not any(f"{what}-a" in state.timers for what in TIMERS)


@settings(max_examples=300, deadline=None)
@given(rules, st.lists(answers | delegations | timers | changes, max_size=14))
@example(
    {"quorum": 2, "allow_self_approval": True, "expires_after_s": 60},
    [("answer", "bob", True, "now", ""), ("change", 1), ("delegate", "bob", "ryan")],
)
def test_only_what_people_approved_runs(rule: dict[str, Any], actions: list[Any]) -> None:
    """Nothing runs but what enough people, none of them barred, approved by its hash; time never
    approves, and what is closed has no timers."""
    gated = Gated(rule)
    for action in actions:
        gated.happens(action)


@settings(max_examples=100, deadline=None)
@given(rules, st.lists(delegations | timers | changes, max_size=14))
def test_nothing_runs_unless_somebody_answers(rule: dict[str, Any], actions: list[Any]) -> None:
    """Whatever happens, without an answer the step never starts."""
    gated = Gated(rule)
    for action in actions:
        gated.happens(action)
    assert gated.run.step("a").attempt == 0
