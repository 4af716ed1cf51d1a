"""Re-runs: which steps of an ended execution are kept, which run again, and why.

* Only what completed is kept (and, from a step on, failures that were tolerated). What was skipped
  is decided anew.
* From a step on, that step runs again and everything behind it. Of a re-run of what failed, only
  what had not completed runs again, and what uses its data.
* A kept step is what the new run would do: one whose definition differs (as far as that decides
  what it does), or that uses an input that changed, runs again, and so does what follows from it.
* A loop keeps the instances that completed, each for as long as its item is the same. A call goes
  on in the sub-workflow that failed, for as long as it is called with the same parameters.
* What was undone by a rollback runs again.
* Steps of `on_failure` and `finally` belong to the end of every execution, and are never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.workflow.approval_subject import to_run
from shared.workflow.binding import base
from shared.workflow.definition import is_generated
from shared.workflow.errors import present
from shared.workflow.expressions import json_size
from shared.workflow.kept import KeptApproval, KeptInstance, KeptStep, Rerun, StepPlan
from shared.workflow.kept_approvals import may_count
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Actor
from shared.workflow.program import CompiledStep, Program
from shared.workflow.state import ExecutionState, StepState

_S = StepStatus
_GOVERNANCE: Final = frozenset(
    {
        "name",
        "description",
        "timeout_s",
        "start_timeout_s",
        "retry",
        "on_lost",
        "idempotent",
        "rollback",
    }
)
"""Fields of a step that make no difference to what it did once it has completed."""


@dataclass(frozen=True, slots=True)
class Past:
    """An execution that has ended, and the program that it ran."""

    program: Program
    state: ExecutionState


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to run again: everything, or what failed, or a step and all behind it."""

    from_step: str = ""
    failed_only: bool = False
    whole_children: bool = False


@dataclass(frozen=True, slots=True)
class Sorting:
    """The main steps, sorted: those kept, those that run again (`again`, with the reason), those
    that are decided anew. Of what `failed` the loops keep instances and the calls go on."""

    kept: tuple[str, ...]
    again: Mapping[str, str]
    anew: tuple[str, ...]
    failed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChildRerun:
    """The re-run of a sub-workflow, and the parameters that it was called with."""

    rerun: Rerun
    parameters: dict[str, Any]


def why_not_rerun(past: Past, program: Program, wish: Wish) -> str | None:
    """Why the wish cannot be fulfilled; `None` when it can."""
    if is_generated(past.state.template_id):
        return "it is a rollback: roll the execution back once more instead"
    if not past.state.ended:
        return f"it has not ended: it is {past.state.status.value}"
    if wish.failed_only and past.state.status is ExecutionStatus.COMPLETED:
        return "nothing of it failed, and nothing was left out"
    if wish.from_step and wish.from_step not in program.steps:
        known = ", ".join(program.graph.order[:50])
        return f"version {program.template.version} has no step {wish.from_step!r}: {known}"
    if wish.from_step in program.graph.routes.on_failure:
        return f"step {wish.from_step!r} runs only when something fails: begin with that"
    return None


def sort_steps(
    past: Past,
    program: Program,
    parameters: Mapping[str, Any],
    wish: Wish,
    approvals: Iterable[KeptApproval],
) -> Sorting:
    """Sort the main steps of the new program; see the module's law."""
    sorter = _Sorter(past, program, parameters, wish, {one.gate for one in approvals})
    sections = {*program.graph.routes.on_failure, *program.graph.routes.always}
    for name in program.graph.order:
        if name not in sections:
            sorter.sort(name)
    sorter.spare_cancelled_regions()
    return Sorting(tuple(sorter.kept), sorter.again, tuple(sorter.anew), frozenset(sorter.failed))


def kept_approvals(
    past: Past, program: Program, parameters: Mapping[str, Any], requester: Actor
) -> tuple[KeptApproval, ...]:
    """The approvals that may still hold. Version and parameters are part of what was approved."""
    state = past.state
    if program.template.version != state.template_version or parameters != state.parameters:
        return ()
    found = (
        KeptApproval(
            gate=name,
            execution_id=state.execution_id,
            round=gate.round,
            subject_hash=gate.subject_hash,
            step=gate.step,
            targets=gate.targets,
            rule=gate.rule,
            input=gate.input,
            votes=gate.votes,
            steps=() if gate.step else to_run(past.program, state),
        )
        for name, gate in state.gates.items()
        if gate.status is ApprovalStatus.GRANTED and gate.subject_hash
    )
    return tuple(one for one in found if may_count(one, requester.id))


def children_to_go_on(
    past: Past, program: Program, sorting: Sorting, wish: Wish
) -> Iterator[tuple[str, str]]:
    """Calls that run again, by step or instance, and the sub-workflow in which each may go on."""
    if wish.whole_children:
        return
    for key, step in past.state.steps.items():
        name = base(key)
        if name not in sorting.again or name not in past.program.steps:
            continue
        if key != name and name not in sorting.failed:
            continue
        before, now = past.program.step(name).step.workflow, program.step(name).step.workflow
        if before is None or now is None or before.template != now.template:
            continue
        if step.child is not None and step.status is not _S.COMPLETED:
            yield key, step.child


def rerun_of(
    past: Past,
    sorting: Sorting,
    children: Mapping[str, ChildRerun],
    approvals: tuple[KeptApproval, ...] = (),
    *,
    by: Actor,
    reason: str,
) -> Rerun:
    """What the request of the new execution brings along."""
    plans = (_plan(past, name, sorting, children) for name in sorting.again)
    return Rerun(
        of=past.state.execution_id,
        by=by,
        reason=reason,
        kept=tuple(_kept(past.state, name) for name in sorting.kept),
        plans=tuple(plan for plan in plans if plan is not None),
        approvals=approvals,
    )


class _Sorter:
    """Goes through the steps in order of dependency."""

    def __init__(
        self,
        past: Past,
        program: Program,
        parameters: Mapping[str, Any],
        wish: Wish,
        gates: set[str],
    ) -> None:
        self._past = past
        self._program = program
        self._wish = wish
        self._gates = gates
        was = past.state.parameters
        self._changed = {
            name for name in {*was, *parameters} if was.get(name) != parameters.get(name)
        }
        self.kept: list[str] = []
        self.again: dict[str, str] = {}
        self.anew: list[str] = []
        self.failed: list[str] = []

    def sort(self, name: str) -> None:
        """Put a step where it belongs; those before it are sorted."""
        step = self._past.state.steps.get(name)
        reason = self._why_again(name, step)
        own = self._why_unfinished(step) if step is not None and reason is None else None
        if reason is not None:
            self.again[name] = reason
        elif own is not None:
            self.again[name] = own
            self.failed.append(name)
        elif step is not None and step.status is _S.SKIPPED:
            self.anew.append(name)
        else:
            self.kept.append(name)

    def spare_cancelled_regions(self) -> None:
        """What a kept step cancels was not left undone: it is cancelled again."""
        steps = self._program.steps
        regions = {region for name in self.kept for region in steps[name].step.cancels}
        for name in [name for name in self.failed if steps[name].step.region in regions]:
            if self._past.state.steps[name].status is _S.CANCELLED:
                del self.again[name]
                self.failed.remove(name)
                self.anew.append(name)

    def _why_again(self, name: str, step: StepState | None) -> str | None:
        """Why what was done of a step cannot be kept, whatever came of it."""
        wish = self._wish
        if not (wish.from_step or wish.failed_only):
            return "everything runs again"
        if name == wish.from_step:
            return "the re-run begins with it"
        if step is None or name not in self._past.program.steps:
            return "it is new in this version"
        rollback = self._past.state.rollback
        if rollback is not None and name in rollback.undone:
            return "what it did was undone"
        return self._why_different(name) or self._why_after(name)

    def _why_different(self, name: str) -> str | None:
        now = self._program.steps[name]
        fields = _differences(self._past.program.steps[name], now)
        if fields:
            return f"its definition differs: {', '.join(fields)}"
        for need in sorted(_needs(now)):
            root, _, rest = need.partition(".")
            if root == "params" and rest.partition(".")[0] in self._changed:
                return f"it uses the input {rest}, which changed"
            if root == "approvals" and rest.partition(".")[0] not in self._gates:
                return f"it uses what an approver fills in at {rest.partition('.')[0]}"
        return None

    def _why_after(self, name: str) -> str | None:
        """From a step on: what is behind one that runs again. Else: what uses its data, or is sent
        to by it."""
        graph = self._program.graph
        if self._wish.from_step:
            before: Iterable[str] = graph.dependencies[name]
        else:
            reads = {
                need.split(".")[1]
                for need in _needs(self._program.steps[name])
                if need.startswith("steps.")
            }
            before = (*sorted(reads), *graph.routes.senders.get(name, ()))
        for other in before:
            if other in self.again:
                return f"it comes after {other}, which runs again"
        return None

    def _why_unfinished(self, step: StepState) -> str | None:
        if step.status is _S.COMPLETED or step.status is _S.SKIPPED:
            return None
        if step.status is _S.FAILED:
            return None if step.tolerated and self._wish.from_step else "it failed"
        return "it was cancelled"


def _needs(compiled: CompiledStep) -> set[str]:
    """The variables that decide what a step does and what is made of it."""
    parts = (
        compiled.parameters,
        compiled.host,
        compiled.when,
        compiled.items,
        compiled.until,
        compiled.selector,
        *compiled.cases,
        *compiled.accepts,
        *compiled.checks,
        *compiled.criteria,
    )
    return {name for part in parts if part is not None for name in part.needs}


def _differences(before: CompiledStep, now: CompiledStep) -> list[str]:
    was = before.step.model_dump(exclude=set(_GOVERNANCE))
    is_now = now.step.model_dump(exclude=set(_GOVERNANCE))
    return [name for name in was if was[name] != is_now[name]]


def _kept(state: ExecutionState, key: str) -> KeptStep:
    step = state.steps[key]
    return KeptStep(
        step=key,
        origin=step.kept_from or state.execution_id,
        status="completed" if step.status is _S.COMPLETED else "failed",
        attempt=step.attempt,
        agent=step.agent,
        started_at_ms=step.started_at_ms,
        ended_at_ms=step.ended_at_ms,
        output=step.output,
        output_bytes=json_size(step.output),
        failure=step.failure,
        attempts=step.attempts,
        taken=step.taken,
        child=step.child,
        rounds=step.rounds,
        mark=step.mark,
    )


def _plan(
    past: Past, name: str, sorting: Sorting, children: Mapping[str, ChildRerun]
) -> StepPlan | None:
    """How a step that runs again makes use of what it had done, if at all."""
    if name in children:
        return _into(name, children[name])
    step = past.state.steps.get(name)
    if step is None or name not in sorting.failed or not step.instances:
        return None
    keys = (f"{name}[{index}]" for index in range(step.instances))
    found = (_instance(past.state, key, children) for key in keys)
    instances = tuple(one for one in found if one is not None)
    return StepPlan(step=name, instances=instances) if instances else None


def _instance(
    state: ExecutionState, key: str, children: Mapping[str, ChildRerun]
) -> KeptInstance | None:
    step = state.steps[key]
    instance = present(step.instance, "item")
    if step.status is _S.COMPLETED:
        return KeptInstance(instance=instance, kept=_kept(state, key))
    if key in children:
        return KeptInstance(instance=instance, plan=_into(key, children[key]))
    return None


def _into(key: str, child: ChildRerun) -> StepPlan:
    return StepPlan(step=key, child=child.rerun, parameters=child.parameters)
