"""Values for the tests of the bus."""

from __future__ import annotations

import itertools

from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.contracts.events import PublicEvent
from shared.contracts.tasks import Task
from shared.ports.journal import TimerOrder
from shared.workflow.messages import JOURNAL_MESSAGE, CancelRequested, TimerFired

PARTITION = 5


def execution_in(partition: int, number: int = 0) -> str:
    """The id of an execution that lives in a partition."""
    fitting = (
        name for n in itertools.count() if subjects.partition_of(name := f"ex_{n:06d}") == partition
    )
    return next(itertools.islice(fitting, number, None))


EXECUTION = execution_in(PARTITION)


def request(reason: str) -> CancelRequested:
    return CancelRequested(reason=reason)


def reason_of(payload: bytes) -> str:
    message = JOURNAL_MESSAGE.validate_json(payload)
    assert isinstance(message, CancelRequested)
    return message.reason


def timer(due_ms: int, *, name: str = "retry-a", generation: int = 1) -> TimerOrder:
    fired = TimerFired(timer=name, generation=generation)
    return TimerOrder(EXECUTION, name, due_ms, JOURNAL_MESSAGE.dump_json(fired))


def generation_of(payload: bytes) -> int:
    message = JOURNAL_MESSAGE.validate_json(payload)
    assert isinstance(message, TimerFired)
    return message.generation


def task(step: str = "a", *, attempt: int = 1, execution_id: str = EXECUTION) -> Task:
    return Task(
        execution_id=execution_id,
        template_id="t",
        step=step,
        attempt=attempt,
        leg=0,
        command="noop",
        parameters={"n": 1},
        timeout_s=5,
    )


def event(number: int, execution_id: str = EXECUTION) -> PublicEvent:
    return PublicEvent(
        id=f"{execution_id}.{number}",
        type="step.started",
        at_ms=number,
        execution_id=execution_id,
        version=number,
        data={"step": "a", "none": None},
    )


def agent(name: str, now_ms: int) -> AgentRecord:
    return AgentRecord(name=name, host="h", version="1", started_at_ms=now_ms, seen_at_ms=now_ms)
