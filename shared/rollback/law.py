"""The law of rollbacks: what a message means for those of one execution.

* One at a time: while one is not over, another request changes nothing.
* First the execution is held. One that runs is brought to its end before: `immediate` stops what
  runs, with proof; any other strategy lets agents finish what they have begun.
* Then a plan is made of what it did. What was undone by an earlier rollback is not in it.
* An execution of its own does the work, and is accounted for when it has ended, whichever way; or
  people do it, and tick it off (`manual`).
* It is rolled back when nothing remains but what the author had accepted; incomplete when something
  does, failed when nothing was undone though something was to be.
* A cancellation ends it at once where nothing is under way; what is, is stopped and accounted for.
  An execution that is held for one that is over is let go.
* Orders carry ids that follow from the state, so that a turn decided again says the same once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from shared.automation.messages import RunEnded
from shared.rollback import messages as msg
from shared.rollback.machine import ROLLBACK, RollbackStatus
from shared.rollback.state import (
    MOST_ROUNDS,
    RollbackState,
    Round,
    Tick,
    template_id,
    template_version,
)
from shared.workflow.binding import base
from shared.workflow.identity import child_id
from shared.workflow.messages import (
    CancelRequested,
    Cause,
    ExecutionRequested,
    JournalMessage,
    RollbackEnded,
    RollbackWanted,
)

_S = RollbackStatus
_End = Literal["rolled_back", "rollback_incomplete", "rollback_failed"]
_END: Final[Mapping[RollbackStatus, _End]] = {
    _S.ROLLED_BACK: "rolled_back",
    _S.ROLLBACK_INCOMPLETE: "rollback_incomplete",
    _S.ROLLBACK_FAILED: "rollback_failed",
}


class Tell(NamedTuple):
    """A message for the journal of an execution."""

    execution_id: str
    message: JournalMessage
    message_id: str


class Ask(NamedTuple):
    """Work for a rollback service: make the plan, or account for the run."""

    work: Literal["plan", "account"]
    number: int
    details: dict[str, Any]


Order = Tell | Ask


class Outcome(NamedTuple):
    """The state after a message, the same one where nothing changed, and what is to be done."""

    state: RollbackState | None
    orders: tuple[Order, ...] = ()


def turn(
    state: RollbackState | None, identifier: str, message: msg.RollbackMessage, at_ms: int
) -> Outcome:
    """What a message leads to. One that is late or repeated leads to nothing."""
    if isinstance(message, msg.RollbackRequested):
        return _requested(state, identifier, message, at_ms)
    if state is None:
        return Outcome(None)
    if not isinstance(message, RunEnded) and message.number != state.number:
        return Outcome(state)
    return _RULES[type(message)](state, message, at_ms)


def why_not_requested(state: RollbackState | None) -> str | None:
    """Why no rollback can be asked for now; `None` when one can."""
    if state is None or state.over:
        return None
    return f"rollback {state.number} of it is {state.status.value}; one runs at a time"


def why_not_ticked(state: RollbackState, item: int) -> str | None:
    """Why an item cannot be ticked off; `None` when it can."""
    if state.status is not _S.AWAITING_PEOPLE:
        return f"it is {state.status.value}, and not awaiting people"
    if not 1 <= item <= len(state.keys):
        return f"it has items 1 to {len(state.keys)}"
    return None


def _requested(
    state: RollbackState | None, identifier: str, message: msg.RollbackRequested, at_ms: int
) -> Outcome:
    if why_not_requested(state) is not None:
        return Outcome(state)
    if state is not None and message.request and message.request == state.request:
        return Outcome(state)
    rounds = (*state.rounds, _round(state))[-MOST_ROUNDS:] if state is not None else ()
    new = RollbackState(
        id=identifier,
        execution_id=message.execution_id,
        status=ROLLBACK.next(state.status, "asked") if state is not None else ROLLBACK.initial,
        number=state.number + 1 if state is not None else 1,
        strategy=message.strategy,
        to=message.to,
        steps=message.steps,
        by=message.by,
        reason=message.reason,
        request=message.request,
        undone=state.undone if state is not None else (),
        requested_at_ms=at_ms,
        changed_at_ms=at_ms,
        rounds=rounds,
    )
    return Outcome(new, (_hold(new, "asked"),))


def _forward_ended(state: RollbackState, _message: msg.ForwardEnded, _at_ms: int) -> Outcome:
    if state.status is not _S.ASKED:
        return Outcome(state)
    return Outcome(state, (_hold(state, "ended"),))


def _forward_held(state: RollbackState, _message: msg.ForwardHeld, at_ms: int) -> Outcome:
    if state.over:  # it was cancelled before the execution could be held: let go of it
        return Outcome(state, (_release(state, "late"),))
    if state.status is not _S.ASKED:
        return Outcome(state)
    now = _moved(state, at_ms, "held")
    details = {
        "strategy": state.strategy,
        "to": state.to,
        "steps": state.steps,
        "undone": state.undone,
    }
    return Outcome(now, (Ask("plan", state.number, details),))


def _plan_made(state: RollbackState, plan: msg.PlanMade, at_ms: int) -> Outcome:
    if state.status is not _S.PLANNING:
        return Outcome(state)
    known = {"keys": plan.keys, "left": plan.left, "accepted": plan.accepted}
    state = _renewed(state, at_ms, **known)
    if not plan.keys:
        return _end(state, at_ms)
    if not plan.template_version:
        return Outcome(_moved(state, at_ms, "handed_over"))
    run = child_id(state.id, "run", state.number, at_ms)
    request = ExecutionRequested(
        template_id=template_id(state.execution_id),
        template_version=template_version(state.number),
        category="rollback",
        parameters=plan.parameters,
        requested_by=state.by,
        labels={"rollback_of": state.execution_id},
        trigger=Cause(source=state.id),
    )
    return Outcome(_moved(state, at_ms, "run", run=run), (Tell(run, request, f"req.{run}"),))


def _plan_refused(state: RollbackState, message: msg.PlanRefused, at_ms: int) -> Outcome:
    if state.status is not _S.PLANNING:
        return Outcome(state)
    return _end(_renewed(state, at_ms, left=(message.reason,)), at_ms, message.reason)


def _run_ended(state: RollbackState, message: RunEnded, at_ms: int) -> Outcome:
    if state.status is not _S.RUNNING or message.execution_id != state.run:
        return Outcome(state)
    details = {"run": state.run, "status": message.status}
    return Outcome(_moved(state, at_ms, "ran"), (Ask("account", state.number, details),))


def _accounted(state: RollbackState, message: msg.Accounted, at_ms: int) -> Outcome:
    if state.status is not _S.ACCOUNTING:
        return Outcome(state)
    left = (*state.left, *message.left)[: msg.MOST_LINES]
    return _end(_renewed(state, at_ms, left=left), at_ms, done=message.done)


def _ticked(state: RollbackState, message: msg.ItemTicked, at_ms: int) -> Outcome:
    if why_not_ticked(state, message.item) is not None:
        return Outcome(state)
    known = state.ticks.get(str(message.item))
    said = (message.verdict, message.by, message.comment)
    if known is not None and (known.verdict, known.by, known.comment) == said:
        return Outcome(state)
    tick = Tick(verdict=message.verdict, by=message.by, comment=message.comment, at_ms=at_ms)
    now = _renewed(state, at_ms, ticks={**state.ticks, str(message.item): tick})
    if len(now.ticks) < len(now.keys):
        return Outcome(now)
    return _end_by_hand(now, at_ms, "")


def _cancelled(state: RollbackState, message: msg.RollbackCancelled, at_ms: int) -> Outcome:
    if state.over or state.cancelled_by is not None:
        return Outcome(state)
    now = _renewed(state, at_ms, cancelled_by=message.by, cancel_reason=message.reason)
    if state.status is _S.RUNNING:
        reason = message.reason or f"the rollback was cancelled by {message.by.id}"
        cancel = CancelRequested(by=message.by, reason=reason)
        return Outcome(now, (Tell(state.run, cancel, f"rbc.{state.id}.{state.number}"),))
    if state.status is _S.AWAITING_PEOPLE:
        return _end_by_hand(now, at_ms, _why_cancelled(now))
    if state.status is _S.ACCOUNTING:
        return Outcome(now)
    reason = _why_cancelled(now)
    return _end(_renewed(now, at_ms, left=(reason,)), at_ms, reason)


def _end_by_hand(state: RollbackState, at_ms: int, reason: str) -> Outcome:
    """What was not done remains, in the words of who ticked it off."""
    done: list[str] = []
    left: list[str] = []
    for number, key in enumerate(state.keys, 1):
        tick = state.ticks.get(str(number))
        if tick is not None and tick.verdict == "done":
            done.append(key)
        elif tick is None:
            left.append(f"{key}: not done")
        else:
            left.append(f"{key}: {tick.verdict}" + (f" ({tick.comment})" if tick.comment else ""))
    remains = (*state.left, *left)[: msg.MOST_LINES]
    return _end(_renewed(state, at_ms, left=remains), at_ms, reason, done=tuple(done))


def _why_cancelled(state: RollbackState) -> str:
    who = state.cancelled_by.id if state.cancelled_by is not None else ""
    return f"cancelled by {who}" + (f": {state.cancel_reason}" if state.cancel_reason else "")


def _end(
    state: RollbackState, at_ms: int, reason: str = "", *, done: tuple[str, ...] = ()
) -> Outcome:
    """It is over: say what came of it, and let go of the execution."""
    if not state.left:
        end: _End = "rolled_back"
    elif done or (not state.keys and not reason):
        end = "rollback_incomplete"
    else:
        end = "rollback_failed"
    if not reason and state.cancelled_by is not None:
        reason = _why_cancelled(state)
    undone = tuple(dict.fromkeys((*state.undone, *done)))
    now = _moved(state, at_ms, end, undone=undone, outcome=reason, ended_at_ms=at_ms)
    return Outcome(now, (_release(now, "over", done),))


def _release(state: RollbackState, when: str, done: tuple[str, ...] = ()) -> Tell:
    """Tell the execution what came of a rollback that is over."""
    ended = RollbackEnded(
        number=state.number,
        status=_END[state.status],
        undone=tuple(dict.fromkeys(base(key.partition("/")[0]) for key in done)),
        left=state.left[:20],
        run=state.run,
        reason=state.outcome,
    )
    return Tell(state.execution_id, ended, f"rbo.{state.id}.{state.number}.{when}")


def _hold(state: RollbackState, why: str) -> Tell:
    wanted = RollbackWanted(
        number=state.number,
        strategy=state.strategy,
        to=state.to,
        by=state.by,
        reason=state.reason,
        drain=state.strategy != "immediate",
        again=why == "ended",
    )
    return Tell(state.execution_id, wanted, f"rbw.{state.id}.{state.number}.{why}")


def _round(state: RollbackState) -> Round:
    names = Round.model_fields.keys()
    return Round.model_validate({name: getattr(state, name) for name in names})


def _moved(state: RollbackState, at_ms: int, event: str, **changes: Any) -> RollbackState:
    return _renewed(state, at_ms, status=ROLLBACK.next(state.status, event), **changes)


def _renewed(state: RollbackState, at_ms: int, **changes: Any) -> RollbackState:
    return state.model_copy(update={**changes, "changed_at_ms": at_ms})


_RULES: Final[Mapping[type, Callable[[RollbackState, Any, int], Outcome]]] = {
    msg.ForwardEnded: _forward_ended,
    msg.ForwardHeld: _forward_held,
    msg.PlanMade: _plan_made,
    msg.PlanRefused: _plan_refused,
    RunEnded: _run_ended,
    msg.Accounted: _accounted,
    msg.ItemTicked: _ticked,
    msg.RollbackCancelled: _cancelled,
}
