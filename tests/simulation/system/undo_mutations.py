"""Deliberately broken variants of the rollback: each must be caught by some `UndoWorld`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from unittest.mock import patch

from services.rollback import accounting
from services.rollback.pasts import Pasts
from shared.rollback import law, ordering, past, planning
from shared.rollback.past import Deed
from shared.workflow.machines.step import StepStatus
from tests.simulation.system.mutations import Patch

UNDO_MUTATIONS: Final[dict[str, Callable[[], Patch]]] = {}


def _mutation(make: Callable[[], Patch]) -> Callable[[], Patch]:
    UNDO_MUTATIONS[make.__name__.removeprefix("_").replace("_", "-")] = make
    return make


@_mutation
def _undone_in_the_order_done() -> Patch:
    """What was done first is undone first."""
    original = ordering._sorted

    def reversed_order(groups: list[Any]) -> list[Any]:
        return original(groups)[::-1]

    def one_by_one(groups: list[Any], *_graph: Any, **_by: Any) -> dict[str, tuple[str, ...]]:
        names = [group.name for group in groups]
        return {name: tuple(names[n + 1 : n + 2]) for n, name in enumerate(names)}

    return patch.multiple(ordering, _sorted=reversed_order, _reduced=one_by_one)


@_mutation
def _all_undone_at_once() -> Patch:
    """Nothing waits for anything."""

    def none(groups: list[Any], *_graph: Any, **_by: Any) -> dict[str, tuple[str, ...]]:
        return {group.name: () for group in groups}

    return patch.object(ordering, "_reduced", none)


@_mutation
def _a_completed_step_left_out() -> Patch:
    """What completed last is not undone."""
    original = past.deeds

    def all_but_one(ran: Any, *rest: Any) -> Iterator[Deed]:
        found = list(original(ran, *rest))
        done = [one for one in found if one.step.status is StepStatus.COMPLETED]
        last = max(done, key=lambda one: one.ended_ms, default=None)
        return iter(one for one in found if one is not last)

    return patch.object(planning, "deeds", all_but_one)


@_mutation
def _only_what_completed() -> Patch:
    """What failed, was lost or stopped midway is not looked at."""
    return patch.object(past, "_may_have", lambda _attempt: False)


@_mutation
def _planned_before_it_is_held() -> Patch:
    """The plan is made of whatever is stored at the moment."""

    async def held(self: Pasts, execution_id: str, _number: int) -> Any:
        return await self.now(execution_id)

    return patch.object(Pasts, "held", held)


@_mutation
def _failures_are_not_looked_at() -> Patch:
    """Whatever became of an item, it counts as undone."""

    return patch.object(accounting, "why_not_done", lambda _item, _run: None)


@_mutation
def _undone_again() -> Patch:
    """A second rollback forgets what the first one undid."""
    original = law._requested

    def forgetful(state: Any, *rest: Any) -> Any:
        outcome = original(state, *rest)
        if outcome.state is not None and outcome.state is not state:
            return outcome._replace(state=outcome.state.model_copy(update={"undone": ()}))
        return outcome

    return patch.object(law, "_requested", forgetful)
