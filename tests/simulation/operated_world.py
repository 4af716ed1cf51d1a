"""A seeded world in which operators meddle: breakpoints, marks, run now; and its re-run."""

from __future__ import annotations

import random
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import JournalMessage
from shared.workflow.program import Program
from shared.workflow.rerunning import (
    Past,
    Wish,
    children_to_go_on,
    kept_approvals,
    rerun_of,
    sort_steps,
    why_not_rerun,
)
from shared.workflow.state import ExecutionState
from tests.simulation.checked import Transition
from tests.simulation.core_world import CoreWorld, _Delivery

MEDDLER: Final = msg.Actor(id="olga")
SALT: Final = 0x0BE7A70A


class OperatedWorld(CoreWorld):
    """One execution, as in any world, and somebody who does to it what operators can do."""

    def __init__(self, seed: int, seen: set[Transition] | None = None) -> None:
        super().__init__(seed, seen)
        self._whims = random.Random(seed ^ SALT)
        self.marked: set[str] = set()

    @property
    def program_of(self) -> Program:
        """What it runs."""
        return self.program

    def _request(self) -> msg.ExecutionRequested:
        request = super()._request()
        steps = [*self.program.steps]
        before = tuple(name for name in steps if self._whims.random() < 0.1)
        return request.model_copy(update={"pause_before": before})

    def _intervene(self) -> None:
        super()._intervene()
        whims = self._whims
        for _ in range(whims.choice((1, 3, 6))):
            self._send(whims.randint(0, 3_000), self._whim())

    def _deliver(self, delivery: _Delivery) -> None:
        """Who resumes means the pause that there is."""
        if isinstance(delivery.message, msg.ResumeRequested) and self.state is not None:
            pause = self.state.pause
            number = pause.number if pause is not None else 0
            delivery.message = delivery.message.model_copy(update={"pause": number})
        super()._deliver(delivery)

    def _whim(self) -> JournalMessage:
        whims = self._whims
        name = whims.choice([*self.program.steps, "nowhere"])
        key = whims.choice((name, name, f"{name}[0]", f"{name}[1]"))
        verdict: Any = whims.choice(("completed", "completed", "failed"))
        return whims.choice(
            (
                msg.MarkRequested(step=key, verdict=verdict, by=MEDDLER, output={"n": 3}),
                msg.MarkRequested(step=key, verdict=verdict, by=MEDDLER, output={"n": 3}),
                msg.RunNowRequested(step=key, attempt=1, leg=0, by=MEDDLER),
                msg.RunNowRequested(step=key, attempt=1, leg=1, by=MEDDLER),
                msg.BreakpointsRequested(set_before=(key,), by=MEDDLER),
                msg.BreakpointsRequested(clear=(key,), by=MEDDLER),
            )
        )

    def _check_event(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.StepHurried):
            self._due.pop(event.step, None)
        if isinstance(event, ev.StepMarked):
            self.marked.add(event.step)
        if isinstance(event, ev.ExecutionPaused) and event.step:
            self._send(self._whims.randint(1, 3_000), msg.ResumeRequested(by=MEDDLER))
        super()._check_event(event)
        if isinstance(event, ev.StepScheduled | ev.StepCalled):
            assert self.state is not None
            breakpoints = self.state.breakpoints
            begins = event.attempt == 1 and getattr(event, "leg", 0) == 0
            cancelled = self.state.stop is not None
            assert not begins or event.step not in breakpoints or cancelled, (
                "a breakpoint was run over"
            )


class RerunWorld(OperatedWorld):
    """A re-run of an execution that has ended, in a world of its own."""

    def __init__(self, before: OperatedWorld, seed: int) -> None:
        super().__init__(seed)
        assert before.state is not None
        self.template, self.program = before.template, before.program
        self._execution_id = f"{before.state.execution_id}r{seed % 10}"
        self._past = Past(before.program, before.state)
        self.wish = self._chosen(before.state)
        parameters = before.state.parameters
        by = msg.Actor(id=self._requester)
        approvals = kept_approvals(self._past, self.program, parameters, by)
        self.sorting = sort_steps(self._past, self.program, parameters, self.wish, approvals)
        list(children_to_go_on(self._past, self.program, self.sorting, self.wish))
        self.rerun = rerun_of(self._past, self.sorting, {}, approvals, by=by, reason="once more")

    def _chosen(self, state: ExecutionState) -> Wish:
        names = [*self.program.graph.order]
        wishes = [Wish(failed_only=True), Wish(from_step=self._whims.choice(names)), Wish()]
        fit = [w for w in wishes if why_not_rerun(self._past, self.program, w) is None]
        return self._whims.choice(fit)

    def _request(self) -> msg.ExecutionRequested:
        return (
            super()
            ._request()
            .model_copy(update={"parameters": self._past.state.parameters, "rerun": self.rerun})
        )

    def _flag(self) -> bool:
        return bool(self._past.state.parameters["flag"])

    def _check_event(self, event: ev.AnyEvent) -> None:
        super()._check_event(event)
        if isinstance(event, ev.StepScheduled | ev.StepCalled):
            assert event.step not in self.sorting.kept, "a kept step was run"

    def _check_end(self, state: ExecutionState) -> None:
        super()._check_end(state)
        past = self._past.state.steps
        for name in self.sorting.kept:
            kept, was = state.steps[name], past[name]
            assert (kept.status, kept.output, kept.attempts) == (
                was.status,
                was.output,
                was.attempts,
            )
            assert was.status in (StepStatus.COMPLETED, StepStatus.FAILED)
