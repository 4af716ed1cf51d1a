"""Causes in a step that has not begun: what comes before it, a milestone, a lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.contracts.api.explain import Awaited, Finding, Severity
from shared.explain.picture import Picture
from shared.explain.wording import names
from shared.workflow.flow import count_needed
from shared.workflow.gates import open_gates
from shared.workflow.machines.step import StepStatus
from shared.workflow.program import Program
from shared.workflow.slots import waits_to_begin
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.validating import is_awaited


def pending(picture: Picture) -> Iterator[Finding]:
    """What each step that has not begun waits for. A gate before it, or a slot that it needs, is
    told by itself, and for the instances of a loop their loop speaks."""
    state, program = picture.state, picture.program
    if state is None or program is None or state.over:
        return
    asked = {name for name, _ in open_gates(state)} | state.slots.keys()
    if "workflow" in asked or waits_to_begin(state) or is_awaited(state):
        return
    for name in program.graph.order:
        step = state.steps.get(name)
        if step is None or step.status is not StepStatus.PENDING or name in asked:
            continue
        if not _is_in_section(program, state, name):
            continue
        found = _of(picture, program, state, name)
        if found is not None:
            yield found


def _is_in_section(program: Program, state: ExecutionState, name: str) -> bool:
    routes = program.graph.routes
    if name in routes.on_failure:
        return state.section != ""
    if name in routes.always:
        return state.section == "finally"
    return state.stop is None


def _of(picture: Picture, program: Program, state: ExecutionState, name: str) -> Finding | None:
    definition = program.step(name).step
    before = program.graph.dependencies[name]
    missing = [one for one in before if not state.steps[one].ended]
    milestone = definition.milestone
    if milestone is not None and milestone.reached in missing:
        return _milestone(state, name, milestone.reached)
    if _is_joined(definition.join, before, missing, state.steps):
        return _locked(program, state, name)
    need = ""
    if definition.join != "all":
        need = f" ({count_needed(definition.join)} of {len(before)} have to complete)"
    return Finding(
        cause="dependency",
        severity=Severity.FOLLOWS,
        says=f"{name} comes after {names(missing)}{need}.",
        step=name,
        waits_for=Awaited(kind="step", name=names(missing)),
        usual=picture.past.usual.get(name),
        normally="It starts by itself.",
        action=f"hv show {state.execution_id}",
    )


def _is_joined(
    join: object, before: tuple[str, ...], missing: list[str], steps: Mapping[str, StepState]
) -> bool:
    if join == "all" or not missing:
        return not missing
    needed = join if isinstance(join, int) else 1
    return sum(steps[one].status is StepStatus.COMPLETED for one in before) >= needed


def _milestone(state: ExecutionState, name: str, reached: str) -> Finding:
    return Finding(
        cause="milestone",
        severity=Severity.WAITS,
        says=f"{name} waits for its milestone: {reached} has to complete.",
        step=name,
        waits_for=Awaited(kind="milestone", name=reached),
        since_ms=state.started_at_ms,
        normally="It starts once the milestone is reached, and is skipped when it has passed.",
        action=f"hv show {state.execution_id}",
    )


def _locked(program: Program, state: ExecutionState, name: str) -> Finding | None:
    lock = program.step(name).step.lock
    if lock is None:
        return None
    sharing = program.graph.routes.locks[lock]
    begun = (StepStatus.PENDING,)
    holder = next(
        (
            one
            for one in sharing
            if not state.steps[one].ended and state.steps[one].status not in begun
        ),
        None,
    )
    if holder is None:
        return None
    return Finding(
        cause="lock",
        severity=Severity.WAITS,
        says=f"{name} waits for the lock {lock}, which {holder} holds.",
        step=name,
        waits_for=Awaited(kind="lock", name=lock),
        since_ms=state.steps[holder].started_at_ms or state.steps[holder].scheduled_at_ms,
        normally="Of the steps that share a lock one at a time is under way.",
        action=f"hv show {state.execution_id}",
    )
