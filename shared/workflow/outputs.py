"""What the steps that the engine itself carries out return, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.workflow.definition import Step

Schema = Mapping[str, Any]


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}
_STEPS: Final = {"type": "array", "items": _TEXT}
_ANYTHING: Final = {"type": "object"}

SWITCH_OUTPUT: Final = _object(cases={"type": "array", "items": _NUMBER}, taken=_STEPS)
"""`cases`: the numbers of the cases that held; `taken`: the steps that run."""

CHOICE_OUTPUT: Final = _object(
    option=_NUMBER, taken=_STEPS, data=_ANYTHING, by=_TEXT, approved={"type": "boolean"}
)
"""`option`: the number of what happened first; `data` and `by` are of its signal, or of the answer
of people, who `approved` or did not."""

CALL_OUTPUT: Final = _object(execution_id=_TEXT, status=_TEXT, outputs=_ANYTHING)

INSTANCES_OUTPUT: Final = _object(
    total=_NUMBER,
    completed=_NUMBER,
    failed=_NUMBER,
    results={"type": "array", "items": _ANYTHING},
)
"""`results`: of each instance `index`, `key`, `item`, `status`, `output` and `error`."""


FLEET_OUTPUT: Final = _object(
    total=_NUMBER,
    completed=_NUMBER,
    failed=_NUMBER,
    skipped=_NUMBER,
    batches=_NUMBER,
    stopped=_TEXT,
    results={"type": "array", "items": _ANYTHING},
)
"""`stopped`: why not all targets began, or nothing; `results`: of each target `target`, `host`,
`batch`, `status`, `output`, `error`, `code` and `attempts`."""


def engine_output(step: Step) -> Schema:
    """The output schema of a step without a command."""
    if step.workflow is not None:
        return CALL_OUTPUT
    return SWITCH_OUTPUT if step.switch is not None else CHOICE_OUTPUT
