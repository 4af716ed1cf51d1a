"""The runbook of a rollback: what a person does, in order, host by host, with a check after each
step. Markdown, complete, with real values; what is ticked off is shown so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from shared.rollback.items import Check, Item, Plan
from shared.rollback.shell_lines import described, lines_of, needs_secrets
from shared.rollback.state import Tick

_MARKS: Mapping[str, str] = {"done": "x", "skipped": "-", "failed": "!"}

Hide = Callable[[Any], Any]
"""What makes values that must not be shown unreadable."""


def runbook(
    plan: Plan,
    ticks: Mapping[str, Tick] | None = None,
    only: Sequence[int] | None = None,
    hide: Hide = lambda value: value,
) -> str:
    """The runbook of a plan, or of the items `only` of it."""
    items = [item for item in plan.items if only is None or item.number in only]
    parts = [
        f"# Rollback {plan.number} of {plan.execution_id}",
        _opening(plan, items),
        *_rounds(items, ticks or {}, hide),
        *_left(plan),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(plan: Plan, items: Sequence[Item]) -> str:
    if not items:
        return "There is nothing to undo."
    to = f", back to checkpoint `{plan.to}`" if plan.to else ""
    count = f"{len(items)} steps" if len(items) > 1 else "One step"
    return (
        f"{count} in order{to}. Begin a round when the one before it is done; the steps of one "
        "round may be done at the same time. Tick each step off: "
        f"`hv rollbacks tick {plan.execution_id} NUMBER done`."
    )


def _rounds(items: Iterable[Item], ticks: Mapping[str, Tick], hide: Hide) -> Iterable[str]:
    for number, members in groupby(items, key=lambda item: item.round):
        yield f"## Round {number}"
        by_host = sorted(members, key=lambda item: (item.agent, item.number))
        for agent, mine in groupby(by_host, key=lambda item: item.agent):
            yield f"### On {agent or 'any agent'}"
            yield from (_item(item, ticks.get(str(item.number)), hide) for item in mine)


def _item(item: Item, tick: Tick | None, hide: Hide) -> str:
    mark = _MARKS[tick.verdict] if tick is not None else " "
    title = f"- [{mark}] **{item.number}. Undo `{item.key}`**"
    if item.name:
        title += f" ({item.name})"
    lines = [title + f", which ran `{item.did}`."]
    if not item.certain:
        lines.append("  It is not certain that it did anything: look first.")
    lines += [f"  Note: {note}." for note in item.notes]
    where = {"agent": item.agent} if item.how == "restore" else {}
    lines.append(_block(item.command, hide({**item.parameters, **where})))
    if item.check is not None:
        lines.append(_check(item.check, hide))
    if tick is not None:
        said = f": {tick.comment}" if tick.comment else ""
        lines.append(f"  {tick.by.id} says: {tick.verdict}{said}")
    return "\n".join(lines)


def _check(check: Check, hide: Hide) -> str:
    if not check.command:
        return f"  Then check, over what it returned: `{check.condition}`"
    line = "  Then check:\n" + _block(check.command, hide(check.parameters))
    return line + (f"\n  It must hold: `{check.condition}`" if check.condition else "")


def _block(command: str, parameters: Mapping[str, Any]) -> str:
    made = lines_of(command, parameters)
    kind, text = ("sh", made) if made is not None else ("json", described(command, parameters))
    before = ""
    if needs_secrets(parameters):
        before = "  Fill in the secrets where `${{ secrets.… }}` or `***` stands.\n"
    if made is None:
        before += f"  Carry out the command `{command}` by hand:\n"
    fence = "```"
    while fence in text:
        fence += "`"
    body = "\n".join(f"  {line}" if line else "" for line in text.splitlines())
    return f"{before}  {fence}{kind}\n{body}\n  {fence}"


def _left(plan: Plan) -> Iterable[str]:
    remains = [one for one in plan.left if not one.accepted]
    known = [one for one in plan.left if one.accepted]
    if remains:
        yield "## What nobody has said how to undo"
        yield "\n".join(f"- [ ] `{one.did}` of {one.line}" for one in remains)
    if known:
        yield "## What cannot be undone, as the template says"
        yield "\n".join(f"- {one.line}" for one in known)
