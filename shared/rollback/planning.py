"""The plan: what is undone, in which order, how it is checked; and what remains. Pure.

The law:

* Every deed is in the plan once: as an item, as what remains, or as what is spared.
* Where the author wrote a `rollback`, that undoes it; else what was captured is restored.
* What has no way back remains. So does what cannot be rendered: a step whose outcome is unknown has
  no output.
* Steps without effects are left out, unless the author wrote how to undo them.
* A step whose agent was lost before it had kept what was there has changed nothing: what is kept is
  durable before a step begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.rollback.checkpoints import behind, point_of, points
from shared.rollback.items import Check, Item, Left, Plan, Spared
from shared.rollback.ordering import Order, order_of
from shared.rollback.past import Deed, Ran, deeds, kept, path_of
from shared.rollback.template import Undoing, given_of, made_of
from shared.workflow.binding import bind, instance_values
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import as_fractions, json_size
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.machines.step import StepStatus
from shared.workflow.way_back import RollbackAction, Strategy

RESTORE: Final = "restore"
"""The command that puts back what was captured."""
KEPT_AT_LEAST_MS: Final = 12 * 3_600_000
"""For so long after its end what was captured in an execution is there."""
MAX_BYTES: Final = 6 * 1024 * 1024
"""Largest values of all items together, as JSON: they travel in one message."""

Effects = Callable[[str, Mapping[str, Any]], str]
"""The effects of a command with these parameters: `none`, `reversible` or `irreversible`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: all, or what `steps` did, each named by its id, or by its path below a
    call; `undone` are the keys of what earlier rollbacks undid."""

    number: int = 1
    strategy: Strategy = "graceful"
    to: str = ""
    steps: tuple[str, ...] = ()
    undone: frozenset[str] = frozenset()


def make_plan(
    ran: Ran, wish: Wish, effects: Effects, at_ms: int, most: int = MAX_INSTANCES
) -> Plan:
    """The plan of a rollback; at most so many deeds are undone by one loop. Raises `PlanError`
    where what was asked for cannot be."""
    planner = _Planner(ran, wish, effects, at_ms, most)
    planner.sort()
    order = order_of(planner.groups)
    items, undoings = planner.items(order)
    plan = Plan(
        execution_id=ran.state.execution_id,
        number=wish.number,
        strategy=wish.strategy,
        to=planner.to,
        made_at_ms=at_ms,
        items=items,
        left=tuple(planner.left),
        spared=tuple(planner.spared),
    )
    if not items or wish.strategy == "manual":
        return plan
    template, parameters = made_of(ran, wish.number, undoings, order)
    return plan.model_copy(update={"template": template, "parameters": parameters})


def changes_something(ran: Ran, effects: Effects) -> Callable[[str], bool]:
    """Tells whether a step of an execution, by its id, changes something."""

    def changes(name: str) -> bool:
        step = ran.program.step(name).step
        if step.workflow is not None or step.rollback is not None:
            return True
        return bool(step.command) and effects(step.command, step.parameters) != "none"

    return changes


class _Planner:
    """Sorts the deeds of one execution."""

    def __init__(self, ran: Ran, wish: Wish, effects: Effects, at_ms: int, most: int) -> None:
        self._ran = ran
        self._most = most
        self._at_ms = at_ms
        self._wish = wish
        self._effects = effects
        self._scope: frozenset[str] | None = None
        self._bytes = 0
        self._undoings: dict[str, list[Undoing]] = {}
        self.to = ""
        self.left: list[Left] = []
        self.spared: list[Spared] = []
        self.groups: dict[str, list[Deed]] = {}
        if wish.strategy == "checkpoint":
            point = point_of(points(ran, changes_something(ran, effects)), wish.to)
            self.to = point.name or point.step
            self._scope = behind(ran, point)
        self._only = frozenset(path_of(name) for name in wish.steps)

    def sort(self) -> None:
        """Put every deed where it belongs."""
        for key, origin in kept(self._ran):
            reason = f"it was done by {origin}, which this execution re-ran: roll that back"
            self.spared.append(Spared(key=key, reason=reason))
        found = sorted(deeds(self._ran), key=lambda one: (one.began_ms, one.key), reverse=True)
        for deed in found:
            reason = self._why_spared(deed)
            if reason:
                self.spared.append(Spared(key=deed.key, reason=reason))
            else:
                self._undo(deed)

    def items(self, order: Order) -> tuple[tuple[Item, ...], dict[str, list[Undoing]]]:
        """The items in their order, and what undoes them by group."""
        names = sorted(self._undoings, key=lambda name: order.rounds[name])
        found: list[Item] = []
        placed: dict[str, list[Undoing]] = {}
        for position, name in enumerate(names, 1):
            placed[name] = []
            for index, one in enumerate(self._undoings[name]):
                place = f"u{position}[{index}]"
                check = one.item.check
                where = f"v{position}[{index}]" if check is not None and check.command else ""
                known = {
                    "number": len(found) + 1,
                    "round": order.rounds[name],
                    "place": place,
                    "check_place": where,
                }
                item = one.item.model_copy(update=known)
                placed[name].append(Undoing(item, one.deed, one.values))
                found.append(item)
        return tuple(found), placed

    def _why_spared(self, deed: Deed) -> str:
        if self._scope is not None and deed.top not in self._scope:
            return f"it was done by checkpoint {self.to}"
        if self._only and not self._was_asked_for(deed):
            return "it does not belong to what was asked for"
        if deed.key in self._wish.undone:
            return "it is undone already"
        if self._never_began(deed):
            return "its agent ended before it had kept what was there, and so before it began"
        step = deed.compiled.step
        if step.rollback is None and not deed.restores and not self._changes(deed):
            return "it changes nothing"
        return ""

    def _was_asked_for(self, deed: Deed) -> bool:
        """By its own path, or by that of a call above it."""
        parts = path_of(deed.key).split("/")
        return any("/".join(parts[:n]) in self._only for n in range(1, len(parts) + 1))

    def _never_began(self, deed: Deed) -> bool:
        """What was kept is removed some day: of what is long past its absence tells nothing."""
        ended_ms = deed.ran.state.ended_at_ms or self._at_ms
        return not deed.certain and deed.kept_nothing and self._at_ms - ended_ms < KEPT_AT_LEAST_MS

    def _changes(self, deed: Deed) -> bool:
        compiled = deed.compiled
        try:
            local = instance_values(deed.step)
            data = bind(compiled.parameters.needs, deed.ran.state, local=local)
            parameters = compiled.parameters.render(data)
        except ExpressionError:
            parameters = compiled.step.parameters
        return self._effects(compiled.step.command, parameters) != "none"

    def _undo(self, deed: Deed) -> None:
        step = deed.compiled.step
        if not deed.agent and not step.irreversible:
            self._leave(deed, "no_way_back", "nobody knows on which agent it was done")
            return
        try:
            if step.rollback is not None:
                self._add(_by_author(deed, step.rollback))
            elif deed.restores:
                self._add(_by_capture(deed))
            elif step.irreversible:
                self._leave(deed, "irreversible", step.irreversible, accepted=True)
            else:
                said = "it has no way back"
                self._leave(
                    deed, "no_way_back", said if deed.certain else f"{_midway(deed)}; {said}"
                )
        except ExpressionError as error:
            self._leave(deed, "not_rendered", f"what undoes it cannot be rendered: {error}")

    def _add(self, undoing: Undoing) -> None:
        size = json_size(undoing.values) + json_size(undoing.item.parameters)
        if self._bytes + size > MAX_BYTES:
            limit = MAX_BYTES // 2**20
            reason = f"all values of this rollback take more than {limit} MiB together"
            self._leave(undoing.deed, "too_large", reason)
            return
        self._bytes += size
        group = self._with_room(undoing.deed.group)
        self._undoings.setdefault(group, []).append(undoing)
        self.groups.setdefault(group, []).append(undoing.deed)

    def _with_room(self, group: str) -> str:
        """A group, or, where that is full, another one of the same step."""
        name, number = group, 1
        while len(self._undoings.get(name, ())) >= self._most:
            number += 1
            name = f"{group}~{number}"
        return name

    def _leave(self, deed: Deed, kind: Any, reason: str, *, accepted: bool = False) -> None:
        self.left.append(
            Left(
                key=deed.key,
                agent=deed.agent,
                did=deed.compiled.step.command,
                kind=kind,
                accepted=accepted,
                reason=reason,
                certain=deed.certain,
            )
        )


def _by_author(deed: Deed, rollback: RollbackAction) -> Undoing:
    """What the author wrote. Raises `ExpressionError` where it cannot be rendered."""
    way_back, verify = deed.compiled.way_back, rollback.verify
    values = _values(deed)
    parameters = way_back.parameters.render(values) if way_back.parameters is not None else {}
    check = None
    if verify is not None:
        check = Check(
            condition=verify.condition or "",
            command=verify.command,
            parameters=way_back.verify.render(values) if way_back.verify is not None else {},
        )
    item = _item(deed, "rollback", rollback.command, parameters)
    return Undoing(item.model_copy(update={"check": check}), deed, values)


def _by_capture(deed: Deed) -> Undoing:
    parameters = {"execution_id": deed.ran.state.execution_id, "step": deed.step_key}
    values = {f"{RESTORE}.{name}": value for name, value in parameters.items()}
    return Undoing(_item(deed, "restore", RESTORE, parameters), deed, values)


def _item(deed: Deed, how: Any, command: str, parameters: dict[str, Any]) -> Item:
    step = deed.compiled.step
    return Item(
        number=0,
        key=deed.key,
        execution_id=deed.ran.state.execution_id,
        step=deed.step_key,
        name=step.name,
        agent=deed.agent,
        did=step.command,
        certain=deed.certain,
        how=how,
        command=command,
        parameters=parameters,
        notes=tuple(_notes(deed)),
        began_at_ms=deed.began_ms,
        ended_at_ms=deed.ended_ms,
    )


def _values(deed: Deed) -> dict[str, Any]:
    """The value of each variable that the way back of a deed uses, as far as there is one."""
    step, local = deed.step, dict(instance_values(deed.step))
    if deed.captured is not None:
        local["captured"] = deed.captured
    needs = given_of(deed.compiled)
    known = step.status is StepStatus.COMPLETED or bool(step.output)
    wanted = [name for name in needs if known or name.partition(".")[0] != "output"]
    data = bind(wanted, deed.ran.state, step.output, local=local)
    way_back = deed.compiled.way_back
    numeric = {n for part in (way_back.parameters, way_back.verify) if part for n in part.numeric}
    return as_fractions(data, numeric)


def _midway(deed: Deed) -> str:
    outcomes = [one.outcome for one in deed.step.attempts]
    if "lost" in outcomes:
        return "its agent was lost midway, and nobody knows what it did"
    return f"it was {deed.step.status.value} midway, and may have changed something"


def _notes(deed: Deed) -> list[str]:
    notes = [] if deed.certain else [_midway(deed)]
    others = {one.agent for one in deed.step.attempts if one.agent} - {deed.agent}
    notes += [f"an earlier attempt ran on {name}: look there, too" for name in sorted(others)]
    if deed.step.mark is not None:
        notes.append(f"{deed.step.mark.by.id} marked it as {deed.step.mark.verdict}")
    return notes
