"""`hv keys`: who may call the gateway, as what, and in which groups."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer
from pydantic import ValidationError
from rich.text import Text

from services.cli import rendering
from services.cli.faces import now_ms
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told
from shared.contracts.api.keys import ApiKey, IssuedKey, KeyList, NewKey, Role
from shared.contracts.api.problems import FieldProblem

PATH: Final = "/api/v1/keys"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="List, make and revoke API keys, and their groups.")
    group.callback(invoke_without_command=True)(keys)
    group.command()(create)
    group.command()(revoke)
    app.add_typer(group, name="keys")


@told
def keys(
    context: typer.Context,
    revoked: Annotated[bool, typer.Option("--all", "-a", help="Revoked ones, too.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List, make and revoke API keys, and their groups. Alone: the list, without secrets."""
    if context.invoked_subcommand is not None:
        return
    with open_gateway(url, key_file) as gateway:
        found = [k for k in gateway.get(PATH, KeyList).items if revoked or not k.revoked_at_ms]
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    columns = ("KEY", "NAME", "ROLE", "GROUPS", "LAST USED")
    rendering.console().print(rendering.table(columns, map(_row, found)))


@told
def create(
    name: Annotated[str, typer.Argument(help="Who acts with it, such as alice or ci.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.OPERATOR,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", "-g", help="A group that approvals may name; repeatable."),
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is shown this once."""
    try:
        wanted = NewKey(name=name, role=role, groups=tuple(group or ()))
    except ValidationError as error:
        raise _unfit(error) from None
    with open_gateway(url, key_file) as gateway:
        issued = gateway.post(PATH, IssuedKey, wanted.model_dump(mode="json"))
    if as_json:
        print_json(issued.model_dump(mode="json"))
        return
    typer.echo(f"Made {issued.key.id} for {issued.key.name} ({issued.key.role.value}).")
    typer.echo(f"  secret   {issued.secret}")
    typer.echo("It is not shown again: keep it in a file that only its owner reads.")


@told
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="A key, see `hv keys`.")],
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a key out of force for ever."""
    with open_gateway(url, key_file) as gateway:
        revoked = gateway.delete(f"{PATH}/{quote(key, safe='')}", ApiKey)
    if as_json:
        print_json(revoked.model_dump(mode="json"))
    else:
        typer.echo(f"Revoked {revoked.id} ({revoked.name}).")


def _row(one: ApiKey) -> tuple[object, ...]:
    used = rendering.short_moment(one.last_used_at_ms, now_ms()) if one.last_used_at_ms else ""
    return (
        Text(one.id, style="bold"),
        one.name + (" (revoked)" if one.revoked_at_ms else ""),
        one.role.value,
        ", ".join(one.groups),
        used,
    )


def _unfit(error: ValidationError) -> CliError:
    fields = tuple(
        FieldProblem(
            field=str(one["loc"][0]) if one["loc"] else "",
            message=one["msg"],
            fix="use lower-case letters, digits, hyphens, points and underscores",
        )
        for one in error.errors()
    )
    return CliError("The key cannot be made.", fields=fields)
