"""Rollbacks as text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv

if TYPE_CHECKING:
    from shared.contracts.api.problems import ProblemDetails
    from shared.contracts.api.rollbacks import PlanView, RollbackSummary, RollbackView
    from shared.rollback.items import Item

_WORDS: Final = {
    "asked": "the execution is brought to its end first",
    "planning": "its plan is being made",
    "running": "it is being undone",
    "accounting": "what was undone is being looked at",
    "awaiting_people": "people undo it by hand",
    "rolled_back": "all of it is undone",
    "rollback_incomplete": "something remains",
    "rollback_failed": "nothing was undone",
}
_SIGNS: Final = {"done": "✓", "skipped": "↷", "failed": "✗"}


def plan_lines(plan: PlanView) -> Iterator[str]:
    """A plan, round by round."""
    to = f" to {plan.to}" if plan.to else ""
    of = plan.execution_id or "a run that has not begun"
    yield f"Rollback {plan.number} of {of}, {plan.strategy}{to}"
    if not plan.items:
        yield "  nothing is to be undone"
    for number, items in groupby(plan.items, key=lambda item: item.round):
        yield f"  round {number}"
        yield from (f"    {_item(item)}" for item in items)
    for one in plan.left:
        word = "cannot be undone, as its author says" if one.accepted else "REMAINS"
        yield f"  {word}: {rendering.safe(one.line)}"
    for spared in plan.spared:
        yield f"  not touched: {spared.key} ({rendering.safe(spared.reason)})"


def view_lines(view: RollbackView) -> Iterator[str]:
    """A rollback: how it stands, and its plan."""
    summary = view.summary
    yield from _head(summary)
    if view.service_answers is False:
        yield "  STANDS: no rollback service answers; it goes on once one runs"
    for number, tick in sorted(view.ticks.items(), key=lambda pair: int(pair[0])):
        said = f": {rendering.safe(tick.comment)}" if tick.comment else ""
        yield f"  {_SIGNS[tick.verdict]} item {number} {tick.verdict}, says {tick.by.id}{said}"
    if view.plan is not None:
        yield from plan_lines(view.plan)
    if view.plan_damage is not None:
        yield from _damage(view.plan_damage)
    yield from _left(summary)
    yield from _next(summary)


def over_lines(view: RollbackView) -> Iterator[str]:
    """What came of a rollback."""
    yield from _head(view.summary)
    yield from _left(view.summary)
    yield from _next(view.summary)


def row(summary: RollbackSummary, now_ms: int) -> tuple[object, ...]:
    """A rollback in a table."""
    return (
        summary.execution_id,
        summary.number,
        Text(summary.status, style=_style(summary.status)),
        summary.strategy + (f" to {summary.to}" if summary.to else ""),
        summary.items,
        len(summary.left) or "",
        summary.by.id,
        rendering.short_moment(summary.changed_at_ms, now_ms),
    )


def _style(status: str) -> str:
    if status == "rolled_back":
        return "green"
    return "red" if status.startswith("rollback_") else "cyan"


def _item(item: Item) -> str:
    sure = "" if item.certain else ", which may have done it"
    where = f" on {item.agent}" if item.agent else ""
    check = ", then checked" if item.check is not None else ""
    return f"{item.number:>3}  {item.key}{where}: {item.command}{sure}{check}"


def _head(summary: RollbackSummary) -> Iterator[str]:
    outcome = f" ({rendering.safe(summary.outcome)})" if summary.outcome else ""
    yield f"{summary.execution_id}: {summary.status}, {_WORDS[summary.status]}{outcome}"
    if summary.run:
        yield f"  done by execution {summary.run}"


def _left(summary: RollbackSummary) -> Iterator[str]:
    yield from (f"  remains: {rendering.safe(line)}" for line in summary.left)
    yield from (f"  accepted: {rendering.safe(line)}" for line in summary.accepted)


def _damage(damage: ProblemDetails) -> Iterator[str]:
    yield f"  DAMAGED: {rendering.safe(damage.detail)}"
    for one in damage.errors:
        where = f"{one.field}: " if one.field else ""
        yield f"    {rendering.safe(where + one.message)}"


def _next(summary: RollbackSummary) -> Iterator[str]:
    if summary.status == "awaiting_people" or (summary.over and summary.left):
        yield f"  by hand: {hv(f'rollbacks runbook {summary.execution_id}')}"
