"""`hv secrets`: the encrypted store of secrets on this host.

It works on files, not through the gateway: a secret is set where it is used, and travels nowhere.
A value is never an argument: those can be read by everybody on the host, and stay in histories.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ops.stack.layout import Layout
from services.cli import rendering
from services.cli.advice import hv
from services.cli.faces import now_ms
from services.cli.options import AsJson
from services.cli.outcome import CliError, print_json, told
from shared.ports.secrets import SecretUnusableError
from shared.runtime.secret_store import KEY_FILE, STORE_FILE, KeptSecret, SecretStore

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="As steps say it: `secrets.NAME` without `secrets.`.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Set, list and remove secrets of the agents on this host.")
    group.callback(invoke_without_command=True)(_list_by_default)
    group.command("list")(list_secrets)
    group.command("set")(set_secret)
    group.command("rm")(remove)
    app.add_typer(group, name="secrets")


@told
def _list_by_default(context: typer.Context, as_json: AsJson = False) -> None:
    """Set, list and remove secrets of the agents on this host. Alone: the list."""
    if context.invoked_subcommand is None:
        _print_list(as_json=as_json)


@told
def list_secrets(as_json: AsJson = False) -> None:
    """List the names of the stored secrets, never their values."""
    _print_list(as_json=as_json)


@told
def set_secret(
    name: Name,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Take the content of this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store a secret: from --file, from standard input, or typed at a prompt. One line end at its
    end is not part of it. Steps that start from now on get the new value.
    """
    store = _store()
    value = _given(name, file)
    try:
        replaced = store.put(name, value, round(time.time() * 1000))
    except SecretUnusableError as error:
        raise _told(error) from None
    if as_json:
        print_json({"name": name, "replaced": replaced})
    else:
        typer.echo(f"{'Replaced' if replaced else 'Set'} {name} in {store.file}.")


@told
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a secret. Steps that start from now on fail without it."""
    store = _store()
    try:
        removed = store.remove(name)
        known = [one.name for one in store.names()]
    except SecretUnusableError as error:
        raise _told(error) from None
    if not removed:
        listed = f"It has: {', '.join(known)}." if known else "It is empty."
        raise CliError(f"{store.file} has no secret {name}. {listed}")
    if as_json:
        print_json({"name": name})
    else:
        typer.echo(f"Removed {name}.")


def _print_list(*, as_json: bool) -> None:
    store = _store()
    try:
        kept = store.names()
    except SecretUnusableError as error:
        raise _told(error) from None
    if as_json:
        print_json([{"name": one.name, "set_at_ms": one.set_at_ms} for one in kept])
    elif kept:
        rendering.console().print(_table(kept))
    else:
        typer.echo(f"{store.file} has no secrets. `{hv('secrets set NAME')}` sets one.")


def _table(kept: list[KeptSecret]) -> object:
    rows = (
        (Text(one.name, style="bold"), rendering.short_moment(one.set_at_ms, now_ms()))
        for one in kept
    )
    return rendering.table(("SECRET", "SET"), rows)


def _store() -> SecretStore:
    home = Layout.from_environment().root
    key = os.environ.get("HIVE_SECRETS_KEY")
    return SecretStore(home / STORE_FILE, Path(key).expanduser() if key else home / KEY_FILE)


def _given(name: str, file: Path | None) -> str:
    if file is None and sys.stdin.isatty():
        return str(typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True))
    try:
        data = sys.stdin.buffer.read() if file is None else file.read_bytes()
        text = data.decode()
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CliError("That is not text in UTF-8: give binary secrets as base64.") from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _told(error: SecretUnusableError) -> CliError:
    text = str(error)
    return CliError(f"{text[:1].upper()}{text[1:]}.")
