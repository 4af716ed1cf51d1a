"""`hv agents`, `delegations`, `remember`, `recall`: who is there, who does what, what is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.text import Text

from services.cli import participants, rendering
from services.cli.faces import now_ms
from services.cli.options import AsJson, KeyFile, Quiet, Url, open_gateway
from services.cli.outcome import CliError, print_ids, print_json, told
from shared.contracts.api.collective import NewMemory
from shared.contracts.api.problems import FieldProblem
from shared.contracts.collective import MemoryQuery
from shared.contracts.delegations import Delegation, DelegationStatus

As = Annotated[
    str | None,
    typer.Option("--as", help="In whose name (an operator's key may; default: the key's own)."),
]
DelegationId = Annotated[str, typer.Argument(metavar="ID", help="See `hv delegations`.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", "-t", help="A tag; repeatable.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(agents)
    app.command()(remember)
    app.command()(recall)
    group = typer.Typer(help="List delegated tasks, and answer them.")
    group.callback(invoke_without_command=True)(delegations)
    group.command()(accept)
    group.command()(complete)
    group.command()(decline)
    app.add_typer(group, name="delegations")


@told
def agents(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List the live agents, and who takes delegated tasks."""
    with open_gateway(url, key_file) as gateway:
        fleet = gateway.fleet()
    if as_json:
        print_json(fleet.model_dump(mode="json"))
        return
    console = rendering.console()
    rows = (
        (
            Text(one.name, style="bold"),
            one.host,
            f"{one.running}/{one.slots}" + (" draining" if one.draining else ""),
            rendering.duration(now_ms() - one.started_at_ms),
            one.version,
            ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items())),
            ", ".join(one.capabilities),
        )
        for one in fleet.agents
    )
    columns = ("AGENT", "HOST", "RUNS", "UP", "VERSION", "LABELS", "CAPABILITIES")
    console.print(rendering.table(columns, rows) if fleet.agents else "No agent is alive.")
    if fleet.participants:
        console.print(Text())
        console.print(participants.table(fleet.participants))


@told
def delegations(
    context: typer.Context,
    status: Annotated[
        list[DelegationStatus] | None, typer.Option(help="Only in this status; repeatable.")
    ] = None,
    assignee: Annotated[
        str | None, typer.Option(help="Only of this participant; `self` is the key's owner.")
    ] = None,
    execution: Annotated[str | None, typer.Option(help="Only of this execution.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200)] = 20,
    quiet: Quiet = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List delegated tasks, and answer them. Alone: the list, newest first."""
    if context.invoked_subcommand is not None:
        return
    with open_gateway(url, key_file) as gateway:
        found = gateway.delegations(
            limit,
            status=tuple(one.value for one in status or ()),
            assignee=assignee,
            execution=execution,
        )
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if quiet:
        print_ids(one.id for one in found)
        return
    if not found:
        typer.echo("No delegation fits.")
        return
    rows = (
        (
            Text(one.id, style="bold"),
            one.status.value,
            one.priority.value,
            one.participant,
            rendering.shorten(one.task),
        )
        for one in found
    )
    columns = ("DELEGATION", "STATUS", "PRIORITY", "WHO", "TASK")
    rendering.console().print(rendering.table(columns, rows))


@told
def accept(
    delegation: DelegationId,
    name: As = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a task that was offered."""
    _answer(delegation, "accept", None, name, url, key_file, as_json=as_json)


@told
def complete(
    delegation: DelegationId,
    result: Annotated[
        str, typer.Option("--result", "-r", help="What came of it: a JSON map, or plain text.")
    ] = "",
    name: As = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that a task is done; the waiting step goes on with the result."""
    body = {"result": _result(result)}
    _answer(delegation, "complete", body, name, url, key_file, as_json=as_json)


@told
def decline(
    delegation: DelegationId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why not.")] = "",
    name: As = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a task; it is offered to the next who fits."""
    _answer(delegation, "decline", {"reason": reason}, name, url, key_file, as_json=as_json)


@told
def remember(
    content: Annotated[str, typer.Argument(help="What is worth knowing later.")],
    category: Annotated[str, typer.Option(help="What it is about.")] = "general",
    tag: Tag = None,
    importance: Annotated[float, typer.Option(min=0, max=1, help="0 (trifle) to 1.")] = 0.5,
    expires_in: Annotated[
        float | None, typer.Option(help="Seconds after which it is forgotten.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep something in the collective memory."""
    try:
        memory = NewMemory(
            content=content,
            category=category,
            tags=tuple(tag or ()),
            importance=importance,
            expires_in_s=expires_in,
        )
    except ValidationError as error:
        raise _refused(error) from None
    with open_gateway(url, key_file) as gateway:
        kept = gateway.remember(memory)
    if as_json:
        print_json(kept.model_dump(mode="json"))
    else:
        typer.echo(f"Remembered as {kept.id}.")


@told
def recall(
    text: Annotated[str, typer.Argument(help="Words to search for; without: the newest.")] = "",
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    tag: Tag = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=50)] = 10,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Search the collective memory, best first."""
    try:
        query = MemoryQuery(text=text, category=category, tags=tuple(tag or ()), limit=limit)
    except ValidationError as error:
        raise _refused(error) from None
    with open_gateway(url, key_file) as gateway:
        found = gateway.recall(query)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        typer.echo("Nothing is known about that.")
        return
    rows = (
        (
            f"{one.score:.2f}",
            rendering.short_moment(one.memory.created_at_ms, now_ms()),
            one.memory.category,
            ", ".join(one.memory.tags),
            one.memory.content,
        )
        for one in found
    )
    columns = ("SCORE", "WHEN", "CATEGORY", "TAGS", "WHAT")
    rendering.console().print(rendering.table(columns, rows))


def _answer(
    delegation_id: str,
    answer: str,
    body: dict[str, Any] | None,
    name: str | None,
    url: str | None,
    key_file: Path | None,
    *,
    as_json: bool,
) -> None:
    with open_gateway(url, key_file) as gateway:
        answered: Delegation = gateway.answer_delegation(delegation_id, answer, body, name)
    if as_json:
        print_json(answered.model_dump(mode="json"))
    else:
        typer.echo(f"{answered.id} is {answered.status.value} ({answered.participant}).")


def _result(text: str) -> dict[str, Any]:
    """A JSON map as it is; any other text as the summary of the result."""
    if not text:
        return {}
    if not text.lstrip().startswith("{"):
        return {"summary": text}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deeply")
        raise CliError(f"--result begins like a JSON map and is none: {reason}.") from None
    return dict(value)


def _refused(error: ValidationError) -> CliError:
    fields = tuple(
        FieldProblem(field="/".join(map(str, one["loc"])), message=one["msg"])
        for one in error.errors(include_url=False, include_input=False)
    )
    return CliError("That cannot be asked.", fields=fields)
