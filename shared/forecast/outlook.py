"""What a rollback could do where a run fails: step by step, and whether it comes back to the start.

At a step that fails, everything may have run that does not wait for it. What changes nothing needs
no way back; of the rest a step is compensated (it has a `rollback`), captured (its command keeps
what it changes), irreversible as its author says, or unprotected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from shared.commands.spec import CommandSpec, Effects
from shared.contracts.forecasts import FailurePoint, Undo
from shared.validation.rules.ways_back import only_reads
from shared.validation.subject import Use
from shared.workflow.definition import Step
from shared.workflow.program import Program

CLEAN: Final = ("compensated", "captured")
MAX_UNDONE: Final = 50
"""Steps that are named for one point; all of them are counted."""

Ways = Mapping[str, Undo | None]


def way_back_of(step: Step, commands: Mapping[str, CommandSpec]) -> Undo | None:
    """What would become of one step's change; None for one that changes nothing."""
    if not step.command:
        return None
    spec = commands.get(step.command)
    effects = spec.effects_of(step.parameters) if spec is not None else Effects.IRREVERSIBLE
    if step.rollback is not None:
        return Undo(step=step.id, how="compensated", reason=f"by {step.rollback.command}")
    use = Use("", "step", step, step.command, step.parameters, step.timeout_s)
    if effects is Effects.NONE or only_reads(use):
        return None
    if step.irreversible:
        return Undo(step=step.id, how="irreversible", reason=step.irreversible)
    if spec is not None and spec.captures:
        return Undo(step=step.id, how="captured", reason=f"{step.command} keeps what it changes")
    why = (
        "nothing uses what it captures" if step.capture else "it has no rollback, and keeps nothing"
    )
    return Undo(step=step.id, how="unprotected", reason=why)


def point_of(program: Program, failed: str, probability: float, ways: Ways) -> FailurePoint:
    """What a rollback would do when a step fails. `ways` is the way back of every step."""
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
    before = (ways[name] for name in reversed(program.graph.order) if name not in after)
    return [way for way in before if way is not None]


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
