"""A sub-workflow that is over in its first moment tells the step that called it."""

from __future__ import annotations

from services.executor.coordinator.translation import Translator
from shared.contracts.subjects import partition_of
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.journal import MemoryJournalReader
from shared.workflow.decide import decide
from shared.workflow.definition import Template
from shared.workflow.messages import (
    JOURNAL_MESSAGE,
    ChildEnded,
    Entry,
    ExecutionRequested,
    Parent,
)
from shared.workflow.program import CommandSignature, compile_template

CHILD = {"id": "c", "name": "C", "steps": [{"id": "a", "command": "c"}]}


async def test_a_child_whose_parameters_do_not_fit_tells_its_parent() -> None:
    """It fails in the decision that creates it; the step that called it hears of that at once
    (it used to wait for ever)."""
    program = compile_template(Template.model_validate(CHILD), {"c": CommandSignature(output={})})
    request = ExecutionRequested(
        template_id="c",
        template_version="1.0.0",
        parameters={"unknown": 1},
        parent=Parent(execution_id="x", step="call", attempt=1, root="x", depth=1),
    )
    decided = decide(program, None, Entry(execution_id="y", seq=1, at_ms=1, message=request))
    assert decided.state is not None
    assert decided.state.status.value == "failed"
    bus = MemoryBus()
    effects = MemoryEffects(bus)
    translator = Translator(effects, list)
    translator.carry_out(None, decided.state, decided.events, 1, again=False)
    await effects.commit()
    reader = MemoryJournalReader(bus)
    await reader.open(partition_of("x", bus.partitions))
    [told] = (await reader.take(10)).entries
    message = JOURNAL_MESSAGE.validate_json(told.payload)
    assert isinstance(message, ChildEnded)
    assert (message.step, message.child, message.status) == ("call", "y", "failed")
