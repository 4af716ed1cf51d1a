"""`hv executions`, `show`, and what can be asked of one: cancel, pause, resume, resolve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.faces import now_ms
from services.cli.options import AsJson, ExecutionId, KeyFile, Quiet, Url, open_gateway
from services.cli.outcome import print_ids, print_json, told
from services.cli.progress import Progress
from services.cli.stops import stops
from shared.workflow.machines.execution import ExecutionStatus

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.contracts.api.executions import ExecutionView, StepView

OUTPUT_LIMIT = 200
OUTPUT_LINES = 8
"""Longest line of an output that `hv show` prints, in characters, and most lines, without `--full`.
"""

_BOUNDS = ("_truncated", "_binary", "_bytes")


class Verdict(StrEnum):
    """What became of a lost attempt, by the word of a person."""

    completed = "completed"
    failed = "failed"
    rerun = "rerun"


Why = Annotated[str, typer.Option("--reason", "-r", help="Why; it stands in the history.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(executions)
    app.command()(show)
    app.command()(cancel)
    app.command()(pause)
    app.command()(resume)
    app.command()(resolve)


@told
def executions(
    status: Annotated[
        list[ExecutionStatus] | None, typer.Option(help="Only in this status; repeatable.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Only of this template.")] = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 20,
    quiet: Quiet = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    with open_gateway(url, key_file) as gateway:
        found = list(
            gateway.executions(
                limit,
                status=tuple(one.value for one in status or ()),
                template=template,
                category=category,
            )
        )
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if quiet:
        print_ids(one.id for one in found)
        return
    if not found:
        typer.echo("No execution fits.")
        return
    now = now_ms()
    rows = (
        (
            Text(one.id, style="bold"),
            one.template_id,
            Text.assemble(rendering.sign(one.status), " ", rendering.status_text(one.status)),
            rendering.short_moment(one.created_at_ms, now),
            rendering.duration(one.duration_ms),
        )
        for one in found
    )
    columns = ("EXECUTION", "TEMPLATE", "STATUS", "CREATED", "TOOK")
    rendering.console().print(rendering.table(columns, rows))


@told
def show(
    execution: ExecutionId,
    full: Annotated[bool, typer.Option("--full", help="Print outputs whole.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show an execution: steps, attempts, agents, durations, outputs."""
    with open_gateway(url, key_file) as gateway:
        view = gateway.execution(execution)
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    console = rendering.console()
    for part in described(view, limit=None if full else OUTPUT_LIMIT):
        console.print(part, soft_wrap=isinstance(part, Text))


@told
def cancel(
    execution: ExecutionId,
    reason: Why = "",
    force: Annotated[
        bool, typer.Option("--force", help="Stop its `finally` steps, which would still run, too.")
    ] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Stop an execution; what runs is stopped, with proof."""
    ask(execution, "cancel", {"reason": reason, "force": force}, url, key_file, as_json=as_json)


@told
def pause(
    execution: ExecutionId,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Start nothing new of an execution; what runs may finish."""
    ask(execution, "pause", {"reason": reason}, url, key_file, as_json=as_json)


@told
def resume(
    execution: ExecutionId,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a paused execution go on, also past a breakpoint."""
    ask(execution, "resume", {"reason": reason}, url, key_file, as_json=as_json)


@told
def resolve(
    execution: ExecutionId,
    step: Annotated[str, typer.Argument(help="A step that is lost.")],
    verdict: Annotated[Verdict, typer.Argument(help="What became of it.")],
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of a step whose worker died midway."""
    body = {"verdict": verdict.value, "reason": reason}
    ask(execution, f"steps/{step}/resolve", body, url, key_file, as_json=as_json)


def described(view: ExecutionView, limit: int | None) -> list[RenderableType]:
    """Everything about an execution that a person wants to see; texts cut at `limit`."""
    parts: list[RenderableType] = [rendering.tree(Progress.of(view), now_ms())]
    parts.append(
        Text(f"\nrequested by {view.requested_by.id}, {rendering.moment(view.created_at_ms)}")
    )
    if view.archived_at_ms:
        parts.append(Text(f"archived {rendering.moment(view.archived_at_ms)}"))
    if view.approved_by is not None:
        parts.append(Text(f"approval {view.approval} by {view.approved_by.id}"))
    parts += [Text(line) for line in operated(view)]
    for gate in view.awaits_approval:
        parts.append(Text(f"waits at gate {gate}: {hv('approve')} {view.id} --gate {gate}"))
    parts += [
        Text(f"waits for a slot of {key}: {hv('concurrency')}") for key in view.waits_for_slots
    ]
    parts += _mapping("Parameters", view.parameters, limit)
    parts.append(Text("\nSteps", style="bold"))
    columns: tuple[str, ...] = ("STEP", "STATUS", "AGENT", "ATTEMPTS", "TOOK", "STARTED")
    rows: list[tuple[object, ...]] = [_row(step) for step in view.steps]
    kept = [kept_before(step) for step in view.steps]
    if any(kept):
        columns = (*columns, "KEPT BEFORE IT")
        rows = [(*row, word) for row, word in zip(rows, kept, strict=True)]
    parts.append(rendering.table(columns, rows))
    for step in view.steps:
        parts += _mapping(f"Output of {step.id}", step.output, limit)
        if step.failure is not None:
            parts.append(Text(f"\n{step.id}: {step.failure.code}: {step.failure.message}", "red"))
        parts += [Text(line, style) for line, style in stops(step)]
    parts += _mapping("Outputs", view.outputs, limit)
    if view.failure is not None:
        parts.append(Text(f"\n{view.failure.code}: {view.failure.message}", style="red"))
    parts.append(Text(f"\n  logs        {hv('logs')} {view.id}", style="dim"))
    return parts


def operated(view: ExecutionView) -> list[str]:
    """What people did to it: a rollback, a pause, breakpoints, marks; and what it repeats."""
    lines = []
    if view.rerun is not None:
        lines.append(f"runs {view.rerun.execution_id} again{_because(view.rerun.reason)}")
    if view.rollback is not None:
        rollback = view.rollback
        asked = f"rollback {rollback.number} ({rollback.strategy}) by {rollback.by.id}"
        lines.append(f"{asked}: {rollback.status}{_because(rollback.reason)}")
    if view.pause is not None:
        lines.append(f"paused by {view.pause.by.id}{_because(view.pause.reason)}")
    if view.breakpoints:
        lines.append(f"will pause before {', '.join(view.breakpoints)}")
    for step in view.steps:
        if step.marked is not None:
            mark = step.marked
            lines.append(f"{step.id} marked {mark.verdict} by {mark.by.id}{_because(mark.reason)}")
        if step.kept_from is not None:
            lines.append(f"{step.id} was run in {step.kept_from}")
    return lines


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _row(step: StepView) -> tuple[object, ...]:
    return (
        Text.assemble((step.id, "bold"), f" on {step.target}" if step.target else ""),
        Text.assemble(rendering.sign(step.status), " ", rendering.status_text(step.status)),
        step.agent,
        step.attempt or "",
        rendering.duration(step.duration_ms),
        rendering.clock(step.started_at_ms) if step.started_at_ms else "",
    )


def kept_before(step: StepView) -> str:
    """How much was kept before a step, and where; never what."""
    kept = step.captured
    if kept is None:
        return ""
    others = kept.items - kept.files
    parts = [_counted(kept.files, "file")] if kept.files else []
    if others > 0:
        parts.append(_counted(others, "other thing" if kept.files else "thing"))
    if kept.bytes:
        parts.append(_size(kept.bytes))
    where = f" on {kept.agent}" if kept.agent != step.agent else ""
    return (", ".join(parts) or "nothing was there") + where


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:,.0f} KiB" if count < 1024**2 else f"{count / 1024**2:,.1f} MiB"


def _mapping(title: str, values: dict[str, object], limit: int | None) -> list[RenderableType]:
    shown = {
        name: value
        for name, value in values.items()
        if limit is None or _says_something(name, value)
    }
    if not shown:
        return []
    lines = [Text(f"\n{title}", style="bold")]
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(Text(f"  {name}: {_within(text.rstrip(), limit)}"))
    return list(lines)


def _says_something(name: str, value: object) -> bool:
    """Whether a value is worth a line: not what is empty, nor that a bound was not reached."""
    return value not in (None, "", [], {}) and not (not value and name.endswith(_BOUNDS))


def _within(text: str, limit: int | None) -> str:
    """The text, with a limit its first lines; more than one are set under the name."""
    lines = text.splitlines()
    if limit is not None:
        left = len(lines) - OUTPUT_LINES
        lines = [rendering.shorten(line, limit, blanks=True) for line in lines[:OUTPUT_LINES]]
        if left > 0:
            lines.append(f"… and {left} more lines (--full)")
    return "\n    ".join(["", *lines] if len(lines) > 1 else lines)


def ask(
    execution: str,
    request: str,
    body: Mapping[str, Any],
    url: str | None,
    key_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Ask for something about an execution, and say that it was accepted."""
    with open_gateway(url, key_file) as gateway:
        answer = gateway.ask_execution(execution, request, body)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    typer.echo(f"Accepted: {answer.request} {execution} (it was {answer.status_before}).")
    typer.echo(f"  follow it   {hv('watch')} {execution}")
