"""How an event of an execution becomes a public one: the same id and text wherever it is made.

The coordinator publishes it; whoever reads it from the history later gets an equal one. Sealed
values never leave in either.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic_core import to_json

from shared.contracts.events import PublicEvent
from shared.workflow.events import AnyEvent
from shared.workflow.state import ExecutionState

PREFIX: Final = b"sealed:v1:"
SEALED: Final = re.compile(r"sealed:v1:[A-Za-z0-9_=-]+")
MASK: Final = "***"


def public_event(state: ExecutionState, event: AnyEvent, version: int, at_ms: int) -> PublicEvent:
    """The public form of an execution's event number `version`, which happened at `at_ms`.

    Of the state only what never changes is used: its ids and its template.
    """
    data = event.model_dump(mode="json", exclude={"type"}, exclude_defaults=True)
    return PublicEvent.model_construct(  # from trusted values, and on the path of every step
        id=f"{state.execution_id}.{version}",
        type=event.type,
        at_ms=at_ms,
        execution_id=state.execution_id,
        version=version,
        template_id=state.template_id,
        template_version=state.template_version,
        category=state.category,
        data=masked(data) if PREFIX in to_json(data) else data,
    )


def masked(value: Any) -> Any:
    """JSON data with every sealed value replaced by `***`."""
    if isinstance(value, str):
        return SEALED.sub(MASK, value) if "sealed:" in value else value
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value
