"""Binding: the values that an expression's variables have in a given state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.workflow.state import ExecutionState, StepState

_NO_OUTPUT: Final[Mapping[str, Any]] = MappingProxyType({})


def base(key: str) -> str:
    """The step that `key` names, or that it names an instance of: `build` of `build[3]`."""
    return key.partition("[")[0]


def bind(
    needs: Iterable[str],
    state: ExecutionState,
    output: Mapping[str, Any] = _NO_OUTPUT,
    *,
    local: Mapping[str, Any] = _NO_OUTPUT,
) -> dict[str, Any]:
    """The value of each needed variable that has one; `output` is the checked step's, `local` what
    only the expression at hand knows (`item`, `data`, whatever an item brings)."""
    data: dict[str, Any] = {}
    for name in needs:
        root, _, rest = name.partition(".")
        if name in local and (root != "output" or output is _NO_OUTPUT):
            data[name] = local[name]
        elif root == "params":
            data[name] = state.parameters.get(rest)
        elif root == "steps":
            _bind_step(name, rest, state, data)
        elif root == "approvals":
            _bind_input(name, rest, state, data)
        elif root == "execution":
            data[name] = _execution_value(rest, state)
        elif root == "failure":
            data[name] = _failure_value(rest, state)
        else:
            _bind_output(name, rest, output, data)
    return data


def _bind_step(name: str, rest: str, state: ExecutionState, data: dict[str, Any]) -> None:
    step_id, _, field = rest.partition(".")
    step = state.steps[step_id]
    part, _, output_field = field.partition(".")
    if part == "output":
        _bind_output(name, output_field, step.output, data)
    else:
        data[name] = _step_value(part, step)


def _bind_input(name: str, rest: str, state: ExecutionState, data: dict[str, Any]) -> None:
    gate_name, _, field = rest.partition(".input.")
    gate = state.gates.get(gate_name)
    if gate is not None and field in gate.input:
        data[name] = gate.input[field]


def _bind_output(name: str, field: str, output: Mapping[str, Any], data: dict[str, Any]) -> None:
    if not field:
        data[name] = output
    elif field in output:
        data[name] = output[field]


def _step_value(part: str, step: StepState) -> Any:
    if part == "status":
        return step.status.value
    if part == "attempts":
        return len(step.attempts)
    return step.failure.message if step.failure is not None else ""


def instance_values(step: StepState) -> Mapping[str, Any]:
    """`item`, `index` and `key` of an instance, `agent.…` and `batch` of a target; nothing for any
    other step."""
    instance = step.instance
    if instance is None:
        return _NO_OUTPUT
    if instance.given:
        values: Mapping[str, Any] = instance.item
        return values
    if instance.target:
        known = {f"agent.{name}": value for name, value in instance.item.items()}
        return {**known, "index": instance.index, "batch": instance.batch}
    return {"item": instance.item, "index": instance.index, "key": instance.key}


def _failure_value(part: str, state: ExecutionState) -> str:
    stop = state.stop
    if stop is None:
        return ""
    if part == "step":
        return stop.step or ""
    if stop.failure is not None:
        return stop.failure.code if part == "code" else stop.failure.message
    return stop.kind if part == "code" else stop.reason


def _execution_value(part: str, state: ExecutionState) -> Any:
    return {
        "id": state.execution_id,
        "template": state.template_id,
        "version": state.template_version,
        "requested_by": state.requested_by.id,
        "created_at_ms": state.created_at_ms,
    }[part]
