"""`hv import-history`: what a shell's history remembers enters the record, each command once."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told

if TYPE_CHECKING:
    from services.cli.client import Gateway
    from services.cli.recording.histories import Shell, Typed
    from services.cli.recording.sender import Sent
    from services.cli.recording.spool import Item

AT_ONCE: Final = 1_000
_TOO_FAST: Final = 429
_WAIT_S: Final = 2.0
_TRIES: Final = 60


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(name="import-history")(import_history)


@told
def import_history(
    file: Annotated[Path, typer.Argument(help="As ~/.bash_history or ~/.zsh_history.")],
    shell: Annotated[
        str | None, typer.Option("--shell", help="bash, zsh or fish; by default by its form.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Whose: by default yours; others' as operator.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Record what the history of a shell remembers. Again, it adds only what is new; secrets are
    taken out before anything leaves this machine."""
    from services.cli.recording.histories import SHELLS, shell_of, typed
    from services.cli.recording.sender import Sent, without_secrets

    try:
        data = file.expanduser().read_bytes()
        changed_ms = file.expanduser().stat().st_mtime_ns // 1_000_000
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}.") from None
    if shell is not None and shell not in SHELLS:
        raise CliError(f"{shell!r} is no shell that hv knows: use one of bash, zsh, fish.")
    kind = next((one for one in SHELLS if one == shell), None) or shell_of(data)
    commands = typed(data, kind)
    items = list(without_secrets(_items(commands, kind, changed_ms)))
    sent = Sent()
    with open_gateway(url, key_file) as gateway:
        for done in range(0, len(items), AT_ONCE):
            _send(items[done : done + AT_ONCE], gateway, sent, user)
            _progress(min(done + AT_ONCE, len(items)), len(items))
    skipped = len(commands) - len(items)
    if as_json:
        print_json(
            {
                "shell": kind,
                "commands": len(commands),
                "recorded": sent.recorded,
                "left_out": sent.left_out + sent.invalid + skipped,
                "why": sent.why,
            }
        )
        return
    typer.echo(f"{sent.recorded} of {len(commands)} commands of {kind} are recorded.")
    if sent.why:
        typer.echo(sent.why, err=True)


def _items(commands: list[Typed], shell: Shell, changed_ms: int) -> Iterator[Item]:
    """Commands as the gateway takes them. Where the file tells no times they are a second apart,
    the last one when the file was changed."""
    from services.cli.recording.histories import ids_of

    for number, (one, item_id) in enumerate(zip(commands, ids_of(commands, shell), strict=True)):
        guessed = max(0, changed_ms - (len(commands) - 1 - number) * 1_000)
        item: Item = {
            "id": item_id,
            "command": one.text[:20_000],
            "at_ms": one.at_s * 1_000 if one.at_s else guessed,
            "session": f"history-{shell}",
            "host": socket.gethostname()[:200],
            "shell": shell,
            "source": "import",
        }
        yield item | ({"duration_ms": one.duration_s * 1_000} if one.duration_s is not None else {})


def _send(items: list[Item], gateway: Gateway, sent: Sent, user: str | None) -> None:
    """Send, going slower where the gateway asks for that: what was sent before counts once."""
    from services.cli.recording.sender import Sent, send

    for _ in range(_TRIES):
        part = Sent()
        try:
            send(items, gateway, part, user)
        except CliError as error:
            if error.status != _TOO_FAST:
                raise
            time.sleep(_WAIT_S)
            continue
        sent.recorded += part.recorded
        sent.left_out += part.left_out
        sent.invalid += part.invalid
        sent.why = part.why or sent.why
        return
    raise CliError("The gateway takes no more commands of this key now; import the rest later.")


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        sys.stderr.write(f"{done} of {total}{end}")
        sys.stderr.flush()
