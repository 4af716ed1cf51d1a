"""Questions reach a validator whole, and answers come back whole; without one that is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.adapters.nats.connection import connect
from shared.adapters.nats.rpc import RpcService
from shared.adapters.nats.validator import NatsValidator
from shared.contracts import rpc
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.memory.validator import MemoryValidator
from shared.ports.validator import Validator, ValidatorAwayError
from shared.validation.finding import Finding, PatchOperation
from shared.workflow.definition import Template

Look = Callable[[ValidationQuestion], Awaitable[ValidationAnswer]]
Make = Callable[[Look | None], Awaitable[Validator]]

TEMPLATE = Template.model_validate(
    {
        "id": "t",
        "name": "T",
        "parameters": {"n": {"type": "integer"}},
        "steps": [
            {"id": "a", "workflow": {"template": "child", "version": "1.0.0"}},
            {"id": "b", "command": "noop", "when": "params.n > 1", "else": ["c"]},
            {"id": "c", "command": "noop"},
        ],
        "finally": [{"id": "z", "command": "noop"}],
    }
)
QUESTION = ValidationQuestion(
    template=TEMPLATE, level="paranoid", parameters={"n": 1}, requested_by="alice"
)
FOUND = Finding(
    code="no-agent",
    severity="error",
    level="strict",
    path="steps/0",
    message="no live agent has `gpu`",
    patch=(PatchOperation(op="move", path="/steps/1", source="/steps/0"),),
    about="system",
)


@pytest.fixture(params=["memory", "nats"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    if request.param == "memory":

        async def in_memory(look: Look | None) -> Validator:
            return MemoryValidator(look)

        yield in_memory
        return
    bus = await connect(request.getfixturevalue("nats_url"), "test")
    service = RpcService(bus, "validator", "1.0.0")
    await service.start()

    async def over_nats(look: Look | None) -> Validator:
        if look is not None:
            await service.serve(rpc.LOOK, look, at_once=4)
        return NatsValidator(bus, absent_s=0.3)

    yield over_nats
    await service.close()
    await bus.close()


async def test_a_question_and_its_answer_arrive_whole(make: Make) -> None:
    """What the author left out stays left out, and patches keep their sources."""
    asked: list[ValidationQuestion] = []

    async def look(question: ValidationQuestion) -> ValidationAnswer:
        asked.append(question)
        return ValidationAnswer(findings=(FOUND,))

    answer = await (await make(look)).look(QUESTION)
    assert answer.findings == (FOUND,)
    assert asked == [QUESTION]
    steps = asked[0].template.steps
    assert steps[0].model_fields_set == TEMPLATE.steps[0].model_fields_set


async def test_without_a_validator_that_is_said(make: Make) -> None:
    """Nobody answers: the level cannot be looked at, and nothing is guessed."""
    validator = await make(None)
    with pytest.raises(ValidatorAwayError, match="validator service running"):
        await validator.look(QUESTION)


async def test_a_validator_that_breaks_is_no_answer(make: Make) -> None:
    """A fault inside is not taken for a clean report."""

    async def look(_question: ValidationQuestion) -> ValidationAnswer:
        raise RuntimeError("broken")

    validator = await make(look)
    with pytest.raises(ValidatorAwayError):
        await validator.look(QUESTION)


async def test_a_quick_look_does_not_wait_for_a_long_one(make: Make) -> None:
    """Questions are answered side by side."""
    quick_is_done = asyncio.Event()

    async def look(question: ValidationQuestion) -> ValidationAnswer:
        if question.level == "paranoid":
            await quick_is_done.wait()
        return ValidationAnswer(findings=(FOUND,))

    validator = await make(look)
    long = asyncio.create_task(validator.look(QUESTION))
    await asyncio.sleep(0)
    quick = QUESTION.model_copy(update={"level": "strict"})
    assert (await validator.look(quick)).findings == (FOUND,)
    quick_is_done.set()
    assert (await long).findings == (FOUND,)
