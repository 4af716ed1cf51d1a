"""`hv concurrency`: keys that limit how many are under way at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import print_json, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.contracts.api.concurrency import ConcurrencyKeyView, SlotView

PATH: Final = "/api/v1/concurrency"
MOST: Final = 3
"""Names that a row of the list has room for."""

KeyId = Annotated[str, typer.Argument(metavar="ID", help="A key, see `hv concurrency`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group(
        "Who has a slot of a concurrency key, and who waits for one.", _print_list
    )
    group.command("list")(list_keys)
    group.command()(show)
    group.command()(release)
    app.add_typer(group, name="concurrency")


@told
def list_keys(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List the keys that are in use."""
    _print_list(url, key_file, as_json=as_json)


@told
def show(key: KeyId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Show one key: who has a slot, and who waits, in the order of their turn."""
    from shared.contracts.api.concurrency import ConcurrencyKeyView

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(_path(key), ConcurrencyKeyView)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    typer.echo(f"{rendering.safe(found.key)}  {found.id}, at most {found.limit} at a time")
    for word, those in (("has a slot", found.holders), ("waits", found.waiting)):
        for one in those:
            revoked = ", was told to give it back" if one.revoked else ""
            since = rendering.moment(one.since_ms)
            typer.echo(f"  {word:<11} {_name(one)}  since {since}{revoked}")


@told
def release(
    key: KeyId,
    execution: Annotated[str, typer.Option("--execution", help="Who has it, or waits for it.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it will never give it back.")],
    step: Annotated[str, typer.Option("--step", help="The step; without it, the whole.")] = "*",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Free a slot that its holder will never give back. What still runs is not stopped."""
    from shared.contracts.api.concurrency import ConcurrencyKeyView

    body = {"execution_id": execution, "slot": step, "reason": reason}
    with open_gateway(url, key_file) as gateway:
        was = gateway.post(_path(key, "release"), ConcurrencyKeyView, body)
    if as_json:
        print_json(was.model_dump(mode="json"))
    else:
        typer.echo(f"Accepted: {execution} gives its slot of {rendering.safe(was.key)} back.")


def _path(key: str, action: str = "") -> str:
    return f"{PATH}/{quote(key, safe='')}" + (f"/{action}" if action else "")


def _print_list(url: str | None, key_file: KeyFile, *, as_json: bool) -> None:
    from shared.contracts.api.concurrency import ConcurrencyKeyList

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(PATH, ConcurrencyKeyList)
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif not found.items:
        typer.echo("No concurrency key is in use.")
    else:
        columns = ("KEY", "SLOTS", "HELD BY", "WAIT", "SINCE", "ID")
        rendering.console().print(rendering.table(columns, map(_row, found.items)))


def _row(found: ConcurrencyKeyView) -> tuple[object, ...]:
    return (
        Text(found.key, style="bold"),
        f"{len(found.holders)}/{found.limit}",
        _names(found.holders),
        len(found.waiting) or "",
        rendering.short_moment(found.changed_at_ms, now_ms()),
        found.id,
    )


def _names(those: Sequence[SlotView]) -> str:
    more = f" +{len(those) - MOST}" if len(those) > MOST else ""
    return ", ".join(_name(one) for one in those[:MOST]) + more


def _name(one: SlotView) -> str:
    return one.execution_id if one.slot == "*" else f"{one.execution_id} {one.slot}"
