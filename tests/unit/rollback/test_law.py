"""The law of rollbacks: what messages mean for those of one execution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.automation.messages import RunEnded
from shared.rollback import messages as msg
from shared.rollback.law import Ask, Outcome, Tell, turn, why_not_requested, why_not_ticked
from shared.rollback.machine import ROLLBACK, RollbackStatus
from shared.rollback.messages import ROLLBACK_MESSAGE
from shared.rollback.state import RollbackState, is_rollback, rollback_id
from shared.workflow.messages import (
    Actor,
    CancelRequested,
    ExecutionRequested,
    RollbackEnded,
    RollbackWanted,
)

ID = rollback_id("ex_1")
OLGA = Actor(id="olga")


class Told:
    """The rollbacks of one execution in the hands of an example."""

    def __init__(self) -> None:
        self.state: RollbackState | None = None
        self.orders: tuple[Any, ...] = ()
        self.now = 1_000_000
        self.ids: list[str] = []

    @property
    def now_is(self) -> RollbackState:
        assert self.state is not None
        return self.state

    @property
    def status(self) -> str:
        return self.now_is.status.value

    def tell(self, message: Any) -> list[Any]:
        """What a message leads to; once more, it leads to nothing."""
        self.now += 1
        message = ROLLBACK_MESSAGE.validate_json(ROLLBACK_MESSAGE.dump_json(message))
        outcome = turn(self.state, ID, message, self.now)
        again = turn(outcome.state, ID, message, self.now + 1)
        if not isinstance(message, msg.ForwardEnded):
            assert again == Outcome(outcome.state), "it was taken twice"
        self.state, self.orders = outcome.state, outcome.orders
        self.ids += [order.message_id for order in outcome.orders if isinstance(order, Tell)]
        return list(outcome.orders)

    def request(self, strategy: Any = "graceful", **fields: Any) -> list[Any]:
        wish = {"execution_id": "ex_1", "strategy": strategy, "by": OLGA, **fields}
        return self.tell(msg.RollbackRequested(**wish))

    def hold(self) -> list[Any]:
        return self.tell(msg.ForwardHeld(number=self.now_is.number))

    def plan(self, *keys: str, version: str = "1.0.1", **fields: Any) -> list[Any]:
        number = self.now_is.number
        made = msg.PlanMade(number=number, keys=keys, template_version=version, **fields)
        return self.tell(made)

    def account(self, *done: str, left: tuple[str, ...] = ()) -> list[Any]:
        number = self.now_is.number
        self.tell(RunEnded(execution_id=self.now_is.run, status="completed"))
        return self.tell(msg.Accounted(number=number, done=done, left=left))

    def ended(self) -> RollbackEnded:
        """What the execution was told at the end."""
        (tell,) = self.orders
        assert isinstance(tell, Tell)
        assert tell.execution_id == "ex_1"
        assert isinstance(tell.message, RollbackEnded)
        return tell.message


def running(*keys: str, **fields: Any) -> Told:
    """A rollback whose items are being undone."""
    told = Told()
    told.request(**fields)
    told.hold()
    told.plan(*(keys or ("b", "a")))
    return told


def by_hand(*keys: str, left: tuple[str, ...] = ()) -> Told:
    """A rollback that people carry out."""
    told = Told()
    told.request("manual")
    told.hold()
    told.plan(*keys, version="", left=left)
    return told


class TestTheWay:
    def test_from_the_request_to_the_end(self) -> None:
        """The execution is held, a plan is made, run and accounted for, and the execution told."""
        told = Told()
        (hold,) = told.request(reason="wrong", to="")
        assert hold.execution_id == "ex_1"
        assert isinstance(hold.message, RollbackWanted)
        assert (hold.message.number, hold.message.drain, hold.message.again) == (1, True, False)
        (ask,) = told.hold()
        assert isinstance(ask, Ask)
        assert (ask.work, ask.number, ask.details["strategy"]) == ("plan", 1, "graceful")
        (start,) = told.plan("b", "a/x[1]", accepted=("m: a message",), parameters={"work": {}})
        request = start.message
        assert isinstance(request, ExecutionRequested)
        assert (request.template_id, request.template_version) == ("rollback.ex_1", "1.0.1")
        assert (request.trigger.source, request.requested_by) == (ID, OLGA)
        assert told.now_is.run == start.execution_id
        (ask,) = told.tell(RunEnded(execution_id=start.execution_id, status="failed"))
        assert (ask.work, ask.details) == ("account", {"run": told.now_is.run, "status": "failed"})
        told.tell(msg.Accounted(number=1, done=("b", "a/x[1]")))
        end = told.ended()
        assert (end.status, end.undone, end.left) == ("rolled_back", ("b", "a"), ())
        assert told.now_is.undone == ("b", "a/x[1]")
        assert told.now_is.accepted == ("m: a message",)

    def test_one_that_runs_is_held_when_it_has_ended(self) -> None:
        """Once more it is asked to hold still, and that is another message."""
        told = Told()
        told.request("immediate")
        (hold,) = told.tell(msg.ForwardEnded(number=1))
        assert (hold.message.again, hold.message.drain) == (True, False)
        assert len(set(told.ids)) == 2
        told.hold()
        assert told.tell(msg.ForwardEnded(number=1)) == []

    def test_one_at_a_time(self) -> None:
        """While one is not over another request changes nothing; afterwards it is the next."""
        told = running("a")
        assert why_not_requested(told.state) == "rollback 1 of it is running; one runs at a time"
        assert told.request() == []
        told.account("a")
        assert why_not_requested(told.state) is None
        told.request("checkpoint", to="x", request="r2")
        assert (told.now_is.number, told.now_is.undone, told.now_is.to) == (2, ("a",), "x")
        assert [one.number for one in told.now_is.rounds] == [1]
        (ask,) = told.hold()
        assert ask.details["undone"] == ("a",)
        assert told.tell(msg.PlanMade(number=1, keys=("a",), template_version="1")) == []

    def test_nothing_is_known_before_the_first_request(self) -> None:
        """A message about rollbacks that there are not leads to nothing."""
        assert turn(None, ID, msg.ForwardHeld(number=1), 1) == Outcome(None)
        assert is_rollback(ID)
        assert not is_rollback("ex_1")


class TestEnds:
    def test_nothing_to_undo_is_undone(self) -> None:
        """An execution that changed nothing is rolled back at once."""
        told = Told()
        told.request()
        told.hold()
        told.plan()
        assert told.ended().status == "rolled_back"

    def test_what_remains_makes_it_incomplete(self) -> None:
        """What the plan left out, and what the run could not undo, are named together."""
        told = Told()
        told.request()
        told.hold()
        told.plan("b", "a", left=("c: no way back",))
        told.account("b", left=("a: exit 1",))
        end = told.ended()
        assert (end.status, end.left) == ("rollback_incomplete", ("c: no way back", "a: exit 1"))

    def test_where_nothing_can_be_undone(self) -> None:
        """It is incomplete: nothing was tried that failed."""
        told = Told()
        told.request()
        told.hold()
        told.plan(left=("c: no way back",))
        assert told.ended().status == "rollback_incomplete"

    def test_where_nothing_was_undone(self) -> None:
        """It failed."""
        told = running("a")
        told.account(left=("a: exit 1",))
        assert told.ended().status == "rollback_failed"

    def test_no_plan_is_a_failure(self) -> None:
        """The reason is told."""
        told = Told()
        told.request()
        told.hold()
        told.tell(msg.PlanRefused(number=1, reason="no checkpoint"))
        assert (told.ended().status, told.ended().reason) == ("rollback_failed", "no checkpoint")
        assert told.tell(msg.PlanRefused(number=1, reason="late")) == []


class TestPeople:
    def test_they_tick_off(self) -> None:
        """With the last item it is over; an item may be ticked anew before that."""
        told = by_hand("b", "a")
        assert told.status == "awaiting_people"
        assert told.tell(msg.ItemTicked(number=1, item=3, verdict="done", by=OLGA)) == []
        told.tell(msg.ItemTicked(number=1, item=1, verdict="failed", by=OLGA))
        told.tell(msg.ItemTicked(number=1, item=1, verdict="done", by=OLGA))
        told.tell(msg.ItemTicked(number=1, item=2, verdict="done", by=OLGA))
        assert told.ended().status == "rolled_back"
        assert why_not_ticked(told.now_is, 1) == "it is rolled_back, and not awaiting people"

    def test_what_they_could_not_do_remains(self) -> None:
        """In their words."""
        told = by_hand("c", "b", "a")
        verdicts: list[msg.Verdict] = ["done", "skipped", "failed"]
        for item, verdict in enumerate(verdicts, 1):
            comment = "no key" if verdict == "failed" else ""
            told.tell(
                msg.ItemTicked(number=1, item=item, verdict=verdict, by=OLGA, comment=comment)
            )
        assert told.ended().left == ("b: skipped", "a: failed (no key)")
        assert told.ended().status == "rollback_incomplete"


class TestCancelling:
    def test_what_runs_is_cancelled_and_accounted_for(self) -> None:
        """What is undone by then stays so."""
        told = running("b", "a")
        (cancel,) = told.tell(msg.RollbackCancelled(number=1, by=OLGA, reason="enough"))
        assert isinstance(cancel.message, CancelRequested)
        assert cancel.execution_id == told.now_is.run
        told.account("b", left=("a: was cancelled",))
        assert told.ended().status == "rollback_incomplete"
        assert told.ended().reason == "cancelled by olga: enough"

    def test_by_hand_it_is_over_at_once(self) -> None:
        """What was not ticked off is not done."""
        told = by_hand("b", "a")
        told.tell(msg.ItemTicked(number=1, item=1, verdict="done", by=OLGA))
        told.tell(msg.RollbackCancelled(number=1, by=OLGA))
        assert told.ended().left == ("a: not done",)

    @pytest.mark.parametrize("when", ["asked", "planning"])
    def test_before_anything_it_is_over_at_once(self, when: str) -> None:
        """While the execution comes to its end, and while the plan is made; what comes late changes
        nothing, but that an execution that is held is let go."""
        told = Told()
        told.request()
        if when == "planning":
            told.hold()
        told.tell(msg.RollbackCancelled(number=1, by=OLGA))
        assert told.ended().status == "rollback_failed"
        assert told.tell(msg.RollbackCancelled(number=1, by=OLGA)) == []
        assert told.plan("a") == []
        if when == "asked":
            told.state, orders = turn(told.state, ID, msg.ForwardHeld(number=1), told.now)
            (release,) = orders
            assert isinstance(release, Tell)
            assert isinstance(release.message, RollbackEnded)
            assert release.message_id not in told.ids


MESSAGES = st.one_of(
    st.builds(msg.RollbackRequested, execution_id=st.just("ex_1"), strategy=st.just("graceful")),
    st.builds(msg.ForwardEnded, number=st.integers(1, 2)),
    st.builds(msg.ForwardHeld, number=st.integers(1, 2)),
    st.builds(
        msg.PlanMade,
        number=st.integers(1, 2),
        keys=st.sampled_from([(), ("a",), ("b", "a")]),
        left=st.sampled_from([(), ("c: no",)]),
        template_version=st.sampled_from(["", "1.0.1"]),
    ),
    st.builds(msg.PlanRefused, number=st.integers(1, 2), reason=st.just("no")),
    st.builds(
        msg.Accounted,
        number=st.integers(1, 2),
        done=st.sampled_from([(), ("a",)]),
        left=st.sampled_from([(), ("b: no",)]),
    ),
    st.builds(
        msg.ItemTicked,
        number=st.integers(1, 2),
        item=st.integers(1, 2),
        verdict=st.sampled_from(["done", "skipped", "failed"]),
        by=st.just(OLGA),
    ),
    st.builds(msg.RollbackCancelled, number=st.integers(1, 2), by=st.just(OLGA)),
    st.just("run ended"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(MESSAGES, max_size=25))
def test_any_order_of_messages_is_taken(messages: list[Any]) -> None:
    """Whatever comes in whatever order, the machine allows what is decided, numbers only rise, what
    is undone stays so, and the execution is told of each end exactly once."""
    state: RollbackState | None = None
    ends: list[int] = []
    for at_ms, drawn in enumerate(messages, 1):
        run_ended = RunEnded(execution_id=state.run if state else "", status="completed")
        message = run_ended if drawn == "run ended" else drawn
        before = state
        state, orders = turn(state, ID, message, at_ms)
        told = [one for one in orders if isinstance(one, Tell) and one.message_id[-5:] != ".late"]
        ends += [one.message.number for one in told if isinstance(one.message, RollbackEnded)]
        if before is not None and state is not None:
            assert state.number in (before.number, before.number + 1)
            assert set(before.undone) <= set(state.undone)
        if state is not None:
            assert state.over == (state.number in ends)
            assert RollbackState.model_validate_json(state.model_dump_json()) == state
    assert len(ends) == len(set(ends))


def test_every_pair_is_declared_or_undefined() -> None:
    """Each end can be left only by a new request."""
    for status in RollbackStatus:
        allowed = {event for event in ROLLBACK.rows if ROLLBACK.allows(status, event)}
        assert (allowed == {"asked"}) == (status in ROLLBACK.terminal)


def test_the_drawing_is_made_from_the_table() -> None:
    """The how-to shows the machine as it is."""
    page = Path(__file__).resolve().parents[3] / "docs/how-to/rollback.md"
    assert f"```mermaid\n{ROLLBACK.mermaid()}\n```" in page.read_text(encoding="utf-8")
