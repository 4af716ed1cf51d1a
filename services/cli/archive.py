"""`hv archive`: executions that ended a while ago: found, and exported whole."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Quiet, Url, open_gateway
from services.cli.outcome import print_ids, print_json, told
from shared.workflow.machines.execution import ExecutionStatus

if TYPE_CHECKING:
    from shared.contracts.archive import ArchivedSummary

PATH: Final = "/api/v1/workflows/archive"

Status = Annotated[
    list[ExecutionStatus] | None, typer.Option(help="Only in this status; repeatable.")
]
Template = Annotated[str | None, typer.Option(help="Only of this template.")]
Label = Annotated[str | None, typer.Option(metavar="NAME=VALUE", help="Only with this label.")]
Failure = Annotated[str | None, typer.Option(help="Only where this stands in what failed.")]
Execution = Annotated[str | None, typer.Option("--execution", help="Only the one of this id.")]
Since = Annotated[int | None, typer.Option(min=0, help="Created then or later, epoch ms.")]
Until = Annotated[int | None, typer.Option(min=0, help="Created then or before, epoch ms.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Most lines.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group(
        "Executions that ended a while ago: find them, export them whole.",
        partial(_print_list, {}),
        "Alone: the newest.",
    )
    group.command("list")(list_archive)
    group.command()(export)
    app.add_typer(group, name="archive")


@told
def list_archive(
    status: Status = None,
    template: Template = None,
    label: Label = None,
    failure: Failure = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    quiet: Quiet = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List archived executions that fit, newest first."""
    filters = _filters(status, template, label, failure)
    filters |= {"since": since, "until": until, "limit": limit}
    _print_list(filters, url, key_file, quiet=quiet, as_json=as_json)


@told
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; default: standard output.")
    ] = None,
    status: Status = None,
    template: Template = None,
    label: Label = None,
    failure: Failure = None,
    execution: Execution = None,
    since: Since = None,
    until: Until = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write archived executions whole, one JSON object a line, each with its history."""
    filters = _filters(status, template, label, failure)
    filters |= {"since": since, "until": until, "execution": execution}
    count = 0
    with open_gateway(url, key_file) as gateway, _opened(output) as target:
        for line in gateway.lines(f"{PATH}/export", filters):
            target.write(line + "\n")
            count += 1
    if output is not None and as_json:
        print_json({"output": str(output), "executions": count})
    elif output is not None:
        typer.echo(f"Wrote {count} executions to {output}.")


def _filters(
    status: list[ExecutionStatus] | None,
    template: str | None,
    label: str | None,
    failure: str | None,
) -> dict[str, Any]:
    wanted = tuple(one.value for one in status or ())
    return {"status": wanted, "template": template, "label": label, "failure": failure}


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8") as target:
        yield target


def _print_list(
    filters: dict[str, Any],
    url: str | None,
    key_file: Path | None,
    *,
    quiet: bool = False,
    as_json: bool,
) -> None:
    from shared.contracts.archive import ArchivePage

    with open_gateway(url, key_file) as gateway:
        page = gateway.get(PATH, ArchivePage, filters)
    if as_json:
        print_json(page.model_dump(mode="json"))
    elif quiet:
        print_ids(one.id for one in page.items)
    elif not page.items:
        typer.echo("No archived execution fits.")
    else:
        columns = ("EXECUTION", "TEMPLATE", "STATUS", "CREATED", "ARCHIVED", "FAILURE")
        rendering.console().print(rendering.table(columns, map(_row, page.items)))


def _row(one: ArchivedSummary) -> tuple[object, ...]:
    now = now_ms()
    return (
        Text(one.id, style="bold"),
        one.template_id,
        Text.assemble(rendering.sign(one.status), " ", rendering.status_text(one.status)),
        rendering.short_moment(one.created_at_ms, now),
        rendering.short_moment(one.archived_at_ms, now),
        rendering.shorten(rendering.safe(one.failure)),
    )
