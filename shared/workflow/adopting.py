"""The beginning of a re-run: what it keeps is there before anything of it starts."""

from __future__ import annotations

from collections.abc import Iterable

from shared.workflow import events as ev
from shared.workflow.kept import KeptStep, Rerun, StepPlan
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import ENGINE, Instance
from shared.workflow.regions import cancel_region
from shared.workflow.turn import Turn


def adopt(turn: Turn, rerun: Rerun) -> None:
    """Take over what is kept. Nothing starts by it: that begins with the execution itself."""
    for kept in rerun.kept:
        if kept.step in turn.state.steps:
            adopt_step(turn, kept)
    for plan in rerun.plans:
        if plan.step in turn.state.steps:
            adopt_plan(turn, plan)
    turn.ended_steps.clear()


def adopt_step(turn: Turn, kept: KeptStep) -> None:
    """A step, or an instance, is not run again."""
    if turn.step(kept.step).status is not StepStatus.PENDING:
        return
    if kept.status == "completed":
        turn.emit(ev.StepKept(step=kept.step, kept=kept))
    else:
        turn.emit(ev.StepFailureKept(step=kept.step, kept=kept))


def adopt_plan(turn: Turn, plan: StepPlan) -> None:
    """A step, or an instance, makes use of this when it runs again."""
    if turn.step(plan.step).status is StepStatus.PENDING:
        turn.emit(ev.StepPlanned(step=plan.step, plan=plan))


def adopt_instances(
    turn: Turn, step_id: str, found: Iterable[Instance], plan: StepPlan | None
) -> None:
    """Keep what need not run again: of a loop where the item is the same, of a fleet by agent."""
    kept = {_identity(one.instance): one for one in plan.instances} if plan is not None else {}
    for instance in found:
        one = kept.get(_identity(instance))
        if one is None or (not instance.target and one.instance != instance):
            continue
        key = {"step": f"{step_id}[{instance.index}]"}
        if one.kept is not None:
            adopt_step(turn, one.kept.model_copy(update=key))
        if one.plan is not None:
            adopt_plan(turn, one.plan.model_copy(update=key))


def _identity(instance: Instance) -> int | str:
    return instance.target or instance.index


def cancel_what_kept_steps_cancel(turn: Turn) -> None:
    """A kept step that cancels regions has done so in this execution, too."""
    for key, step in list(turn.state.steps.items()):
        if step.kept_from and step.status is StepStatus.COMPLETED:
            for region in turn.compiled(key).step.cancels:
                cancel_region(turn, region, ENGINE, f"step {key} completed")
