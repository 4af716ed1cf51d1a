"""How an event of an execution becomes a public one: the same id and text wherever it is made.

The coordinator publishes it; whoever reads it from the history later gets an equal one. Sealed
values never leave in either.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from shared.contracts.events import PublicEvent
from shared.workflow.events import AnyEvent
from shared.workflow.state import ExecutionState

PREFIX: Final = b"sealed:v1:"
SEALED: Final = re.compile(r"sealed:v1:[A-Za-z0-9_=-]+")
MASK: Final = "***"
_SEALED_BYTES: Final = re.compile(SEALED.pattern.encode())
_TYPE: Final = {"type"}


class WireEvent(NamedTuple):
    """A public event as it travels: its JSON, and what a bus must know to carry it.

    `about` is the execution, or what else it is about.
    """

    id: str
    type: str
    about: str
    payload: bytes

    @classmethod
    def of(cls, event: PublicEvent) -> WireEvent:
        """Write an event that was made elsewhere than by an execution."""
        text = event.model_dump_json(exclude_none=True)
        return cls(event.id, event.type, event.execution_id or event.id, text.encode())

    def read(self) -> PublicEvent:
        """The event itself."""
        return PublicEvent.model_validate_json(self.payload)


def wire_event(state: ExecutionState, event: AnyEvent, version: int, at_ms: int) -> WireEvent:
    """The public form of an execution's event number `version`, which happened at `at_ms`.

    Of the state only what never changes is used: its ids and its template. It is written straight
    from the engine's event, since this is on the path of every step.
    """
    event_id = f"{state.execution_id}.{version}"
    head = to_json(
        {
            "id": event_id,
            "type": event.type,
            "at_ms": at_ms,
            "execution_id": state.execution_id,
            "version": version,
            "template_id": state.template_id,
            "template_version": state.template_version,
            "category": state.category,
        }
    )
    data = event.__pydantic_serializer__.to_json(event, exclude=_TYPE, exclude_defaults=True)
    if PREFIX in data:
        data = _SEALED_BYTES.sub(MASK.encode(), data)
    payload = b'%b,"data":%b}' % (head[:-1], data)
    return WireEvent(event_id, event.type, state.execution_id, payload)


def public_event(state: ExecutionState, event: AnyEvent, version: int, at_ms: int) -> PublicEvent:
    """The same as a model, for example of an event that is read from the history."""
    return wire_event(state, event, version, at_ms).read()


def masked(value: Any) -> Any:
    """JSON data with every sealed value replaced by `***`."""
    if isinstance(value, str):
        return SEALED.sub(MASK, value) if "sealed:" in value else value
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value
