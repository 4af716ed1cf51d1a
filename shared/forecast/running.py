"""One simulated run: the real core, and a world around it that does what was drawn.

* An agent begins `DISPATCH_MS` after a step is offered, and reports when the drawn time is over.
  One that is told to stop stops. Where nobody is there to run it, it is offered in vain.
* People approve, after a while; what a step waits for happens. Slots of concurrency keys are free.
* Time is that of the messages; nothing waits for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.forecast import priors
from shared.forecast.assumed import assumed, selects_by_unknown
from shared.forecast.drawing import Draws, Fate
from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.decide import decide
from shared.workflow.definition import OnLost
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.messages import Entry, JournalMessage
from shared.workflow.program import Program
from shared.workflow.selecting import LiveAgent, resolved
from shared.workflow.state import ExecutionState

BEGIN_MS: Final = 1_000_000
"""When runs are requested. Times of runs are counted from then."""
DISPATCH_MS: Final = round(priors.DISPATCH_S * 1000)
MAX_MESSAGES: Final = 20_000
"""A run that needs more is given up, and counts as one that does not succeed."""
_SUCCEEDED: Final = (ExecutionStatus.COMPLETED, ExecutionStatus.COMPLETED_WITH_ERRORS)
_PEOPLE: Final = msg.Actor(id="approver")


@dataclass(frozen=True, slots=True)
class Span:
    """When a step that ran began and ended, in milliseconds from the request of its run."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one run. `spans` has the steps that ran; `failed_step` is the one that made it
    fail, with the `code` of its failure."""

    status: str
    succeeded: bool
    lasted_ms: int
    spans: Mapping[str, Span]
    ends: Mapping[str, str]
    failed_step: str = ""
    code: str = ""
    messages: int = 0


@dataclass(order=True, slots=True)
class _Due:
    at_ms: int
    tie: int
    message: JournalMessage


class Stage:
    """Where the runs of one forecast are played: the program, the draws, the live agents."""

    def __init__(
        self,
        program: Program,
        parameters: Mapping[str, Any],
        draws: Draws,
        agents: Sequence[LiveAgent] | None,
    ) -> None:
        self.draws = draws
        self.agents = agents
        self.parameters = dict(parameters)
        self.people = _people(program)
        self.run = 0
        self.program = assumed(program, self, parameters)

    def play(self, run: int) -> Played:
        """Run number `run`, from its request to its end."""
        self.run = run
        return _Play(self, run).play()

    def holds(self, step: str, place: int) -> bool:
        """Whether a condition holds in the run at hand."""
        return self.draws.holds(self.run, step, place)

    def round_ends(self, step: str) -> bool:
        """Whether what `until` waits for holds in the run at hand."""
        return self.draws.round_ends(self.run, step)

    def instances(self, step: str) -> int:
        """How many items a list has in the run at hand."""
        return self.draws.instances(self.run, step)


def execution_id(run: int) -> str:
    """The name of a simulated run. Delays of retries are spread by it."""
    return f"forecast-{run}"


class _Play:
    def __init__(self, stage: Stage, run: int) -> None:
        self._stage = stage
        self._run = run
        self._id = execution_id(run)
        self._state: ExecutionState | None = None
        self._inbox: list[_Due] = []
        self._now = BEGIN_MS
        self._sent = 0
        self._taken = 0
        self._began: dict[str, int] = {}

    def play(self) -> Played:
        template = self._stage.program.template
        request = msg.ExecutionRequested(
            template_id=template.id,
            template_version=template.version,
            parameters=self._stage.parameters,
        )
        self._send(0, request)
        while self._inbox and self._taken < MAX_MESSAGES:
            self._take(heapq.heappop(self._inbox))
            if self._state is not None and self._state.ended:
                break
        return self._played()

    def _take(self, due: _Due) -> None:
        self._taken += 1
        self._now = max(self._now, due.at_ms)
        entry = Entry.model_construct(
            execution_id=self._id, seq=self._taken, at_ms=self._now, message=due.message
        )
        decided = decide(self._stage.program, self._state, entry)
        self._state = decided.state
        for event in decided.events:
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event)

    def _send(self, delay_ms: int, message: JournalMessage) -> None:
        self._sent += 1
        heapq.heappush(self._inbox, _Due(self._now + delay_ms, self._sent, message))

    def _scheduled(self, event: ev.StepScheduled) -> None:
        self._began.setdefault(event.step, self._now)
        place: dict[str, Any] = {"step": event.step, "attempt": event.attempt, "leg": event.leg}
        drawn = self._stage.draws.attempt(self._run, event.step, event.attempt)
        if drawn.fate is Fate.ABSENT:
            absent = msg.AttemptUnplaced(**place, offer=event.offer, reason="no live agent fits")
            self._send(0, absent)
            return
        place["agent"] = _target_of(event)
        self._send(DISPATCH_MS, msg.AttemptStarted(**place))
        ended_ms = DISPATCH_MS + drawn.lasted_ms
        if drawn.fate is Fate.LOST:
            self._send(ended_ms, msg.AttemptLost(**place, reason="its agent died"))
            return
        begun_ms = self._now + DISPATCH_MS
        finished = msg.AttemptFinished(
            **place,
            outcome=_OUTCOMES[drawn.fate],
            failure=_failure(drawn.fate),
            started_at_ms=begun_ms,
            finished_at_ms=begun_ms + drawn.lasted_ms,
        )
        self._send(ended_ms, finished)

    def _stopping(self, event: ev.StepStopping) -> None:
        proof = msg.Proof(gone=True, reason="it was told to stop")
        stopped = msg.AttemptFinished(
            step=event.step,
            attempt=event.attempt,
            leg=event.leg,
            outcome="cancelled",
            proof=proof,
        )
        self._send(DISPATCH_MS, stopped)

    def _lost(self, event: ev.StepLost) -> None:
        if self._stage.program.step(event.step).on_lost is OnLost.ASK:
            verdict = msg.LostResolved(step=event.step, attempt=event.attempt, verdict="failed")
            self._send(self._stage.draws.verdict_ms(self._run), verdict)

    def _timer_set(self, event: ev.TimerSet) -> None:
        fired = msg.TimerFired(timer=event.timer, generation=event.generation)
        self._send(max(event.due_ms - self._now, 0), fired)

    def _asked(self, event: ev.ApprovalRequested) -> None:
        people = self._stage.people.get(event.gate, self._stage.people.get(event.step, 1))
        if event.step:
            wait_ms = self._stage.draws.wait_ms(self._run, event.step, people)
        else:
            wait_ms = int(self._stage.draws.workflow_wait_ms(people)[self._run])
        answer = msg.ApprovalAnswered(
            gate=event.gate,
            subject_hash=event.subject_hash,
            by=_PEOPLE,
            role="admin",
            approved=True,
        )
        self._send(wait_ms, answer)

    def _awaiting(self, event: ev.StepAwaiting) -> None:
        for index, name in enumerate(event.signals):
            signal = msg.SignalReceived(id=f"{event.step}-{index}", name=name)
            self._send(self._stage.draws.wait_ms(self._run, event.step), signal)

    def _called(self, event: ev.StepCalled) -> None:
        self._began.setdefault(event.step, self._now)
        drawn = self._stage.draws.attempt(self._run, event.step, event.attempt)
        status = "completed" if drawn.fate is Fate.SUCCEEDED else "failed"
        self._send(drawn.lasted_ms, self._child_ended(event, status))

    def _recalled(self, event: ev.StepRecalled) -> None:
        self._send(DISPATCH_MS, self._child_ended(event, "cancelled"))

    @staticmethod
    def _child_ended(event: ev.StepCalled | ev.StepRecalled, status: str) -> msg.ChildEnded:
        return msg.ChildEnded(
            step=event.step, attempt=event.attempt, child=event.child, status=status
        )

    def _targeting(self, event: ev.StepTargeting) -> None:
        agents = self._stage.agents
        selector = self._stage.program.step(event.step).selector
        if agents is None or selects_by_unknown(selector, self._stage.parameters):
            # as many as a list that is not known has
            count = max(self._stage.draws.instances(self._run, event.step), 1)
            targets = tuple(msg.TargetAgent(name=f"agent-{index}") for index in range(count))
            answer = msg.TargetsResolved(
                step=event.step, asked=event.asked, targets=targets, matched=count, live=count
            )
        else:
            answer = resolved(event, agents)
        self._send(0, answer)

    def _slot_asked(self, event: ev.SlotAsked) -> None:
        self._send(0, msg.SlotGranted(slot=event.slot, key=event.key))

    def _played(self) -> Played:
        state = self._state
        if state is None or not state.ended:
            return Played("undecided", False, self._now - BEGIN_MS, {}, {}, messages=self._taken)
        spans: dict[str, Span] = {}
        for name, step in state.steps.items():
            began_ms = self._began.get(name, step.started_at_ms)
            if began_ms and step.instance is None:
                ended_ms = step.ended_at_ms or state.ended_at_ms
                spans[name] = Span(began_ms - BEGIN_MS, ended_ms - BEGIN_MS)
        stop = state.stop
        failure = (stop.failure if stop is not None else None) or state.failure
        return Played(
            status=state.status.value,
            succeeded=state.status in _SUCCEEDED,
            lasted_ms=state.ended_at_ms - BEGIN_MS,
            spans=spans,
            ends={n: s.status.value for n, s in state.steps.items() if s.instance is None},
            failed_step=(stop.step or "") if stop is not None else "",
            code=failure.code if failure is not None else "",
            messages=self._taken,
        )


def _people(program: Program) -> dict[str, int]:
    """How many must answer at each gate, by its name or its step."""
    policies = program.template.policies
    rules = {step.id: step.asks for step in program.template.every_step}
    found = {name: rule.quorum for name, rule in rules.items() if rule is not None}
    return {**found, "workflow": policies.approval.quorum if policies.approval else 1}


def _target_of(event: ev.StepScheduled) -> str:
    return event.requirement.agent or "agent"


def _failure(fate: Fate) -> msg.Failure | None:
    if fate is Fate.FAILED:
        return msg.Failure(code="failed", message="it was drawn to fail")
    if fate is Fate.FAILED_FOR_GOOD:
        return msg.Failure(code="failed", message="it was drawn to fail for good", retryable=False)
    return None


_OUTCOMES: Final[Mapping[Fate, Any]] = {
    Fate.SUCCEEDED: "succeeded",
    Fate.FAILED: "failed",
    Fate.FAILED_FOR_GOOD: "failed",
    Fate.TIMED_OUT: "timed_out",
}

_REACTIONS: Final[Mapping[type, Callable[[_Play, Any], None]]] = {
    ev.StepScheduled: _Play._scheduled,
    ev.StepStopping: _Play._stopping,
    ev.StepLost: _Play._lost,
    ev.TimerSet: _Play._timer_set,
    ev.ApprovalRequested: _Play._asked,
    ev.StepAwaiting: _Play._awaiting,
    ev.StepCalled: _Play._called,
    ev.StepRecalled: _Play._recalled,
    ev.StepTargeting: _Play._targeting,
    ev.SlotAsked: _Play._slot_asked,
}
