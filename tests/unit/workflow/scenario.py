"""One execution in the hands of an example: tell it what happened, look at what it decided."""

from __future__ import annotations

from typing import Any, TypeVar

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.definition import Template
from shared.workflow.gate_state import GateState
from shared.workflow.messages import Entry, JournalMessage
from shared.workflow.program import CommandSignature, Program, compile_template
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState, StepState
from tests.simulation.checked import Transition, checked_decide

E = TypeVar("E", bound=ev.Event)

START_MS = 1_000_000
COMMANDS = {
    "look": CommandSignature(output={}, effect_free=lambda _parameters: True),
    "put": CommandSignature(output={}, effect_free=lambda p: p.get("dry") is True, captures=True),
}
"""`look` changes nothing; any other command may. What `put` changes an agent keeps by itself."""


def step(name: str, *depends_on: str, **fields: Any) -> dict[str, Any]:
    """A step as an author writes it, of the command `noop` unless said otherwise."""
    return {"id": name, "command": "noop", "depends_on": list(depends_on), **fields}


def template(*steps: dict[str, Any], **fields: Any) -> Template:
    """A template of these steps."""
    return Template.model_validate({"id": "t", "name": "T", "steps": list(steps), **fields})


class Run:
    """An execution of a template of these steps; every decision is checked on the way."""

    def __init__(self, *steps: dict[str, Any], **fields: Any) -> None:
        self.template = template(*steps, **fields)
        self.program: Program = compile_template(self.template, COMMANDS)
        self.now = START_MS
        self.history: list[HistoryEntry] = []
        self.events: tuple[ev.AnyEvent, ...] = ()
        self.seen: set[Transition] = set()
        self.requested_by = msg.Actor()
        self.template_author = ""
        self.execution_id = "x1"
        self._state: ExecutionState | None = None

    @property
    def state(self) -> ExecutionState:
        assert self._state is not None
        return self._state

    @property
    def status(self) -> str:
        return self.state.status.value

    @property
    def types(self) -> list[str]:
        """The types of what was decided last."""
        return [event.type for event in self.events]

    @property
    def statuses(self) -> dict[str, str]:
        return {name: s.status.value for name, s in self.state.steps.items()}

    def step(self, name: str) -> StepState:
        return self.state.steps[name]

    def the(self, kind: type[E]) -> E:
        """The only event of this kind among the last ones."""
        (event,) = [e for e in self.events if isinstance(e, kind)]
        return event

    def tell(self, message: JournalMessage, after_ms: int = 1) -> list[str]:
        """Put a message into the journal, and return the types of what it led to."""
        self.now += after_ms
        seq = len(self.history) + 1
        entry = Entry(execution_id=self.execution_id, seq=seq, at_ms=self.now, message=message)
        decided = checked_decide(self.program, self._state, entry, self.seen)
        self._state, self.events = decided.state, decided.events
        self.history.append(
            HistoryEntry(seq=seq, at_ms=self.now, message=message, events=decided.events)
        )
        return self.types

    def request(self, **parameters: Any) -> list[str]:
        return self.tell(
            msg.ExecutionRequested(
                template_id="t",
                template_version="1.0.0",
                parameters=parameters,
                requested_by=self.requested_by,
                template_author=self.template_author,
            )
        )

    def request_with(self, parameters: dict[str, Any], **fields: Any) -> list[str]:
        """Ask for it with breakpoints, or as a re-run."""
        wanted = {"template_id": "t", "template_version": self.template.version, **fields}
        by = self.requested_by
        return self.tell(msg.ExecutionRequested(parameters=parameters, requested_by=by, **wanted))

    def start(self, name: str, agent: str = "a1") -> list[str]:
        return self.tell(msg.AttemptStarted(**self._place(name), agent=agent, host="h"))

    def finish(self, name: str, outcome: Any = "succeeded", **fields: Any) -> list[str]:
        report = {"agent": "a1", "outcome": outcome, **fields}
        return self.tell(msg.AttemptFinished(**self._place(name), **report))

    def succeed(self, name: str, **output: Any) -> list[str]:
        """Start and finish an attempt."""
        self.start(name)
        return self.finish(name, output=output, output_bytes=10)

    def fail(self, name: str, retryable: bool = True) -> list[str]:
        failure = msg.Failure(code="exit_1", message="exit code 1", retryable=retryable)
        self.start(name)
        return self.finish(name, "failed", failure=failure)

    def defer(self, name: str, key: str = "k", wake_at_ms: int | None = None) -> list[str]:
        return self.tell(msg.AttemptDeferred(**self._place(name), token=key, wake_at_ms=wake_at_ms))

    def wake(self, name: str, key: str = "k") -> list[str]:
        return self.tell(msg.AttemptWoken(**self._place(name), token=key))

    def lose(self, name: str) -> list[str]:
        return self.tell(msg.AttemptLost(**self._place(name), reason="the worker died"))

    def _offered(self, name: str) -> dict[str, Any]:
        return {**self._place(name), "offer": self.step(name).offer}

    def unplace(self, name: str) -> list[str]:
        return self.tell(msg.AttemptUnplaced(**self._offered(name), reason="nobody fits"))

    def hand_back(self, name: str) -> list[str]:
        return self.tell(msg.AttemptReturned(**self._offered(name), agent="a1"))

    def target(self, name: str, *agents: str, **said: Any) -> list[str]:
        """The directory answers that these are the targets; the host of `a` is `a.example`."""
        loop = self.step(name).loop
        asked = loop.fleet.asked if loop is not None and loop.fleet is not None else 0
        found = tuple(
            msg.TargetAgent(name=one, host=f"{one}.example", labels={"role": "web"})
            for one in agents
        )
        answer = {"asked": asked, "targets": found, "matched": len(found), "live": len(found)}
        return self.tell(msg.TargetsResolved(step=name, **{**answer, **said}))

    def resolve(self, name: str, verdict: Any, **fields: Any) -> list[str]:
        return self.tell(
            msg.LostResolved(step=name, attempt=self.step(name).attempt, verdict=verdict, **fields)
        )

    def mark(self, name: str, verdict: Any = "completed", **fields: Any) -> list[str]:
        by = msg.Actor(id="olga")
        wanted = {"reason": "seen to it", **fields}
        return self.tell(msg.MarkRequested(step=name, verdict=verdict, by=by, **wanted))

    def run_now(self, name: str) -> list[str]:
        now = self.step(name)
        by = msg.Actor(id="olga")
        asked: dict[str, Any] = {
            "attempt": now.attempt,
            "leg": now.leg,
            "by": by,
            "reason": "no time",
        }
        return self.tell(msg.RunNowRequested(step=name, **asked))

    def break_before(self, *names: str, clear: tuple[str, ...] = ()) -> list[str]:
        return self.tell(msg.BreakpointsRequested(set_before=names, clear=clear, reason="look"))

    def cancel(self, reason: str = "") -> list[str]:
        return self.tell(msg.CancelRequested(reason=reason))

    def pause(self) -> list[str]:
        return self.tell(msg.PauseRequested(reason="lunch"))

    def resume(self) -> list[str]:
        return self.tell(msg.ResumeRequested())

    def answer(self, approved: bool, comment: str = "") -> list[str]:
        return self.tell(msg.ApprovalAnswered(approved=approved, comment=comment))

    def gate(self, name: str = "workflow") -> GateState:
        return self.state.gates[name]

    def vote(self, who: str, gate: str = "workflow", **fields: Any) -> list[str]:
        """Approve the gate as it is now, unless the fields say otherwise."""
        said = {"approved": True, "subject_hash": self.gate(gate).subject_hash, **fields}
        return self.tell(msg.ApprovalAnswered(gate=gate, by=msg.Actor(id=who), **said))

    def delegate(self, who: str, to: str, gate: str = "workflow", **fields: Any) -> list[str]:
        said = {"by": msg.Actor(id=who), "to": to, **fields}
        return self.tell(msg.ApprovalDelegated(gate=gate, **said))

    def change(self, *steps: dict[str, Any], **fields: Any) -> None:
        """From now on something else would run."""
        self.program = compile_template(template(*steps, **fields))

    def fire(self, timer: str) -> list[str]:
        """Let a timer that is set come in exactly when it is due."""
        kept = self.state.timers[timer]
        fired = msg.TimerFired(timer=timer, generation=kept.generation)
        return self.tell(fired, max(kept.due_ms - self.now, 0))

    def _place(self, name: str) -> dict[str, Any]:
        now = self.step(name)
        return {"step": name, "attempt": max(now.attempt, 1), "leg": now.leg}


def vanishing_output() -> Run:
    """A run whose step `e` is scheduled with an output that is gone when `p` has run again."""
    run = Run(
        step("p", until={"condition": "output.n > 1", "max_rounds": 5}),
        step("q"),
        step(
            "e",
            "p",
            "q",
            join="any",
            parameters={"n": "${{ steps.p.output.n }}"},
            retry={"max_attempts": 2, "delay_s": 60},
        ),
    )
    run.request()
    run.succeed("p", n=1)
    run.succeed("q")
    return run


def retry_of_something_else(then: str = "") -> Run:
    """A failed attempt at a step with a gate, whose next one would be something else; it waits for
    approval, or is `rejected`."""
    fields: dict[str, Any] = {"retry": {"max_attempts": 2, "delay_s": 1}, "approval": {}}
    run = Run(step("a", parameters={"x": 1}, **fields))
    run.request()
    run.vote("alice", "a")
    run.fail("a")
    run.change(step("a", parameters={"x": 2}, **fields))
    assert run.fire("retry-a")[:3] == ["timer.cleared", "approval.voided", "approval.requested"]
    if then:
        run.vote("bob", "a", approved=False)
    return run
