"""Public events: written straight from the engine's events, and equal to their models."""

from __future__ import annotations

import json

from shared.contracts.events import PublicEvent
from shared.contracts.publishing import WireEvent, masked, public_event, wire_event
from shared.workflow.events import StepCompleted
from shared.workflow.state import ExecutionState
from tests.simulation.core_world import CoreWorld

SEEDS = 40
SEALED = "sealed:v1:gAAAA_b-c="


def _modelled(state: ExecutionState, event: object, version: int, at_ms: int) -> PublicEvent:
    """The slow way: through Python values."""
    dumped = event.model_dump(mode="json", exclude={"type"}, exclude_defaults=True)  # type: ignore[attr-defined]
    return PublicEvent(
        id=f"{state.execution_id}.{version}",
        type=event.type,  # type: ignore[attr-defined]
        at_ms=at_ms,
        execution_id=state.execution_id,
        version=version,
        template_id=state.template_id,
        template_version=state.template_version,
        category=state.category,
        data=masked(dumped),
    )


def test_every_event_of_many_histories_is_written_as_its_model() -> None:
    """Whatever happens in an execution, the written event reads as the model of it."""
    seen = set()
    for seed in range(SEEDS):
        world = CoreWorld(seed)
        state = world.run()
        events = [(event, kept.at_ms) for kept in world.history for event in kept.events]
        for version, (event, at_ms) in enumerate(events, start=1):
            seen.add(event.type)
            made = wire_event(state, event, version, at_ms)
            assert made.read() == _modelled(state, event, version, at_ms)
            assert made.read() == public_event(state, event, version, at_ms)
            assert (made.id, made.about) == (f"{state.execution_id}.{version}", state.execution_id)
    assert len(seen) > 20


def test_sealed_values_never_leave() -> None:
    """Wherever a sealed value stands in an event, three stars stand in the public one."""
    state = CoreWorld(1).run()
    output = {"a": SEALED, "b": [f"x {SEALED} y", {"c": SEALED}], "d": 'quote " and \\ slash'}
    event = StepCompleted(step="s", attempt=1, output=output)
    made = wire_event(state, event, 3, 4)
    assert b"sealed" not in made.payload
    assert made.read().data["output"] == {
        "a": "***",
        "b": ["x *** y", {"c": "***"}],
        "d": 'quote " and \\ slash',
    }


def test_an_event_made_elsewhere_travels_in_the_same_form() -> None:
    """An event that is about no execution is carried under its own id."""
    event = PublicEvent(id="e1", type="agent.joined", at_ms=5, data={"name": "a"})
    made = WireEvent.of(event)
    assert (made.id, made.type, made.about) == ("e1", "agent.joined", "e1")
    assert made.read() == event
    assert "execution_id" not in json.loads(made.payload)
