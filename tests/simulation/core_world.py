"""A seeded world around the pure core: agents, timers and people that misbehave.

The world keeps to what is promised elsewhere and to nothing more:

* A claim is in the journal before anything is run, so nothing that a run causes comes before it;
  a result may overtake the claim.
* Whatever is silent is found out: a task that is not answered comes back as lost.
* Any message may come late, twice, or when nobody wants it any more.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.approval_subject import subject_of
from shared.workflow.binding import base
from shared.workflow.definition import OnLost
from shared.workflow.gate_state import WORKFLOW_GATE
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Entry, JournalMessage
from shared.workflow.program import compile_template
from shared.workflow.replay import HistoryEntry, apply, fold, redecide
from shared.workflow.state import ExecutionState
from tests.simulation.checked import Transition, checked_decide
from tests.simulation.core_templates import COMMANDS, PEOPLE, random_template
from tests.simulation.fleet_checks import check_fleet, some_targets
from tests.simulation.gate_checks import check_granted

MAX_ENTRIES = 5_000
"""More than any execution here needs: reaching it means that the engine goes round in circles."""
STRANGER = "stranger"


@dataclass(order=True)
class _Delivery:
    at_ms: int
    tie: int
    message: JournalMessage = field(compare=False)


class CoreWorld:
    """One execution of one random template, from its request until nothing happens any more."""

    make_template = staticmethod(random_template)

    def __init__(self, seed: int, seen: set[Transition] | None = None) -> None:
        self.rng = random.Random(seed)
        self.template = self.make_template(self.rng)
        self.program = compile_template(self.template, COMMANDS)
        self.state: ExecutionState | None = None
        self.history: list[HistoryEntry] = []
        self._seen = seen
        self._execution_id = f"x{seed}"
        self._inbox: list[_Delivery] = []
        self._tie = 0
        self._now = 1_700_000_000_000
        self._agents = [f"agent{index}" for index in range(3)]
        self._places_refused = 0
        self._claimed: set[tuple[str, int, int]] = set()
        self._started_legs: set[tuple[str, int, int]] = set()
        self._cancelled = self._failing = self._paused = False
        self._due: dict[str, int] = {}
        self._verdicts: set[str] = set()
        self._may_lose = self.rng.random() < 0.7
        self._requester = self.rng.choice(PEOPLE)

    def run(self) -> ExecutionState:
        """Deliver until the inbox is empty, and check what must then be true."""
        self._send(0, self._request())
        if self.rng.random() < 0.5:
            self._send(self._soon(), self._request())
        self._intervene()
        while self._inbox:
            assert len(self.history) < MAX_ENTRIES, "it does not come to an end"
            self._deliver(heapq.heappop(self._inbox))
        assert self.state is not None
        self._check_end(self.state)
        return self.state

    def _request(self) -> msg.ExecutionRequested:
        parameters = {"flag": self._flag(), "n": 1}
        return msg.ExecutionRequested(
            template_id="random",
            template_version="1.0.0",
            parameters=parameters,
            requested_by=msg.Actor(id=self._requester),
        )

    def _flag(self) -> bool:
        return self._execution_id[-1] in "02468"

    def _intervene(self) -> None:
        """People and strays, at random moments."""
        rng = self.rng
        if rng.random() < 0.25:
            self._send(rng.randint(0, 4_000), msg.CancelRequested(reason=rng.choice(("", "why"))))
        for _ in range(rng.choice((0, 0, 1, 2))):
            at = rng.randint(0, 5_000)
            self._send(at, msg.PauseRequested())
            self._send(at + rng.randint(0, 6_000), msg.ResumeRequested())
        for _ in range(rng.choice((0, 1, 3))):
            self._send(rng.randint(0, 6_000), self._stray())
        if rng.random() < 0.2:
            self._send(rng.randint(0, 6_000), msg.RegionCancelRequested(region="r"))
        if rng.random() < 0.1:
            self._send(rng.randint(0, 6_000), msg.CancelRequested(force=True))
        for index in range(rng.choice((0, 0, 2))):
            signal = msg.SignalReceived(id=f"s{index}", name="go", data={"n": rng.choice((1, 2))})
            self._send(rng.randint(0, 3_000), signal)

    def _stray(self) -> JournalMessage:
        step = self.rng.choice([*self.program.steps, "nowhere"])
        attempt = self.rng.randint(1, 3)
        place: dict[str, Any] = {"step": step, "attempt": attempt, "agent": STRANGER}
        return self.rng.choice(
            (
                msg.AttemptStarted(**place),
                msg.AttemptStarted(**place),
                msg.AttemptFinished(**place, leg=7, outcome="failed"),
                msg.AttemptReturned(**place, leg=7),
                msg.AttemptWoken(**place, token="never"),
                msg.TimerFired(timer=f"retry-{step}", generation=1),
                msg.TimerFired(timer="deadline", generation=99),
                msg.LostResolved(step=step, attempt=9, verdict="rerun"),
                msg.ApprovalAnswered(approved=False),
                msg.ResumeRequested(),
            )
        )

    # Delivery

    def _soon(self) -> int:
        return self.rng.randint(1, 1_500)

    def _send(self, delay_ms: int, message: JournalMessage) -> None:
        self._tie += 1
        heapq.heappush(self._inbox, _Delivery(self._now + delay_ms, self._tie, message))
        if isinstance(message, msg.AttemptMessage | msg.TimerFired) and self.rng.random() < 0.1:
            late = delay_ms + self.rng.choice((0, 10, 4_000))
            self._tie += 1
            heapq.heappush(self._inbox, _Delivery(self._now + late, self._tie, message))

    def _deliver(self, delivery: _Delivery) -> None:
        self._now = max(self._now, delivery.at_ms)
        seq = 10 + 3 * len(self.history)
        entry = Entry(
            execution_id=self._execution_id, seq=seq, at_ms=self._now, message=delivery.message
        )
        before = self.state
        decided = checked_decide(self.program, before, entry, self._seen)
        self.state = decided.state
        kept = HistoryEntry(
            seq=seq, at_ms=self._now, message=delivery.message, events=decided.events
        )
        self.history.append(kept)
        if isinstance(delivery.message, msg.LostResolved):
            self._verdicts.add(delivery.message.step)
        for event in decided.events:
            self._check_gate(event, delivery.message)
            self._check_event(event)
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event)

    # What the world does about an event

    def _scheduled(self, event: ev.StepScheduled) -> None:
        place: dict[str, Any] = {"step": event.step, "attempt": event.attempt, "leg": event.leg}
        offer = event.offer
        fate = self.rng.random()
        if fate < 0.1 and self._places_refused < 30:
            self._places_refused += 1
            unplaced = msg.AttemptUnplaced(**place, offer=offer, reason="nobody fits")
            self._send(self._soon(), unplaced)
            if self.rng.random() < 0.3:
                self._run_on_agent(event, place, claim_at=self._soon())
        elif fate < 0.18:
            self._send(self._soon(), msg.AttemptReturned(**place, offer=offer, agent="agent0"))
            if self.rng.random() < 0.5:
                self._run_on_agent(event, place, claim_at=self._soon())
        elif fate < 0.21 and self._may_lose:
            self._send(self._soon(), msg.AttemptLost(**place, reason="never seen again"))
        else:
            self._run_on_agent(event, place, claim_at=self._soon())
            if not event.must_claim and self.rng.random() < 0.1:
                self._run_on_agent(event, place, claim_at=self._soon())

    def _run_on_agent(self, event: ev.StepScheduled, place: dict[str, Any], claim_at: int) -> None:
        """The journal takes one claim of a leg, whichever offer of it the agent got. What changes
        nothing is often not claimed at all, and then several agents may have run it."""
        leg = (place["step"], place["attempt"], place["leg"])
        unclaimed = not event.must_claim and self.rng.random() < 0.6
        if not unclaimed and leg in self._claimed:
            return
        place = place | {"agent": self.rng.choice(self._agents), "host": "h"}
        overtakes = self.rng.random() < 0.1
        if not unclaimed:
            self._claimed.add(leg)
            self._send(claim_at, msg.AttemptStarted(**place))
        done_at = max(claim_at + (-5 if overtakes else self._soon()), 0)
        fate = self.rng.random()
        if fate < 0.15 and self._may_lose:
            self._send(done_at, msg.AttemptLost(**place, reason="the worker died"))
            if self.rng.random() < 0.3:
                self._send(done_at + self._soon(), self._result(place))
        elif fate < 0.3:
            self._defer(place, claim_at, done_at)
        else:
            self._send(done_at, self._result(place))
            if self.rng.random() < 0.05:
                self._send(done_at, self._result(place))

    def _result(self, place: dict[str, Any]) -> msg.AttemptFinished:
        outcome: Any = self.rng.choice(("succeeded",) * 9 + ("failed", "failed", "timed_out"))
        failure = None
        if outcome == "failed" and self.rng.random() < 0.7:
            retryable = self.rng.random() < 0.8
            failure = msg.Failure(code="exit_1", message="exit code 1", retryable=retryable)
        output = self.rng.choice(({"n": 2}, {"n": 2}, {"n": 2}, {"n": 1}, {"n": 0}, {}))
        return msg.AttemptFinished(
            **place, outcome=outcome, output=output, output_bytes=7, failure=failure
        )

    def _defer(self, place: dict[str, Any], claim_at: int, done_at: int) -> None:
        token = "token-{step}-{attempt}-{leg}".format_map(place)
        wake_at = self._now + done_at + self._soon() if self.rng.random() < 0.4 else None
        deferred = msg.AttemptDeferred(**place, token=token, wake_at_ms=wake_at)
        self._send(done_at, deferred)
        if wake_at is None or self.rng.random() < 0.5:
            woken_at = self.rng.choice((claim_at, done_at + self._soon()))
            self._send(woken_at, msg.AttemptWoken(**place, token=token))

    def _started(self, event: ev.StepStarted) -> None:
        """A leg starts once. Strangers claim and are never heard of again."""
        leg = (event.step, event.attempt, event.leg)
        assert leg not in self._started_legs, f"{leg} started twice"
        self._started_legs.add(leg)
        if event.agent == STRANGER:
            lost = msg.AttemptLost(
                step=event.step, attempt=event.attempt, leg=event.leg, reason="a stranger"
            )
            self._send(self._soon(), lost)

    def _stopping(self, event: ev.StepStopping) -> None:
        place: dict[str, Any] = {"step": event.step, "attempt": event.attempt, "leg": event.leg}
        fate = self.rng.random()
        if fate < 0.5:
            proof = msg.Proof(gone=True, pids=(7,))
            self._send(self._soon(), msg.AttemptFinished(**place, outcome="cancelled", proof=proof))
        elif fate < 0.6:
            self._send(self._soon(), self._result(place))
        elif fate < 0.65:
            self._send(self._soon(), msg.AttemptLost(**place, reason="the agent died"))
        elif fate < 0.7:
            self._send(self._soon(), msg.AttemptDeferred(**place, token="t"))
        else:
            self._hang(event.step)

    def _hang(self, step: str) -> None:
        """The agent never says anything about this step again; strangers still may claim it."""
        self._inbox = [d for d in self._inbox if getattr(d.message, "step", "") != step]
        heapq.heapify(self._inbox)
        if self.rng.random() < 0.5:
            self._send(self._soon(), msg.AttemptStarted(step=step, attempt=1, agent="agent9"))

    def _lost(self, event: ev.StepLost) -> None:
        if self.program.step(event.step).on_lost is not OnLost.ASK:
            return
        verdict: Any = self.rng.choice(("completed", "failed", "rerun"))
        self._send(
            2 * self._soon(),
            msg.LostResolved(
                step=event.step, attempt=event.attempt, verdict=verdict, output={"n": 5}
            ),
        )

    def _timer_set(self, event: ev.TimerSet) -> None:
        fired = msg.TimerFired(timer=event.timer, generation=event.generation)
        late = self.rng.choice((0, 0, 5, 2_000))
        self._send(max(event.due_ms - self._now, 0) + late, fired)

    def _called(self, event: ev.StepCalled) -> None:
        """A child ends by itself, or, now and then, only when it is told to."""
        if self.rng.random() < 0.9:
            status = self.rng.choice(("completed",) * 4 + ("failed", "cancelled"))
            self._send(self._soon(), self._child_ended(event, status))
        else:
            self._send(60_000, self._child_ended(event, "completed"))

    def _recalled(self, event: ev.StepRecalled) -> None:
        status = self.rng.choice(("cancelled", "cancelled", "completed"))
        self._send(self._soon(), self._child_ended(event, status))

    def _child_ended(self, event: ev.StepCalled | ev.StepRecalled, status: str) -> msg.ChildEnded:
        return msg.ChildEnded(
            step=event.step,
            attempt=event.attempt,
            child=event.child,
            status=status,
            outputs={"n": 2},
        )

    def _expanded(self, event: ev.StepExpanded) -> None:
        if self.rng.random() < 0.3:
            count = len(event.instances)
            self._send(
                self._soon(), msg.InstancesAdded(step=event.step, after=count, items=("more",))
            )

    def _targeting(self, event: ev.StepTargeting) -> None:
        """The directory answers, now and then twice, the second time with other agents."""
        for _ in range(self.rng.choice((1, 1, 2))):
            self._send(self._soon(), some_targets(self.rng, event))

    def _gate_moved(self, event: ev.ApprovalRequested | ev.ApprovalVoted) -> None:
        """Everybody says something, sooner or later; in the end somebody answers what it is now."""
        hashes = [event.subject_hash, "0" * 64]
        if isinstance(event, ev.ApprovalVoted):
            hashes.append(event.bound or event.subject_hash)
        for person in PEOPLE:
            if self.rng.random() < 0.7:
                self._send(self._soon(), self._say(person, event.gate, self.rng.choice(hashes)))
            if self.rng.random() < 0.1:
                to = self.rng.choice((*PEOPLE, "erin"))
                said = self._principal(person, event.gate)
                self._send(self._soon(), msg.ApprovalDelegated(**said, to=to))
        if isinstance(event, ev.ApprovalRequested):
            for person in (*PEOPLE, "erin"):
                self._send(30_000, self._say(person, event.gate, ""))
            if event.gate == WORKFLOW_GATE and self.rng.random() < 0.3:
                self._send(self._soon(), msg.PauseRequested())
                self._send(2_000, msg.ResumeRequested())

    def _say(self, person: str, gate: str, subject_hash: str) -> msg.ApprovalAnswered:
        return msg.ApprovalAnswered(
            **self._principal(person, gate),
            approved=bool(subject_hash) and self.rng.random() < 0.85,
            subject_hash=subject_hash,
            comment=self.rng.choice(("", "fine")) if subject_hash else "nobody answered",
            input=self.rng.choice(({}, {}, {"n": 4})),
        )

    def _principal(self, person: str, gate: str) -> dict[str, Any]:
        groups = ("ops", "bosses") if person == "dave" else ("ops",)
        return {"gate": gate, "by": msg.Actor(id=person), "groups": groups, "key": f"key_{person}"}

    # What must be true

    def _check_event(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.ExecutionCancelling):
            self._cancelled, self._paused = True, False
        self._failing |= isinstance(event, ev.ExecutionFailing)
        if isinstance(event, ev.ExecutionPaused | ev.ExecutionResumed):
            self._paused = isinstance(event, ev.ExecutionPaused)
        if isinstance(event, ev.StepRetrying | ev.StepRepeating):
            self._due[event.step] = event.due_ms
        if isinstance(event, ev.StepScheduled | ev.StepStarted | ev.StepCalled):
            routes = self.program.graph.routes
            spared = base(event.step) in routes.after_cancel
            assert spared or not self._cancelled, f"{event.type} after the cancel"
        if isinstance(event, ev.StepScheduled):
            self._check_order(event)
            self._check_not_repeated(event)
            if event.leg == 0 and event.offer == 0:
                handler = base(event.step) in self.program.graph.routes.after_failure
                assert handler or not self._failing, "an attempt began after a failure"
                assert not self._paused, "an attempt began during a pause"
                assert self._now >= self._due.get(event.step, 0), "tried again too early"

    def _check_gate(self, event: ev.AnyEvent, message: JournalMessage) -> None:
        """Only people approve, enough of them and none of whom it is kept from; and what starts is
        what they approved."""
        assert self.state is not None
        if isinstance(event, ev.ApprovalGranted):
            assert isinstance(message, msg.ApprovalAnswered), f"granted by {message.type}"
            check_granted(self.state, event.gate)
        policies = self.template.policies
        if isinstance(event, ev.ExecutionStarted) and (
            policies.approval is not None or policies.approval_required
        ):
            check_granted(self.state, WORKFLOW_GATE)
        if isinstance(event, ev.StepScheduled) and self.program.step(event.step).step.approval:
            name = base(event.step)
            check_granted(self.state, name)
            gate = self.state.gates[name]
            approved = subject_of(self.program, self.state, name, gate)
            assert approved.digest == gate.subject_hash, "something else was approved"
            assert approved.steps[0].parameters == event.parameters, "something else runs"

    def _check_order(self, event: ev.StepScheduled) -> None:
        """Everything that the author wrote into `depends_on` ended before."""
        assert self.state is not None
        members = {s.id: (s.id,) for s in self.template.steps}
        for step in self.template.steps:
            if step.parallel_group is not None:
                members[step.parallel_group] = (*members.get(step.parallel_group, ()), step.id)
        step = self.program.step(event.step).step
        if step.join != "all":
            waits = self.program.graph.dependencies[base(event.step)]
            done = [n for n in waits if self.state.steps[n].status is StepStatus.COMPLETED]
            needed = 1 if step.join == "any" else step.join
            assert len(done) >= needed, f"{event.step} joined too early"
            return
        for name in step.depends_on:
            for member in members.get(name, (name,)):
                assert self.state.steps[member].ended, f"{event.step} started before {member}"

    def _check_not_repeated(self, event: ev.StepScheduled) -> None:
        """A loss is followed by a new attempt only where the policy or a person says so."""
        assert self.state is not None
        attempts = self.state.steps[event.step].attempts
        if not attempts or attempts[-1].outcome != "lost" or event.leg > 0:
            return
        rule = self.program.step(event.step).on_lost
        assert rule is not OnLost.FAIL, "a lost attempt was repeated"
        if rule is OnLost.ASK:
            late_failure = any(
                isinstance(kept.message, msg.AttemptFinished)
                and kept.message.step == event.step
                and kept.message.attempt == attempts[-1].number
                for kept in self.history
            )
            assert event.step in self._verdicts or late_failure, "repeated without being asked"

    def _check_end(self, state: ExecutionState) -> None:
        assert state.ended, f"stuck as {state.status.value}: {_open_steps(state)}"
        failed = [
            s
            for s in state.steps.values()
            if s.status is StepStatus.FAILED and s.instance is None  # for these their loop answers
        ]
        if any(not s.tolerated for s in failed):
            assert state.status.value in ("failed", "cancelled")
        if state.status.value == "completed":
            assert not failed
        if state.status.value in ("completed", "completed_with_errors"):
            kinds = {s.status.value for s in state.steps.values()}
            regions = {e.type for kept in self.history for e in kept.events}
            may = {"cancelled"} if {"region.cancelled", "step.expanded"} & regions else set()
            assert kinds <= {"completed", "skipped", "failed"} | may
        self._check_loops(state)
        for key, one in state.steps.items():
            step = self.program.step(key).step
            failures = [a.outcome for a in one.attempts].count("failed")
            rounds = 1 if step.until is None else step.until.max_rounds
            assert failures <= step.retry.max_attempts * rounds
        assert fold(self._execution_id, self.history) == state
        replayed = [*self.history, *self.history[-3:]]
        assert redecide(self.program, self._execution_id, replayed) == state

    def _check_loops(self, state: ExecutionState) -> None:
        """Never more of a loop under way than it allows, at any point of its history."""
        now: ExecutionState | None = None
        for kept in self.history:
            for event in kept.events:
                now = apply(self._execution_id, now, event, kept.at_ms)
                for step in self.template.every_step:
                    if step.foreach is not None:
                        under_way = sum(
                            not one.ended and one.status is not StepStatus.PENDING
                            for key, one in now.steps.items()
                            if base(key) == step.id and key != step.id
                        )
                        assert under_way <= step.foreach.concurrency, f"{step.id} runs too wide"
                    check_fleet(step, now, event)
                self._check_lock(now)
        assert now == state

    def _check_lock(self, state: ExecutionState) -> None:
        """Of the steps that share a lock one at a time is under way."""
        locked = [state.steps[s.id] for s in self.template.every_step if s.lock is not None]
        under_way = [
            one for one in locked if not one.ended and one.status is not StepStatus.PENDING
        ]
        assert len(under_way) <= 1, "two steps hold the lock"


def _open_steps(state: ExecutionState) -> dict[str, str]:
    return {name: step.status.value for name, step in state.steps.items() if not step.ended}


_REACTIONS: dict[type, Callable[[CoreWorld, Any], None]] = {
    ev.StepScheduled: CoreWorld._scheduled,
    ev.StepStarted: CoreWorld._started,
    ev.StepStopping: CoreWorld._stopping,
    ev.StepLost: CoreWorld._lost,
    ev.TimerSet: CoreWorld._timer_set,
    ev.ApprovalRequested: CoreWorld._gate_moved,
    ev.ApprovalVoted: CoreWorld._gate_moved,
    ev.StepCalled: CoreWorld._called,
    ev.StepRecalled: CoreWorld._recalled,
    ev.StepExpanded: CoreWorld._expanded,
    ev.StepTargeting: CoreWorld._targeting,
}
