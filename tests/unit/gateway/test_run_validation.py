"""Runs that the engine asks for are looked at, whatever is away meanwhile."""

from __future__ import annotations

from typing import cast

import pytest

from services.gateway.run_validation import WITHOUT_VALIDATOR_MS, RunValidation
from shared.adapters.outages import outage_of
from shared.contracts import subjects
from shared.contracts.run_validation import RunToValidate, validation_task
from shared.memory.bus import MemoryBus
from shared.memory.clock import ManualClock
from shared.memory.tasks import MemoryTaskDelivery
from shared.ports.tasks import TaskFeed
from shared.ports.validator import ValidatorAwayError
from shared.runtime.patience import MOST_FAILURES
from shared.workflow.messages import RunValidated
from shared.workflow.risk_verdict import RiskVerdict
from tests.unit.workflow.scenario import Run, step

POOL = subjects.pool_validator()
APPROVE = RiskVerdict(level="standard", decision="approve")


class _Case:
    """The worker, and a queue with one run in it."""

    def __init__(self, *outcomes: Exception | RunValidated, unsaid: int = 0) -> None:
        """What looking comes to, one after the other; the last one again and again. The journal
        does not take the first `unsaid` answers."""
        self.outcomes = list(outcomes)
        self.unsaid = unsaid
        self.asked: list[RunToValidate] = []
        self.said: list[tuple[str, RunValidated, str]] = []
        self.counts: list[str] = []
        self.clock = ManualClock()
        self.bus = MemoryBus(self.clock)
        self.worker = RunValidation(cast("TaskFeed", None), self, self._look, outage_of)
        self.worker.count = self.counts.append
        run = Run(step("a"))
        run.request_with({"n": 1}, to_validate=True)
        self.task = validation_task(run.state)

    async def _look(self, run: RunToValidate) -> RunValidated:
        self.asked.append(run)
        outcome = self.outcomes[0] if len(self.outcomes) == 1 else self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def append(self, execution_id: str, message: RunValidated, message_id: str) -> bool:
        if self.unsaid:
            self.unsaid -= 1
            raise TimeoutError
        self.said.append((execution_id, message, message_id))
        return True

    async def rounds(self, most: int, every_ms: int = 5_000) -> int:
        """Let it try at most so often; gives how often it did."""
        payload = self.task.model_dump_json().encode()
        self.bus.tasks.put(POOL, self.task.execution_id, payload, "m", resent=False)
        for number in range(most):
            taken = self.bus.tasks.take([POOL], 1)
            if not taken:
                return number
            await self.worker.deal_with(MemoryTaskDelivery(self.bus, taken[0]))
            self.clock.advance(every_ms)
        return most


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (RunValidated(), "passed"),
        (RunValidated(verdict=APPROVE), "approval"),
        (RunValidated(refused="1 error"), "refused"),
    ],
)
async def test_what_is_found_is_said_once(answer: RunValidated, outcome: str) -> None:
    """In the journal of the execution, under an id that is the same for every answer."""
    case = _Case(answer)
    assert await case.rounds(5) == 1
    assert case.said == [("x1", answer, "v.x1")]
    assert case.counts == [outcome]
    (asked,) = case.asked
    assert asked.model_dump() == {
        "execution_id": "x1",
        "template_id": "t",
        "template_version": "1.0.0",
        "parameters": {"n": 1},
        "requested_by": "unknown",
    }


async def test_without_a_validator_it_waits_and_is_refused() -> None:
    """A validator that comes back in time is asked; a level is never quietly lowered."""
    back = _Case(*[ValidatorAwayError("none")] * 20, RunValidated())
    assert await back.rounds(100) == 21
    assert back.said[0][1] == RunValidated()
    away = _Case(ValidatorAwayError("none"))
    assert await away.rounds(1_000) == WITHOUT_VALIDATOR_MS // 5_000 + 1
    assert "no validator answered for 5 minutes" in away.said[0][1].refused
    assert away.counts == ["refused"]


@pytest.mark.parametrize("error", [OSError("away"), TimeoutError()])
async def test_an_outage_is_waited_for(error: Exception) -> None:
    """However long a server is away."""
    case = _Case(*[error] * 200, RunValidated())
    assert await case.rounds(500) == 201
    assert case.counts == ["passed"]


async def test_a_defect_refuses_the_run() -> None:
    """A look that fails each time ends the run with its error, instead of holding it for ever."""
    case = _Case(KeyError("x"))
    assert await case.rounds(500) == MOST_FAILURES
    assert "KeyError: 'x'" in case.said[0][1].refused


async def test_an_answer_is_said_later_where_the_journal_is_away() -> None:
    """It is looked at again then: what was found before may not hold any more."""
    for outcome in (RunValidated(), KeyError("x")):
        case = _Case(outcome, unsaid=2)
        await case.rounds(500)
        assert len(case.said) == 1


async def test_what_cannot_be_read_is_refused() -> None:
    """Its execution would wait for ever."""
    case = _Case(RunValidated())
    case.task = case.task.model_copy(update={"parameters": {"template_version": 7}})
    assert await case.rounds(5) == 1
    assert "cannot be read" in case.said[0][1].refused
    assert case.asked == []


async def test_what_is_no_run_is_left_out() -> None:
    """A task of something else says nothing about any execution."""
    case = _Case(RunValidated())
    case.task = case.task.model_copy(update={"step": "dance"})
    assert await case.rounds(5) == 1
    assert case.said == []
