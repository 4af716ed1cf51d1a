"""The template that carries a plan out: an execution like any other undoes one.

* Each group of deeds becomes a loop, one item for each: the agent that it ran on, and the values of
  the variables that its way back uses (`foreach.given`). The expressions are those of the author,
  so that secrets stay where they are, and no value is ever read as an expression.
* A check that is a command of its own becomes a loop behind it.
* A loop begins when those that come before it have ended, and is left out if one on which it
  depends has failed for any item. What does not depend on a failure goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.rollback.checkpoints import PlanError
from shared.rollback.items import Item
from shared.rollback.ordering import Order
from shared.rollback.past import Deed, Ran
from shared.rollback.state import template_id, template_version
from shared.workflow.declared import Parameter, ParameterType
from shared.workflow.definition import MAX_STEPS, Policies, Step, Template
from shared.workflow.flow import MAX_INSTANCES, Foreach
from shared.workflow.program import CompiledStep
from shared.workflow.retry_rule import Retry
from shared.workflow.way_back import RollbackAction

MOST_NEEDS: Final = 12
"""Loops whose failure leaves one out by name. Beyond so many any failure stops the rollback."""
WORK: Final = "work"
"""The parameter with all values, by loop."""
RESTORE_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Undoing:
    """An item, the deed that it undoes, and the values of what its expressions use."""

    item: Item
    deed: Deed
    values: Mapping[str, Any]


def given_of(compiled: CompiledStep) -> tuple[str, ...]:
    """The variables that the way back of a step uses; `output` in the condition of its check is
    what the check returned."""
    way_back = compiled.way_back
    names: set[str] = set()
    for part in (way_back.parameters, way_back.verify):
        names.update(part.needs if part is not None else ())
    if way_back.condition is not None:
        names.update(n for n in way_back.condition.needs if n.partition(".")[0] != "output")
    return tuple(sorted(names))


def made_of(
    ran: Ran, number: int, undoings: Mapping[str, Sequence[Undoing]], order: Order
) -> tuple[Template, dict[str, Any]]:
    """The template, and the parameters to run it with."""
    return _Maker(ran, number, undoings, order).make()


class _Maker:
    def __init__(
        self, ran: Ran, number: int, undoings: Mapping[str, Sequence[Undoing]], order: Order
    ) -> None:
        self._ran = ran
        self._number = number
        self._undoings = undoings
        self._order = order
        self._names = {group: f"u{index}" for index, group in enumerate(undoings, 1)}
        crowded = (names for names in order.needs.values() if len(names) > MOST_NEEDS)
        self._strict = {name for names in crowded for name in names}

    def make(self) -> tuple[Template, dict[str, Any]]:
        template, state = self._ran.program.template, self._ran.state
        if len(self._names) > MAX_STEPS // 2:
            raise PlanError(f"more than {MAX_STEPS // 2} steps are to be undone: do it by hand")
        policy = template.policies.rollback
        steps: list[Step] = []
        for group, members in self._undoings.items():
            steps += self._steps(group, members)
        made = Template(
            id=template_id(state.execution_id),
            version=template_version(self._number),
            name=f"Rollback of {template.name}"[:200],
            description=f"Undoes what {state.execution_id} did.",
            category="rollback",
            parameters={WORK: Parameter(type=ParameterType.OBJECT)},
            steps=tuple(steps),
            policies=Policies(
                rollback_enabled=False,
                approval=policy.approval,
                timeout_s=policy.timeout_s,
                retention=template.policies.retention,
            ),
        )
        work = {
            self._names[group]: [_item(one) for one in members]
            for group, members in self._undoings.items()
        }
        return made, {WORK: work}

    def _steps(self, group: str, members: Sequence[Undoing]) -> list[Step]:
        name, first = self._names[group], members[0]
        step = first.deed.compiled.step
        foreach = Foreach(
            items=f"params.{WORK}.{name}",
            given=tuple(sorted(first.values)) if step.rollback is None else _named(first),
            concurrency=_at_once(first.deed, len(members)),
            max_failures=0 if group in self._strict else MAX_INSTANCES,
        )
        common: dict[str, Any] = {
            "foreach": foreach,
            "start_timeout_s": max(60.0, step.start_timeout_s),
        }
        undo = Step(
            id=name,
            name=f"Undo {group}"[:200],
            depends_on=tuple(self._last(other) for other in self._after(group)),
            when=self._when(group),
            **common,
            **(_restoring() if step.rollback is None else _as_written(step.rollback)),
        )
        check = step.rollback.verify if step.rollback is not None else None
        if check is None or not check.command:
            return [undo]
        return [
            undo,
            Step(
                id=self._last(group),
                name=f"Check {group}"[:200],
                depends_on=(name,),
                command=check.command,
                parameters=check.parameters,
                timeout_s=check.timeout_s,
                success_criteria=(check.condition,) if check.condition else (),
                idempotent=True,
                **common,
            ),
        ]

    def _after(self, group: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._order.after[group], *self._needs(group))))

    def _needs(self, group: str) -> tuple[str, ...]:
        needs = self._order.needs[group]
        return needs if len(needs) <= MOST_NEEDS else ()

    def _when(self, group: str) -> str | None:
        names = [one for other in self._needs(group) for one in self._both(other)]
        parts = (f'steps.{n}.status == "completed" && steps.{n}.output.failed == 0' for n in names)
        return " && ".join(parts) or None

    def _both(self, group: str) -> tuple[str, ...]:
        """The loop that undoes a group, and that of its check."""
        return tuple(dict.fromkeys((self._names[group], self._last(group))))

    def _last(self, group: str) -> str:
        """The loop of a group that ends last."""
        rollback = self._undoings[group][0].deed.compiled.step.rollback
        checked = rollback is not None and rollback.verify is not None and rollback.verify.command
        name = self._names[group]
        return f"v{name[1:]}" if checked else name


def _named(one: Undoing) -> tuple[str, ...]:
    """At least one name: that an item brings values is told by it."""
    return given_of(one.deed.compiled) or ("captured",)


def _item(one: Undoing) -> dict[str, Any]:
    return {"agent": one.item.agent, "values": dict(one.values)}


def _restoring() -> dict[str, Any]:
    return {
        "command": "restore",
        "parameters": {
            "execution_id": "${{ restore.execution_id }}",
            "step": "${{ restore.step }}",
        },
        "timeout_s": RESTORE_TIMEOUT_S,
        "retry": Retry(max_attempts=3),
        "idempotent": True,
    }


def _as_written(rollback: RollbackAction) -> dict[str, Any]:
    verify = rollback.verify
    own = verify is not None and not verify.command and verify.condition
    return {
        "command": rollback.command,
        "parameters": rollback.parameters,
        "timeout_s": rollback.timeout_s,
        "retry": rollback.retry,
        "idempotent": rollback.idempotent,
        "success_criteria": (verify.condition,) if verify is not None and own else (),
    }


def _at_once(deed: Deed, count: int) -> int:
    """As many at a time as went on forward, at most."""
    room = count
    for program, name in deed.units:
        step = program.step(name).step
        if step.target.is_fleet:
            room = min(room, max(step.target.batches(count), default=1))
        elif step.foreach is not None:
            room = min(room, step.foreach.concurrency)
    return max(1, room)
