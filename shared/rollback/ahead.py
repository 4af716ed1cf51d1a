"""What a rollback would undo, before anything has run: from the definition and the parameters.

Every step counts as done, every branch as taken. What only a run makes known (outputs, items,
agents, what is captured) stands as its author wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from shared.rollback.items import Check, Item, Left, Plan, Spared
from shared.rollback.planning import RESTORE, Effects
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Rendered
from shared.workflow.program import CompiledStep, Program
from shared.workflow.way_back import RollbackAction

Called = Mapping[tuple[str, str], Program]
"""Programs of sub-workflows, by template and version; what is missing is told as what remains."""


def plan_ahead(
    program: Program, parameters: Mapping[str, Any], called: Called, effects: Effects
) -> Plan:
    """The plan of a complete run, undone as a whole."""
    parts = list(_parts(program, parameters, called, effects, ""))
    rounds = _rounds(program)
    items = sorted(
        (one for one in parts if isinstance(one, Item)),
        key=lambda one: rounds[one.key.partition("/")[0]],
    )
    numbered = tuple(
        item.model_copy(update={"number": n, "round": rounds[item.key.partition("/")[0]]})
        for n, item in enumerate(items, 1)
    )
    return Plan(
        execution_id="",
        number=1,
        strategy=program.template.policies.rollback.strategy,
        items=numbered,
        left=tuple(one for one in parts if isinstance(one, Left)),
        spared=tuple(one for one in parts if isinstance(one, Spared)),
    )


def _rounds(program: Program) -> Mapping[str, int]:
    """The last steps are in round 1, each other one in the round after those that wait for it."""
    graph, rounds = program.graph, dict[str, int]()
    for name in reversed(graph.order):
        later = [one for one in graph.order if name in graph.ancestors[one]]
        rounds[name] = 1 + max((rounds[one] for one in later), default=0)
    return rounds


def _parts(
    program: Program, parameters: Mapping[str, Any], called: Called, effects: Effects, path: str
) -> Iterator[Item | Left | Spared]:
    for name in reversed(program.graph.order):
        compiled = program.steps[name]
        call = compiled.step.workflow
        if call is None:
            yield from _part(compiled, parameters, effects, path + name)
            continue
        inner = called.get((call.template, call.version))
        if inner is None:
            reason = f"it calls {call.template}@{call.version}, which is not known here"
            yield Left(key=path + name, kind="no_way_back", reason=reason)
        else:
            given = _known(compiled.parameters, parameters)
            given = {k: v for k, v in given.items() if "${{" not in str(v)}
            yield from _parts(inner, given, called, effects, f"{path}{name}/")


def _part(
    compiled: CompiledStep,
    parameters: Mapping[str, Any],
    effects: Effects,
    key: str,
) -> Iterator[Item | Left | Spared]:
    step = compiled.step
    if not step.command:
        return
    if step.rollback is not None:
        yield _by_author(compiled, step.rollback, parameters, key)
    elif effects(step.command, step.parameters) == "none":
        yield Spared(key=key, reason="it changes nothing")
    elif compiled.captures and step.capture is None:
        yield _item(compiled, key, "restore", RESTORE, {})
    elif step.irreversible:
        yield Left(
            key=key, did=step.command, kind="irreversible", accepted=True, reason=step.irreversible
        )
    else:
        yield Left(key=key, did=step.command, kind="no_way_back", reason="it has no way back")


def _by_author(
    compiled: CompiledStep,
    rollback: RollbackAction,
    parameters: Mapping[str, Any],
    key: str,
) -> Item:
    way_back, verify = compiled.way_back, rollback.verify
    item = _item(
        compiled, key, "rollback", rollback.command, _known(way_back.parameters, parameters)
    )
    if verify is None:
        return item
    check = Check(
        condition=verify.condition or "",
        command=verify.command,
        parameters=_known(way_back.verify, parameters),
    )
    return item.model_copy(update={"check": check})


def _item(
    compiled: CompiledStep,
    key: str,
    how: Literal["rollback", "restore"],
    command: str,
    parameters: dict[str, Any],
) -> Item:
    step = compiled.step
    notes = ("on each target that it touches",) if step.target.is_fleet else ()
    if step.foreach is not None:
        notes = ("for each instance",)
    return Item(
        number=0,
        key=key,
        execution_id="",
        step=step.id,
        name=step.name,
        did=step.command,
        how=how,
        command=command,
        parameters=parameters,
        notes=notes,
    )


def _known(rendered: Rendered | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """With the parameters of the run filled in; other places stay as they were written."""
    if rendered is None:
        return {}
    data = {f"params.{name}": value for name, value in parameters.items()}
    try:
        values: dict[str, Any] = rendered.known(data)
    except ExpressionError as error:
        return {"cannot be rendered": str(error)}
    return values
