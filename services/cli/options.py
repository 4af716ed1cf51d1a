"""Options that many commands take, written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.cli.connection import find_connection

if TYPE_CHECKING:
    from services.cli.client import Gateway

COMPLETION_LIMIT = 50
COMPLETION_TIMEOUT_S = 2.0

T = TypeVar("T")

Url = Annotated[str | None, typer.Option("--url", help="Address of the gateway (or set HIVE_URL).")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="File with the API key (or set HIVE_API_KEY).")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only, one a line.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def open_gateway(url: str | None, key_file: Path | None) -> Gateway:
    """The gateway to talk to; close it after use (it is a context manager)."""
    from services.cli.client import Gateway

    return Gateway(find_connection(url, key_file))


def complete_templates(incomplete: str) -> list[str]:
    """Template ids for the shell's completion."""
    return _complete(incomplete, lambda gateway: [one.id for one in gateway.templates()])


def complete_executions(incomplete: str) -> list[str]:
    """Ids of the newest executions for the shell's completion."""
    return _complete(
        incomplete, lambda gateway: [one.id for one in gateway.executions(COMPLETION_LIMIT)]
    )


def complete_waiting(incomplete: str) -> list[str]:
    """Ids of executions that wait, for `hv approve` and `hv reject`."""
    return _complete(
        incomplete,
        lambda gateway: [
            one.id for one in gateway.executions(COMPLETION_LIMIT, status=("waiting",))
        ],
    )


def _complete(incomplete: str, names: Callable[[Gateway], list[str]]) -> list[str]:
    """Names that begin like this; none when the gateway does not answer: a shell that completes is
    no place for errors.
    """
    from services.cli.client import Gateway
    from services.cli.outcome import CliError

    try:
        with Gateway(find_connection(None, None), timeout_s=COMPLETION_TIMEOUT_S) as gateway:
            return [name for name in names(gateway) if name.startswith(incomplete)]
    except CliError:
        return []


TemplateId = Annotated[
    str, typer.Argument(help="A template, see `hv templates`.", autocompletion=complete_templates)
]
ExecutionId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="An execution, see `hv executions`.", autocompletion=complete_executions
    ),
]
WaitingId = Annotated[
    str,
    typer.Argument(metavar="ID", help="An execution that waits.", autocompletion=complete_waiting),
]
