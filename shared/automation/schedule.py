"""The turn of a schedule: a timer is due, a run has ended, somebody asks for something.

The law:

* A moment is started, missed, overlapped, dropped or refused, and that is kept with its reason.
* The id of an execution follows from the schedule, its edition and the moment: two coordinators
  that decide the same start one.
* A timer counts only in the generation in which it was set: whatever is changed makes every timer
  before it stale.
* The next timer is set by the turn that took the one before. A turn that comes late takes
  everything that was due meanwhile, and nothing twice. How late it is the journal says: when
  a timer has fired, nobody may be there for hours, so a turn first states that it is taken, and
  what is due is decided on the first such statement. No replay can see it otherwise.
* While it is paused nothing is due, and nothing counts as missed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from shared.automation.messages import (
    AnyRequest,
    AutomationMessage,
    Paused,
    Request,
    Resumed,
    RunEnded,
    Saved,
    TimerTaken,
)
from shared.automation.orders import (
    CancelRun,
    ClearTimers,
    Found,
    Order,
    Outcome,
    SetTimer,
    StartRun,
    TakeTimer,
)
from shared.automation.requests import answered, done, refusal
from shared.automation.specs import ScheduleSpec
from shared.automation.starting import requested
from shared.automation.states import (
    RECENT,
    RUNS,
    Firing,
    Run,
    ScheduleState,
    changed,
    counted,
    newest,
)
from shared.automation.timetable import digest, jitter_ms
from shared.workflow.identity import time_sorted_id
from shared.workflow.messages import Actor, Cause, TimerFired

TIMER: Final = "due"
CHANGED: Final = "the schedule was changed, paused or deleted before it could start"
MOST_DUE: Final = 10_000
"""Moments that one turn looks at; more than so many that were missed are not counted."""


def schedule_turn(
    state: ScheduleState | None,
    schedule_id: str,
    message: AutomationMessage,
    at_ms: int,
    found: Found | None,
) -> Outcome:
    """Decide one message. `found` is the template as it is now."""
    if isinstance(message, Request):
        return _request(state, schedule_id, message, at_ms, found)
    if state is None:
        return Outcome(None)
    turn = _Turn(state, at_ms, found)
    if isinstance(message, RunEnded):
        turn.run_ended(message)
    elif isinstance(message, TimerFired | TimerTaken) and _counts(state, message):
        if isinstance(message, TimerFired):
            turn.orders.append(TakeTimer(message.timer, message.generation))
        else:
            turn.due()
    return turn.outcome()


def _counts(state: ScheduleState, fired: TimerFired | TimerTaken) -> bool:
    return state.status == "active" and fired.generation == state.generation


def _request(
    state: ScheduleState | None,
    schedule_id: str,
    request: AnyRequest,
    at_ms: int,
    found: Found | None,
) -> Outcome:
    refused = refusal(state, request)
    if state is None:
        if refused or not isinstance(request, Saved) or not isinstance(request.spec, ScheduleSpec):
            return Outcome(None)
        return _created(schedule_id, request, request.spec, at_ms)
    if refused:
        return Outcome(answered(state, request, refused))
    turn = _Turn(done(state, request, at_ms), at_ms, found)
    turn.rewritten(request)
    return turn.outcome()


def _created(schedule_id: str, request: Saved, spec: ScheduleSpec, at_ms: int) -> Outcome:
    state = ScheduleState(
        id=schedule_id,
        spec=spec,
        anchor_ms=at_ms,
        created_by=request.by,
        created_at_ms=at_ms,
        changed_by=request.by,
        changed_at_ms=at_ms,
    )
    turn = _Turn(answered(state, request), at_ms, None)
    turn.set_next(at_ms)
    return turn.outcome()


@dataclass(slots=True)
class _Turn:
    state: ScheduleState
    at_ms: int
    found: Found | None
    orders: list[Order] = field(default_factory=list)
    counts: list[tuple[str, int]] = field(default_factory=list)

    def outcome(self) -> Outcome:
        return Outcome(self.state, tuple(self.orders), tuple(self.counts))

    def rewritten(self, request: Request) -> None:
        """After a request: the timer is another one, and what nobody wants any more is said."""
        if not isinstance(request, Resumed):
            self._drop_pending()
        if not isinstance(request, Paused | Resumed):
            self._drop_waiting()
        if isinstance(request, Saved):
            self._set(anchor_ms=self.at_ms)
        if self.state.status == "active":
            self.set_next(self.at_ms)
            self._take_waiting()
        else:
            self.orders.append(ClearTimers())
            self._set(next_ms=None, due_ms=None)

    def _drop_pending(self) -> None:
        """A moment that has come, and whose delay has not passed yet."""
        moment = self.state.next_ms
        if moment is not None and moment <= self.at_ms:
            self._keep(moment, "dropped", CHANGED)

    def _drop_waiting(self) -> None:
        for moment in self.state.waiting:
            self._keep(moment, "dropped", CHANGED)
        self._set(waiting=())

    def run_ended(self, ended: RunEnded) -> None:
        """An earlier run is over: what waits for it may start."""
        runs = tuple(r for r in self.state.runs if r.execution_id != ended.execution_id)
        recent = tuple(
            f.model_copy(update={"ended": ended.status, "reason": ended.reason or f.reason})
            if f.execution_id == ended.execution_id
            else f
            for f in self.state.recent
        )
        self._set(runs=runs, recent=recent)
        self._take_waiting()

    def due(self) -> None:
        """The timer: everything that is due by now, and the timer after it."""
        moments, further = self._moments()
        late = [m for m in moments if self._lateness(m) > self.state.spec.missed_after_s * 1_000]
        wanted = self._wanted(moments, len(late))
        missed = [m for m in moments if m not in wanted]
        if missed:
            self._keep(
                missed[0],
                "missed",
                f"nothing was there to start it in time (missed: {self.state.spec.missed})",
                count=len(missed),
                until_ms=missed[-1],
            )
        for moment in wanted:
            self._run(moment)
        self.set_next(further)

    def _moments(self) -> tuple[list[int], int]:
        """What is due, oldest first, and from when on to look for the next."""
        found: list[int] = []
        moment = self.state.next_ms
        last = self.at_ms
        while moment is not None and moment + self._jitter(moment) <= self.at_ms:
            found.append(moment)
            last = moment
            if len(found) == MOST_DUE:
                return found, self.at_ms
            moment = self.state.spec.timetable.next_after(moment, self.state.anchor_ms)
        return found, last if found else (self.state.next_ms or self.at_ms) - 1

    def _wanted(self, moments: list[int], late: int) -> list[int]:
        """Which of them are run, by what is to be done about those that were missed."""
        if not late or self.state.spec.missed == "skip":
            return moments[late:]
        most = 1 if self.state.spec.missed == "run_once" else self.state.spec.max_catch_up
        return moments[-most:]

    def _run(self, moment: int) -> None:
        overlap = self.state.spec.overlap
        if not self.state.runs or overlap == "allow":
            self._start(moment)
        elif overlap == "skip":
            self._keep(moment, "overlapped", f"{self.state.runs[-1].execution_id} still goes on")
        elif overlap == "queue":
            self._wait(moment)
        else:
            for run in self.state.runs:
                self.orders.append(CancelRun(run.execution_id, "a newer run of its schedule began"))
            self._start(moment)

    def _wait(self, moment: int) -> None:
        most = self.state.spec.max_queued
        if len(self.state.waiting) >= most:
            self._keep(moment, "dropped", f"{most} runs wait already (max_queued)")
            return
        self._set(waiting=(*self.state.waiting, moment))
        self._keep(moment, "queued", f"waits for {self.state.runs[-1].execution_id}")

    def _take_waiting(self) -> None:
        open_now = self.state.status in ("active", "finished")
        while open_now and self.state.waiting and not self.state.runs:
            moment, *rest = self.state.waiting
            self._set(waiting=tuple(rest))
            self._start(moment)

    def _start(self, moment: int) -> None:
        state = self.state
        request = requested(
            state.spec,
            state.spec.parameters,
            self.found,
            Actor(kind="schedule", id=state.id),
            Cause(
                kind="scheduled",
                source=state.id,
                moment_ms=moment,
                evidence={"schedule": state.spec.name, "edition": state.edition},
            ),
        )
        if isinstance(request, str):
            self._keep(moment, "refused", request)
            return
        execution_id = run_id(state.id, state.edition, moment)
        self.orders.append(StartRun(execution_id, request))
        run = Run(execution_id=execution_id, moment_ms=moment)
        self._set(runs=newest(state.runs, run, RUNS))
        self._keep(
            moment,
            "started",
            execution_id=execution_id,
            template_version=request.template_version,
        )

    def set_next(self, after_ms: int) -> None:
        """Set the timer of the first moment after `after_ms`."""
        moment = self.state.spec.timetable.next_after(after_ms, self.state.anchor_ms)
        generation = self.state.generation + 1
        if moment is None:
            self.orders.append(ClearTimers())
            self._set(
                status="finished",
                reason="its timetable has no further moment",
                next_ms=None,
                due_ms=None,
                generation=generation,
            )
            return
        due_ms = moment + self._jitter(moment)
        self._set(next_ms=moment, due_ms=due_ms, generation=generation)
        self.orders.append(SetTimer(TIMER, due_ms, generation))

    def _lateness(self, moment: int) -> int:
        return self.at_ms - moment - self._jitter(moment)

    def _jitter(self, moment: int) -> int:
        state = self.state
        return jitter_ms(state.id, state.edition, moment, state.spec.jitter_s)

    def _keep(self, moment: int, outcome: Any, reason: str = "", **values: Any) -> None:
        firing = Firing(
            moment_ms=moment, at_ms=self.at_ms, outcome=outcome, reason=reason, **values
        )
        self.counts.append((outcome, firing.count))
        self._set(
            recent=newest(self.state.recent, firing, RECENT),
            counts=counted(self.state.counts, outcome, firing.count),
        )

    def _set(self, **values: Any) -> None:
        self.state = changed(self.state, **values)


def run_id(schedule_id: str, edition: int, moment_ms: int) -> str:
    """The id of the execution of one moment: the same wherever and whenever it is decided."""
    return time_sorted_id("ex", moment_ms, digest(schedule_id, edition, moment_ms))
