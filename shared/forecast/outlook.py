"""What a rollback could do where a run fails: step by step, and whether it comes back to the start.

At a step that fails, everything may have run that does not wait for it. What changes nothing needs
no way back; of the rest a step is compensated (it has a `rollback`), captured (its command keeps
what it changes, or the template does), irreversible as its author says, or unprotected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.commands.spec import CommandSpec, Effects
from shared.contracts.forecasts import Undo
from shared.workflow.definition import Step
from shared.workflow.program import Program

CLEAN: Final = ("compensated", "captured")


def way_back_of(step: Step, commands: Mapping[str, CommandSpec]) -> Undo | None:
    """What would become of one step's change; None for one that changes nothing."""
    if not step.command:
        return None
    spec = commands.get(step.command)
    effects = spec.effects_of(step.parameters) if spec is not None else Effects.IRREVERSIBLE
    if step.rollback is not None:
        return Undo(step=step.id, how="compensated", reason=f"by {step.rollback.command}")
    if effects is Effects.NONE:
        return None
    if step.irreversible:
        return Undo(step=step.id, how="irreversible", reason=step.irreversible)
    if effects is Effects.REVERSIBLE:
        return Undo(step=step.id, how="captured", reason=f"{step.command} keeps what it changes")
    return Undo(step=step.id, how="unprotected", reason="it has no rollback, and keeps nothing")


def undone_at(program: Program, failed: str, commands: Mapping[str, CommandSpec]) -> list[Undo]:
    """What a rollback would meet when `failed` fails: the steps that may have run, the last first.
    The failed step is among them: it may have changed something before it failed."""
    after = _after(program, failed)
    found: list[Undo] = []
    for name in reversed(program.graph.order):
        if name in after:
            continue
        undo = way_back_of(program.steps[name].step, commands)
        if undo is not None:
            found.append(undo)
    return found


def is_clean(program: Program, undone: list[Undo]) -> bool:
    """True where a rollback of these gets back to the state before the run."""
    if not undone:
        return True
    return program.template.policies.rollback_enabled and all(u.how in CLEAN for u in undone)


def _after(program: Program, failed: str) -> set[str]:
    """The steps that cannot have run yet: those that wait for the failed one, and what is run at
    the end only."""
    routes = program.graph.routes
    later = {*routes.on_failure, *routes.always} - {failed}
    waiting = {n for n, before in program.graph.ancestors.items() if failed in before}
    return waiting | later
