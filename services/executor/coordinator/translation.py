"""From events to effects: what the world must do after a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from services.executor.coordinator.family import Family
from services.executor.placement import Placement
from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.contracts.claims import ClaimDecision
from shared.contracts.publishing import wire_event
from shared.contracts.run_validation import validation_task
from shared.contracts.tasks import StopOrder, Task, unplaced
from shared.ports.effects import Effects
from shared.ports.journal import TimerOrder
from shared.rollback.messages import ForwardEnded, ForwardHeld, RollbackRequested
from shared.rollback.state import rollback_id
from shared.workflow import events as ev
from shared.workflow.concurrency_key import SlotFreed, SlotWanted, key_id
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import JOURNAL_MESSAGE, AttemptStarted, TimerFired
from shared.workflow.selecting import resolved
from shared.workflow.state import ExecutionState
from shared.workflow.validating import REFUSED
from shared.workflow.validation_events import ExecutionValidating

Agents = Callable[[], Sequence[AgentRecord]]


_WITH_TASK: Final = (StepStatus.SCHEDULED, StepStatus.RUNNING, StepStatus.STOPPING)


_UNWANTED: Final = (ev.StepCancelled, ev.StepMarked)
"""After these nobody is to take what was scheduled."""


class Translator:
    """Turns the events of one decision into effects."""

    def __init__(self, effects: Effects, agents: Agents) -> None:
        self._effects = effects
        self._agents = agents
        self._placement = Placement()
        self._family = Family(effects)

    def carry_out(
        self,
        before: ExecutionState | None,
        after: ExecutionState,
        events: Sequence[ev.AnyEvent],
        at_ms: int,
        *,
        again: bool,
    ) -> None:
        """Collect the effects of `events`, which led from `before` to `after` at `at_ms`.

        `again`: they may have been carried out before a crash.
        """
        version = before.version if before is not None else 0
        for event in events:
            version += 1
            if event.PUBLIC:
                self._effects.event(wire_event(after, event, version, at_ms))
            self._carry_out(after, event, version, again=again)
        if any(isinstance(event, _UNWANTED) for event in events):
            self._withdraw(before, after, events, again=again)
        if not after.ended or (before is not None and before.over):
            return
        self._tell_rollback(after)
        if after.parent is not None:  # also of what was over in its first moment
            self._family.to_parent(after, after.parent)
        else:
            self._family.to_source(after.execution_id, after.trigger, *_end_of(after))
        if before is not None and before.timers:
            self._effects.forget(after.execution_id, timers=True, tasks=False)

    def _carry_out(
        self, after: ExecutionState, event: ev.AnyEvent, version: int, *, again: bool
    ) -> None:
        match event:
            case ev.StepScheduled() | ExecutionValidating():
                self._task(after, event, again=again)
            case ev.StepStopping() | ev.StepRevoked():
                self._effects.stop(_stop_order(after, event))
            case ev.TimerSet():
                self._effects.timer(_timer_order(after, event))
            case ev.TimerCleared(fired=False):
                self._clear(after.execution_id, event.timer, again=again)
            case ev.StepTargeting():
                self._targets(after.execution_id, event)
            case ev.SlotAsked() | ev.SlotReleased():
                self._to_key(after, event, version)
            case ev.ExecutionRollbackRequested(number=0):
                self._ask_for_rollback(after.execution_id, event)
            case ev.ExecutionRollingBack():
                held = ForwardHeld(number=event.number)
                actor = rollback_id(after.execution_id)
                self._effects.append(actor, held, f"rbh.{after.execution_id}.{event.number}")
            case ev.StepCalled() | ev.StepRelayed() | ev.StepRecalled():
                self._family.to_child(after, event, version)
            case _:
                pass

    def _clear(self, execution_id: str, timer: str, *, again: bool) -> None:
        """Where this was carried out before, a later setting of the same name may be there, which
        would not be sent again: one that is stale does no harm when it fires."""
        if not again:
            self._effects.clear_timer(execution_id, timer)

    def _ask_for_rollback(self, execution_id: str, event: ev.ExecutionRollbackRequested) -> None:
        """A policy wants it rolled back."""
        message_id = f"rba.{execution_id}"
        wish = RollbackRequested(
            execution_id=execution_id,
            strategy=event.strategy,
            to=event.to,
            steps=event.steps,
            by=event.by,
            reason=event.reason,
            request=message_id,
        )
        self._effects.append(rollback_id(execution_id), wish, message_id)

    def _tell_rollback(self, after: ExecutionState) -> None:
        """It has ended, and somebody waits for that to roll it back."""
        rollback = after.rollback
        if rollback is not None and rollback.number and rollback.status == "requested":
            ended = ForwardEnded(number=rollback.number)
            actor = rollback_id(after.execution_id)
            self._effects.append(actor, ended, f"rbe.{after.execution_id}.{rollback.number}")

    def _to_key(
        self, after: ExecutionState, event: ev.SlotAsked | ev.SlotReleased, version: int
    ) -> None:
        """Tell a concurrency key; `version` is the event's number, and so unlike any other's."""
        execution_id = after.execution_id
        message: SlotWanted | SlotFreed
        if isinstance(event, ev.SlotAsked):
            message = SlotWanted(
                key=event.key,
                execution_id=execution_id,
                slot=event.slot,
                limit=event.limit,
                on_conflict=event.on_conflict,
            )
        else:
            message = SlotFreed(execution_id=execution_id, slot=event.slot)
        self._effects.append(key_id(event.key), message, f"k.{execution_id}.{version}")

    def answer(self, claim: AttemptStarted, after: ExecutionState) -> None:
        """Tell the agent what became of its claim: whatever `after` says, and that alone."""
        step = after.steps.get(claim.step)
        granted = (
            step is not None
            and step.status in (StepStatus.RUNNING, StepStatus.STOPPING)
            and (step.attempt, step.leg, step.agent) == (claim.attempt, claim.leg, claim.agent)
        )
        self._effects.decided(
            ClaimDecision(
                execution_id=after.execution_id,
                step=claim.step,
                attempt=claim.attempt,
                leg=claim.leg,
                agent=claim.agent,
                granted=granted,
                fence=step.fence if granted and step is not None else 0,
            )
        )

    def _withdraw(
        self,
        before: ExecutionState | None,
        after: ExecutionState,
        events: Sequence[ev.AnyEvent],
        *,
        again: bool,
    ) -> None:
        """No runner shall take what was scheduled and is now cancelled.

        The tasks of steps that still run stay: they tell of a runner that dies. So do those of
        steps that are to run at any end. Where this was carried out before, tasks of later steps
        may be there: those of each step go by themselves.
        """
        queued = {e.step for e in events if isinstance(e, ev.StepScheduled)}
        if before is not None:
            queued |= {s for s, step in before.steps.items() if step.status is StepStatus.SCHEDULED}
        cancelled = [e.step for e in events if isinstance(e, _UNWANTED) and e.step in queued]
        alone = not any(step.status in _WITH_TASK for step in after.steps.values())
        if cancelled and alone and not again:
            self._effects.forget(after.execution_id, timers=False, tasks=True)
            return
        for step in cancelled:
            self._effects.withdraw(after.execution_id, step)

    def _targets(self, execution_id: str, event: ev.StepTargeting) -> None:
        """Whom a fleet runs on is said once: the answer is taken that comes first."""
        answer = resolved(event, self._agents())
        self._effects.append(execution_id, answer, f"t.{execution_id}.{event.step}.{event.asked}")

    def _task(
        self, state: ExecutionState, event: ev.StepScheduled | ExecutionValidating, *, again: bool
    ) -> None:
        if isinstance(event, ExecutionValidating):
            self._effects.task(subjects.pool_validator(), validation_task(state), again=again)
            return
        task = Task(
            execution_id=state.execution_id,
            template_id=state.template_id,
            step=event.step,
            attempt=event.attempt,
            leg=event.leg,
            command=event.command,
            parameters=event.parameters,
            timeout_s=event.timeout_s,
            requirement=event.requirement,
            sensitive=event.sensitive,
            token=event.token,
            offer=event.offer,
            must_claim=event.must_claim,
            late=event.late,
            rate_limit=event.rate_limit,
            hurried=event.hurried,
            capture=event.capture,
        )
        pool, reason = self._placement.place(event.requirement, self._agents())
        if pool is None:
            self._effects.append(task.execution_id, unplaced(task, reason), f"u.{task.offer_id}")
        else:
            self._effects.task(pool, task, again=again)


def _end_of(state: ExecutionState) -> tuple[str, str]:
    """How an execution ended, for who started it, and why where it never began."""
    failure = state.failure
    if failure is not None and failure.code == REFUSED:
        return "refused", failure.message
    return state.status.value, ""


def _stop_order(state: ExecutionState, event: ev.StepStopping | ev.StepRevoked) -> StopOrder:
    """What is revoked is stopped where it was claimed: another agent may run it by right."""
    return StopOrder(
        execution_id=state.execution_id,
        step=event.step,
        attempt=event.attempt,
        leg=event.leg,
        agent=event.agent if isinstance(event, ev.StepRevoked) else "",
    )


def _timer_order(state: ExecutionState, event: ev.TimerSet) -> TimerOrder:
    fired = TimerFired(timer=event.timer, generation=event.generation)
    return TimerOrder(
        execution_id=state.execution_id,
        name=event.timer,
        due_ms=event.due_ms,
        payload=JOURNAL_MESSAGE.dump_json(fired),
    )
