"""What must be true of a world once everything has ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.publishing import wire_event
from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.approval_subject import subject_of
from shared.workflow.binding import base
from shared.workflow.definition import OnLost
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import WORKFLOW_GATE
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.program import Program
from shared.workflow.replay import HistoryEntry, apply, fold, redecide
from shared.workflow.state import ExecutionState
from tests.simulation.checked import check_counts
from tests.simulation.fleet_checks import check_fleet
from tests.simulation.gate_checks import check_granted
from tests.simulation.system.commands import Leg, Start

_Place = tuple[str, int, int]
"""Step, attempt, leg."""


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is known of one execution."""

    execution_id: str
    program: Program
    state: ExecutionState
    history: Sequence[HistoryEntry]
    appended_at: Mapping[int, float]
    """When each journal entry came, by sequence, in seconds of the loop."""
    cancels: Sequence[int]
    """Sequences of the requests to cancel it."""
    starts: Sequence[Start]
    events: Mapping[str, str]
    """Public events that were published, by id."""


def violations(record: Record) -> Iterator[str]:
    """Whatever is wrong with an execution."""
    for check in (_folds, _decides_again, _walks, _ledger, _published, _cancelled):
        try:
            yield from (f"{record.execution_id}: {found}" for found in check(record))
        except Exception as error:
            yield f"{record.execution_id}: {check.__name__}: {type(error).__name__}: {error}"


def _folds(record: Record) -> Iterator[str]:
    if fold(record.execution_id, record.history) != record.state:
        yield "the stored state is not the fold of the stored history"


def _decides_again(record: Record) -> Iterator[str]:
    if redecide(record.program, record.execution_id, record.history) != record.state:
        yield "deciding the history again leads to another state"


def _walks(record: Record) -> Iterator[str]:
    """Event by event: order, joins, locks, loops, approvals, retries, what stays as it is."""
    state: ExecutionState | None = None
    walk = _Walk(record.program)
    for entry in record.history:
        before = state
        for event in entry.events:
            if state is not None:
                yield from _answered(state, event, entry.message)
                yield from _due(state, event, entry.at_ms)
            state = apply(record.execution_id, state, event, entry.at_ms)
            yield from walk.after(event, entry.message, state)
        if state is not None:
            check_counts(state)
        if before is not None and state is not None:
            yield from _kept(before, state)


class _Walk:
    """What is remembered on the way."""

    def __init__(self, program: Program) -> None:
        self._program = program
        every = program.template.every_step
        self._loops = [s for s in every if s.foreach is not None or s.target.is_fleet]
        self._cancelled = False
        self._started: set[tuple[str, int, int]] = set()
        self._resolved: set[tuple[str, int]] = set()
        self._concluded: set[tuple[str, int]] = set()

    def after(
        self, event: ev.AnyEvent, message: msg.JournalMessage, state: ExecutionState
    ) -> Iterator[str]:
        self._remember(event, message)
        yield from self._starts(event)
        if isinstance(event, ev.StepScheduled):
            yield from self._order(event.step, state)
            yield from self._repetition(event, state)
            self._approved(event, state)
        if isinstance(event, ev.ApprovalGranted):
            if not isinstance(message, msg.ApprovalAnswered):
                yield f"{event.gate} was granted by {message.type}"
            check_granted(state, event.gate)
        if isinstance(event, ev.ExecutionStarted) and WORKFLOW_GATE in state.gates:
            check_granted(state, WORKFLOW_GATE)
        yield from self._limits(state)
        for step in self._loops:
            check_fleet(step, state, event)

    def _remember(self, event: ev.AnyEvent, message: msg.JournalMessage) -> None:
        if isinstance(event, ev.ExecutionCancelling):
            self._cancelled = True
        if isinstance(message, msg.LostResolved):
            self._resolved.add((message.step, message.attempt))
        if isinstance(message, msg.AttemptFinished):
            self._concluded.add((message.step, message.attempt))

    def _starts(self, event: ev.AnyEvent) -> Iterator[str]:
        if not isinstance(event, ev.StepScheduled | ev.StepStarted | ev.StepCalled):
            return
        if self._cancelled and base(event.step) not in self._program.graph.routes.after_cancel:
            yield f"{event.type} of {event.step} after the cancel"
        if isinstance(event, ev.StepStarted):
            leg = (event.step, event.attempt, event.leg)
            if leg in self._started:
                yield f"{leg} started twice"
            self._started.add(leg)

    def _order(self, key: str, state: ExecutionState) -> Iterator[str]:
        """Everything that the author wrote into `depends_on` ended before, or enough of it."""
        steps = self._program.template.every_step
        members: defaultdict[str, list[str]] = defaultdict(list)
        for one in steps:
            members[one.id].append(one.id)
            if one.parallel_group is not None:
                members[one.parallel_group].append(one.id)
        step = self._program.step(key).step
        waits = [member for name in step.depends_on for member in members[name]]
        if step.join == "all":
            early = [name for name in waits if not state.steps[name].ended]
            if early:
                yield f"{key} started before {early}"
            return
        waits = list(self._program.graph.dependencies[base(key)])
        done = [n for n in waits if state.steps[n].status is StepStatus.COMPLETED]
        needed = 1 if step.join == "any" else step.join
        if len(done) < needed:
            yield f"{key} joined with {len(done)} of {needed}"

    def _repetition(self, event: ev.StepScheduled, state: ExecutionState) -> Iterator[str]:
        """A loss is followed by a new attempt only where the policy or a person says so."""
        attempts = state.steps[event.step].attempts
        if not attempts or attempts[-1].outcome != "lost" or event.leg > 0:
            return
        rule = self._program.step(event.step).on_lost
        asked = (event.step, attempts[-1].number)
        if rule is OnLost.FAIL and asked not in self._concluded:
            yield f"{event.step} was lost, and repeated"
        if rule is OnLost.ASK and asked not in self._resolved | self._concluded:
            yield f"{event.step} was repeated without being asked"

    def _approved(self, event: ev.StepScheduled, state: ExecutionState) -> None:
        if self._program.step(event.step).step.approval is None:
            return
        check_granted(state, base(event.step))
        if base(event.step) != event.step:
            return  # a loop is asked about once, with all its items
        gate = state.gates[event.step]
        approved = subject_of(self._program, state, event.step, gate)
        assert approved.digest == gate.subject_hash, "something else was approved"
        assert approved.steps[0].parameters == event.parameters, "something else runs"

    def _limits(self, state: ExecutionState) -> Iterator[str]:
        busy: Counter[str] = Counter()
        locks: Counter[str] = Counter()
        for key, one in state.steps.items():
            if one.ended or one.status is StepStatus.PENDING:
                continue
            step = self._program.step(key).step
            if one.instance is not None:
                busy[step.id] += 1
            elif step.lock is not None:
                locks[step.lock] += 1
        for name, count in busy.items():
            foreach = self._program.step(name).step.foreach
            if foreach is not None and count > foreach.concurrency:
                yield f"{count} instances of {name} at once, {foreach.concurrency} are allowed"
        yield from (f"{n} steps hold the lock {lock}" for lock, n in locks.items() if n > 1)


def _due(state: ExecutionState, event: ev.AnyEvent, at_ms: int) -> Iterator[str]:
    """A timer takes effect when it is due, not when an earlier setting of it was."""
    if isinstance(event, ev.TimerCleared) and event.fired:
        early_ms = state.timers[event.timer].due_ms - at_ms
        if early_ms > 0:
            yield f"the timer {event.timer} took effect {early_ms} ms early"


def _answered(
    state: ExecutionState, event: ev.AnyEvent, message: msg.JournalMessage
) -> Iterator[str]:
    """An approval counts for what the gate asks about at that moment."""
    if not isinstance(event, ev.ApprovalVoted | ev.ApprovalGranted):
        return
    gate = gate_of(state, event.gate)
    said = getattr(message, "subject_hash", "")
    if gate.needs_hash and said != gate.subject_hash:
        yield f"{event.gate} took an approval of {said[:8]} for {gate.subject_hash[:8]}"


def _kept(before: ExecutionState, after: ExecutionState) -> Iterator[str]:
    """What is recorded stays as it is."""
    held = after.status is ExecutionStatus.ROLLING_BACK
    if before.ended and not held and after.status is not before.status:
        yield "its end changed"
    if before.ended and after.outputs != before.outputs:
        yield "its outputs changed"
    for name, step in before.steps.items():
        now = after.steps[name]
        if now.attempts[: len(step.attempts)] != step.attempts:
            yield f"a recorded attempt of {name} changed"
        if step.ended and now != step:
            yield f"{name} changed after its end"


@dataclass(slots=True)
class _Decided:
    """What the history says of each leg, by step, attempt and leg."""

    scheduled: dict[_Place, ev.StepScheduled] = field(default_factory=dict)
    granted: dict[_Place, tuple[str, int]] = field(default_factory=dict)
    """To which agent, with which fencing token."""
    ended: dict[tuple[str, int], float] = field(default_factory=dict)
    """When the first entry came that ended an attempt, in seconds of the loop."""

    def take(self, event: ev.AnyEvent, seq: int, at_s: float) -> None:
        if isinstance(event, ev.StepStarted):
            self.granted[event.step, event.attempt, event.leg] = (event.agent, seq)
        elif isinstance(event, ev.StepScheduled):
            self.scheduled[event.step, event.attempt, event.leg] = event
        elif isinstance(event, ev.StepEnded):
            self.ended.setdefault((event.step, event.attempt), at_s)

    def end_of(self, step: str, attempt: int) -> float | None:
        """When this attempt, or a later one, had ended."""
        return min(
            (at for (s, a), at in self.ended.items() if s == step and a >= attempt), default=None
        )


def _ledger(record: Record) -> Iterator[str]:
    """What changes something began at most once per leg, by leave, as told, and not too late."""
    decided = _Decided()
    for entry in record.history:
        for event in entry.events:
            decided.take(event, entry.seq, record.appended_at[entry.seq])
    begun: Counter[Leg] = Counter()
    for start in record.starts:
        place = start.leg[1:]
        order = decided.scheduled.get(place)
        if order is None:
            yield f"{place} began and was never scheduled"
        elif (start.command, start.parameters) != (order.command, order.parameters):
            yield f"{place} began as {start.parameters}, not as {order.parameters}"
        if record.program.step(place[0]).must_claim:
            begun[start.leg] += 1
            yield from _claimed(start, begun[start.leg], decided)


def _claimed(start: Start, count: int, decided: _Decided) -> Iterator[str]:
    place = start.leg[1:]
    if count > 1:
        yield f"{place} began {count} times"
    granted = decided.granted.get(place)
    if granted != (start.agent, start.fence):
        yield f"{place} began on {start.agent} with {start.fence}, granted was {granted}"
    end_s = decided.end_of(place[0], place[1])
    if end_s is not None and start.at_s > end_s:
        yield f"{place} began {start.at_s - end_s:.3f} s after its end"


def _published(record: Record) -> Iterator[str]:
    """Every public event was published, as it was decided."""
    version = 0
    state: ExecutionState | None = None
    for entry in record.history:
        for event in entry.events:
            version += 1
            state = apply(record.execution_id, state, event, entry.at_ms)
            if not event.PUBLIC:
                continue
            wire = wire_event(state, event, version, entry.at_ms)
            found = record.events.get(wire.id)
            if found is None:
                yield f"the event {wire.id} ({event.type}) was never published"
            elif found != wire.read().model_dump_json():
                yield f"the event {wire.id} was published as something else"


def _cancelled(record: Record) -> Iterator[str]:
    """What is cancelled before its end does not complete."""
    if not record.state.status.value.startswith("completed"):
        return
    end = max(entry.seq for entry in record.history for e in entry.events if not _is_note(e))
    if any(seq < end for seq in record.cancels):
        yield f"it completed at {end} though a cancel came at {record.cancels}"


def _is_note(event: ev.AnyEvent) -> bool:
    """Events that may come after the end: what is said of it."""
    return not event.type.startswith("execution.")
