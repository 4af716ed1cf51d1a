"""Suggestions as text: how likely, what, why, what would be filled in, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.text import Text

from services.cli.advice import hv
from services.cli.rendering import duration, safe, shorten

if TYPE_CHECKING:
    from shared.contracts.suggestions import Reason, SuggestAnswer, Suggestion, WorkflowPart

BAR: Final = 8
"""Characters of the bar that shows how likely it is."""
SURE: Final = 0.6
LIKELY: Final = 0.3
FEW: Final = 2
"""Reasons of each suggestion, where not all are asked for."""
INDENT: Final = " " * 7
VALUE: Final = 60
"""Longest value that is shown, in characters."""


def answer_lines(answer: SuggestAnswer, *, why: bool) -> Iterator[Text]:
    """The suggestions, the likeliest first, with a line between them."""
    if answer.nothing_fits:
        line = Text("∅ ", style="yellow").append(answer.says, style="bold")
        yield line.append(f"  ({answer.nothing or 0:.0%} sure)", style="dim")
    elif answer.says:
        yield Text(answer.says, style="dim")
    for number, one in enumerate(answer.suggestions):
        if number and one.workflow is not None:
            yield Text()
        yield from _suggestion(one, why=why)


def _suggestion(one: Suggestion, *, why: bool) -> Iterator[Text]:
    yield _headline(one)
    if one.workflow is not None:
        yield from _workflow(one.workflow, why=why)
    shown = one.reasons if why else one.reasons[: FEW if one.workflow is not None else 1]
    for reason in shown:
        yield _reason(reason)
        for run in reason.executions if why else ():
            told = f"{INDENT}    {hv(f'show {run.execution_id}')}  {run.status}"
            yield Text(told, style="dim")
    if one.workflow is not None:
        yield Text(INDENT).append("→ ", style="cyan").append(_how_to_run(one.workflow))


def _headline(one: Suggestion) -> Text:
    colour = "green" if one.confidence >= SURE else "yellow" if one.confidence >= LIKELY else "dim"
    full = round(one.confidence * BAR)
    line = Text(f"{one.confidence:>4.0%} ", style=f"bold {colour}")
    line.append("━" * full, style=colour).append("━" * (BAR - full), style="bright_black")
    if one.workflow is None:
        return line.append("  $ ", style="dim").append(safe(shorten(one.command, blanks=True)))
    line.append(f"  {safe(one.title)}", style="bold")
    return line.append(f"  {one.workflow.template_id} {one.workflow.version}", style="dim")


def _workflow(workflow: WorkflowPart, *, why: bool) -> Iterator[Text]:
    progress = workflow.progress
    if progress is not None:
        done, rest = len(progress.done), [step.line or step.step for step in progress.rest]
        line = Text(INDENT).append(f"step {done} of {progress.of} is done", style="magenta")
        yield line.append(f"; rest: {safe(shorten(' · '.join(rest)))}")
    outlook = workflow.outlook
    if outlook.success is None:
        yield Text(f"{INDENT}{outlook.says}", style="dim")
    else:
        told = f"{outlook.says}; it completes with {outlook.success:.0%}"
        told += f" ({outlook.low or 0:.0%} to {outlook.high or 0:.0%})"
        if outlook.duration_p50_ms is not None:
            told += f", in {duration(outlook.duration_p50_ms)}"
        yield Text(f"{INDENT}{told}", style="dim")
    for value in workflow.parameters:
        if value.source != "default" or why:
            line = Text(f"{INDENT}{value.name} = ")
            line.append(safe(shorten(_value(value.value), VALUE)), style="cyan")
            yield line.append(f"  {value.confidence:.0%}, {safe(value.says)}", style="dim")
    yield from _needs(workflow)


def _needs(workflow: WorkflowPart) -> Iterator[Text]:
    needs = workflow.needs
    wanted = []
    if needs.values:
        wanted.append(f"values for {', '.join(needs.values)}")
    wanted += [f"an approval {who}" for who in needs.approvals]
    wanted += [f"an agent with {one} (none is live)" for one in needs.capabilities_missing]
    wanted += [f"agent {one} (not live)" for one in needs.agents]
    if needs.live_agents == 0:
        wanted.append("a live agent (there is none)")
    if wanted:
        yield Text(INDENT).append("needs ", style="yellow").append(safe("; ".join(wanted)))


def _reason(reason: Reason) -> Text:
    return Text(f"{INDENT}· ", style="dim").append(safe(shorten(reason.says)), style="italic")


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _how_to_run(workflow: WorkflowPart) -> str:
    return hv(f"run {workflow.template_id}")
