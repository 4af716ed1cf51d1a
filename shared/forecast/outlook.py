"""What a rollback could do where a run fails: step by step, and whether it is clean afterwards.

At a step that fails, everything may have run that does not wait for it. What becomes of each is
what the preview of a rollback before the run says (`shared.rollback.ahead`), which is held to the
planner by a property: compensated (it has a `rollback`), captured (its command keeps what it
changes), irreversible as its author says, or unprotected. Sub-workflows are looked into.

A step that failed has no output: what undoes it and needs one cannot be said to work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.contracts.forecasts import FailurePoint, Undo
from shared.rollback.ahead import Called, plan_ahead
from shared.rollback.items import Item, Left
from shared.rollback.planning import Effects
from shared.rollback.template import given_of
from shared.workflow.program import CompiledStep, Program

CLEAN: Final = ("compensated", "captured")
MAX_UNDONE: Final = 50
"""Steps that are named for one point; all of them are counted."""

Ways = Mapping[str, Sequence[Undo]]
"""By step what would become of its change: of a call one for each step below it that changes
something; nothing for one that does not."""


def ways_back(
    program: Program, parameters: Mapping[str, Any], called: Called, effects: Effects
) -> Ways:
    """The ways back of a complete run."""
    plan = plan_ahead(program, parameters, called, effects)
    found: dict[str, list[Undo]] = {}
    touched: list[Item | Left] = [*plan.items, *plan.left]
    for one in touched:
        found.setdefault(one.key.partition("/")[0], []).append(_undo(one))
    return found


def assumed_ways(program: Program, parameters: Mapping[str, Any]) -> list[str]:
    """Steps whose way back, or whose effect, follows from what only the run makes known."""
    return [
        name
        for name, compiled in program.steps.items()
        if any(not _is_known(need, parameters) for need in _needs(compiled))
    ]


def point_of(program: Program, failed: str, probability: float, ways: Ways) -> FailurePoint:
    """What a rollback would do when a step fails."""
    undone = undone_at(program, failed, ways)
    return FailurePoint(
        step=failed,
        probability=probability,
        undone=tuple(undone[:MAX_UNDONE]),
        counts=dict(Counter(one.how for one in undone)),
        clean=is_clean(program, undone),
    )


def undone_at(program: Program, failed: str, ways: Ways) -> list[Undo]:
    """What a rollback would meet when `failed` fails: the steps that may have run, the last first.
    The failed step is among them: it may have changed something before it failed."""
    after = _after(program, failed)
    before = [name for name in reversed(program.graph.order) if name not in after]
    return [
        _without_output(program.steps[name], way) if name == failed else way
        for name in before
        for way in ways.get(name, ())
    ]


def is_clean(program: Program, undone: list[Undo]) -> bool:
    """True where a rollback of these gets back to the state before the run."""
    if not undone:
        return True
    return program.template.policies.rollback_enabled and all(u.how in CLEAN for u in undone)


def _undo(one: Item | Left) -> Undo:
    if isinstance(one, Left):
        how = "irreversible" if one.kind == "irreversible" else "unprotected"
        return Undo.model_validate({"step": one.key, "how": how, "reason": one.reason})
    if one.how == "restore":
        return Undo(step=one.key, how="captured", reason=f"{one.did} keeps what it changes")
    return Undo(step=one.key, how="compensated", reason=f"by {one.command}")


def _without_output(compiled: CompiledStep, way: Undo) -> Undo:
    if compiled.step.workflow is not None or way.how != "compensated":
        return way
    if not any(name.partition(".")[0] == "output" for name in given_of(compiled)):
        return way
    reason = "what undoes it needs its output, and it has none when it fails"
    return Undo(step=way.step, how="unprotected", reason=reason)


def _needs(compiled: CompiledStep) -> tuple[str, ...]:
    """What its effect and its way back follow from."""
    if not compiled.step.command:
        return ()
    return (*compiled.parameters.needs, *given_of(compiled))


def _is_known(name: str, parameters: Mapping[str, Any]) -> bool:
    root, _, rest = name.partition(".")
    return rest in parameters if root == "params" else root == "execution"


def _after(program: Program, failed: str) -> set[str]:
    """The steps that cannot have run yet: those that wait for the failed one, and what is run at
    the end only."""
    routes = program.graph.routes
    later = {*routes.on_failure, *routes.always} - {failed}
    waiting = {n for n, before in program.graph.ancestors.items() if failed in before}
    return waiting | later
