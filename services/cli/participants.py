"""`hv participants`: the people and AI agents that take delegated tasks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.faces import now_ms
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told
from shared.contracts.api.collective import NewParticipant
from shared.contracts.api.problems import FieldProblem
from shared.contracts.collective import Participant


class Kind(StrEnum):
    """Who answers."""

    human = "human"
    ai = "ai"


Name = Annotated[str, typer.Argument(help="Its name, such as anna.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="List, add and remove who takes delegated tasks.")
    group.callback(invoke_without_command=True)(participants)
    group.command()(add)
    group.command()(remove)
    app.add_typer(group, name="participants")


@told
def participants(
    context: typer.Context, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """List, add and remove who takes delegated tasks. Alone: the list."""
    if context.invoked_subcommand is not None:
        return
    with open_gateway(url, key_file) as gateway:
        found = gateway.fleet().participants
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        rendering.console().print(table(found))
    else:
        typer.echo(f"Nobody takes delegated tasks. `{hv('participants add NAME')}` adds somebody.")


@told
def add(
    name: Name,
    kind: Annotated[Kind, typer.Option(help="A person or an AI agent.")] = Kind.human,
    capability: Annotated[
        list[str] | None, typer.Option("--capability", "-c", help="What it can do; repeatable.")
    ] = None,
    description: Annotated[str, typer.Option(help="Who it is, for others.")] = "",
    away: Annotated[bool, typer.Option("--away", help="Offer it nothing for now.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Offer delegated tasks to somebody from now on, or change what is known of it."""
    try:
        wanted = NewParticipant(
            name=name,
            kind=kind.value,
            capabilities=tuple(capability or ()),
            description=description,
            available=not away,
        )
    except ValidationError as error:
        raise _unfit(error) from None
    with open_gateway(url, key_file) as gateway:
        added = gateway.register(wanted)
    if as_json:
        print_json(added.model_dump(mode="json"))
        return
    skills = f", who can {', '.join(added.capabilities)}" if added.capabilities else ""
    typer.echo(f"{added.name} ({added.kind}) is {'away' if away else 'available'}{skills}.")


@told
def remove(name: Name, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Forget somebody. Tasks that it has already stay its own."""
    with open_gateway(url, key_file) as gateway:
        gateway.remove_participant(name)
    if as_json:
        print_json({"id": name})
    else:
        typer.echo(f"Removed {name}.")


def table(found: tuple[Participant, ...]) -> object:
    """Participants, one a line."""
    rows = (
        (
            Text(one.name, style="bold"),
            one.kind,
            "available" if one.available else "away",
            rendering.short_moment(one.last_seen_ms, now_ms()),
            ", ".join(one.capabilities),
            one.description,
        )
        for one in found
    )
    return rendering.table(("TAKES TASKS", "KIND", "NOW", "SEEN", "CAPABILITIES", ""), rows)


def _unfit(error: ValidationError) -> CliError:
    fields = tuple(
        FieldProblem(
            field="/".join(map(str, one["loc"])),
            message=one["msg"],
            fix="names and capabilities are lower case letters, digits, `_`, `.` and `-`",
        )
        for one in error.errors(include_url=False, include_input=False)
    )
    return CliError("That is no participant.", fields=fields)
