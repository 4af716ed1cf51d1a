"""`hv quarantine`: journal messages that could not be applied."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import print_json, told

if TYPE_CHECKING:
    from shared.contracts.quarantine import QuarantineEntry

PATH: Final = "/api/v1/quarantine"

EntryId = Annotated[
    str, typer.Argument(metavar="ID", help="A quarantined message, see `hv quarantine`.")
]
OfExecution = Annotated[str | None, typer.Option("--execution", help="Only of this execution.")]
Resolved = Annotated[
    bool, typer.Option("--resolved", help="Those that were put back or discarded.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Most lines.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group(
        "List, show, put back or discard messages that could not be applied.",
        partial(_print_list, {}),
    )
    group.command("list")(list_entries)
    group.command()(show)
    group.command()(retry)
    group.command()(discard)
    app.add_typer(group, name="quarantine")


@told
def list_entries(
    execution: OfExecution = None,
    resolved: Resolved = False,
    limit: Limit = 50,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List those that wait, newest first."""
    query: dict[str, object] = {"execution": execution, "resolved": resolved, "limit": limit}
    _print_list(query, url, key_file, as_json=as_json)


@told
def show(
    entry: EntryId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show one with its reason, and the message as it came."""
    from shared.contracts.quarantine import QuarantineEntry

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(_path(entry), QuarantineEntry)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    for line in _described(found):
        typer.echo(line)


@told
def retry(
    entry: EntryId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Put one back into the journal, once its cause is gone."""
    from shared.contracts.quarantine import QuarantineEntry

    with open_gateway(url, key_file) as gateway:
        done = gateway.post(_path(entry, "retry"), QuarantineEntry, {})
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    typer.echo(f"Put back: {done.id}. If it cannot be applied again, it is quarantined anew.")
    typer.echo(f"  look at it  {hv('show')} {done.execution_id}")


@told
def discard(
    entry: EntryId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it is not wanted.")],
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that one is not wanted, and why."""
    from shared.contracts.quarantine import QuarantineEntry

    with open_gateway(url, key_file) as gateway:
        done = gateway.post(_path(entry, "discard"), QuarantineEntry, {"reason": reason})
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        typer.echo(f"Discarded: {done.id}.")


def _print_list(
    query: dict[str, object], url: str | None, key_file: KeyFile, *, as_json: bool
) -> None:
    from shared.contracts.quarantine import QuarantinePage

    with open_gateway(url, key_file) as gateway:
        page = gateway.get(PATH, QuarantinePage, query)
    if as_json:
        print_json(page.model_dump(mode="json"))
    elif not page.items:
        typer.echo("Nothing is in quarantine.")
    else:
        columns = ("MESSAGE", "SINCE", "REASON", "")
        rendering.console().print(rendering.table(columns, map(_row, page.items)))


def _row(entry: QuarantineEntry) -> tuple[object, ...]:
    done = entry.resolution
    return (
        Text(entry.id, style="bold"),
        rendering.short_moment(entry.at_ms, now_ms()),
        rendering.shorten(entry.reason),
        f"{done.outcome} by {done.by.id}" if done is not None else "",
    )


def _described(entry: QuarantineEntry) -> list[str]:
    lines = [
        f"{entry.id}  since {rendering.moment(entry.at_ms)}",
        f"  execution   {entry.execution_id} (partition {entry.partition}, seq {entry.seq})",
        f"  reason      {rendering.safe(entry.reason)}",
        f"  message     {rendering.safe(entry.payload)}",
    ]
    if entry.resolution is not None:
        done = entry.resolution
        why = f": {done.reason}" if done.reason else ""
        when = rendering.moment(done.at_ms)
        return [*lines, f"  {done.outcome}   by {done.by.id}, {when}{why}"]
    return [
        *lines,
        f"  put it back {hv('quarantine retry')} {entry.id}",
        f"  or not      {hv('quarantine discard')} {entry.id} --reason …",
    ]


def _path(*names: str) -> str:
    return "/".join([PATH, *(quote(name, safe="") for name in names)])
