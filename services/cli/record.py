"""`hv record`, `hv recording`, `hv forget`: what was run enters the record, or leaves it."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ops.stack.layout import REPO_ROOT
from services.cli.advice import hv
from services.cli.connection import find_connection
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, ExitCode, print_json, told
from services.cli.recording import privacy
from services.cli.recording.spool import Item, Spool, spool_folder

if TYPE_CHECKING:
    from services.cli.recording.sender import Sent
    from shared.contracts.api.commands import ForgetAccepted

FLUSH_TIMEOUT_S: Final = 10.0
NICE: Final = 10
TEXT_LIMIT: Final = 20_000
_FIELDS: Final = frozenset(
    {"command", "id", "at_ms", "session", "cwd", "host", "osuser", "shell", "exit", "duration_ms",
     "more_lines", "source"}
)  # fmt: skip

User = Annotated[
    str | None, typer.Option("--user", help="Whose: by default yours; others' as operator.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(context_settings={"allow_interspersed_args": False})(record)
    app.command()(recording)
    app.command()(forget)


@told
def record(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="What was run, behind `--`; without it JSON lines on stdin."),
    ] = None,
    exit_code: Annotated[int | None, typer.Option("--exit", help="Its exit code.")] = None,
    duration_ms: Annotated[
        int | None, typer.Option("--duration-ms", min=0, help="How long it took, in ms.")
    ] = None,
    cwd: Annotated[
        str | None, typer.Option("--cwd", help="Where it was run; by default here.")
    ] = None,
    session: Annotated[str, typer.Option("--session", help="What tells it from others.")] = "",
    at_ms: Annotated[
        int | None, typer.Option("--at-ms", min=0, help="When it began; by default now.")
    ] = None,
    item_id: Annotated[
        str | None, typer.Option("--id", help="The same id again counts once.")
    ] = None,
    user: User = None,
    agent_hook: Annotated[
        bool, typer.Option("--agent-hook", help="Read what a hook of an AI agent is told.")
    ] = False,
    flush: Annotated[bool, typer.Option("--flush", help="Send what waits, and end.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Record a command that was run; secrets are taken out before it leaves this machine. What
    cannot be sent now is sent later."""
    if agent_hook:
        _agent_hook()
        return
    if flush:
        _tell(_flush(url, key_file), as_json=as_json)
        return
    if command:
        known = {"exit": exit_code, "duration_ms": duration_ms, "at_ms": at_ms, "id": item_id}
        items = [_typed(command, cwd, session, known)]
    elif sys.stdin.isatty():
        raise CliError(f"Give a command behind `--`, as `{hv('record --exit 0 -- make test')}`.")
    else:
        items = _lines(sys.stdin.read())
    if privacy.paused():
        typer.echo(f"{privacy.PAUSE}=off: nothing is recorded.", err=True)
        return
    _tell(_send_or_keep(items, user, url, key_file), as_json=as_json)


@told
def recording(
    state: Annotated[
        str | None, typer.Argument(help="`off`: record nothing of mine; `on` again.")
    ] = None,
    user: User = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say whether your commands are recorded and how many wait; opt out, or in again."""
    from shared.contracts.api.commands import RecordingView

    if state not in (None, "on", "off"):
        raise CliError(f"{state!r} is neither `on` nor `off`.")
    path = "/api/v1/commands/recording"
    with open_gateway(url, key_file) as gateway:
        if state is None:
            view = gateway.get(path, RecordingView, {"user": user})
        else:
            body = {"on": state == "on"} | ({"user": user} if user else {})
            view = gateway.put(path, RecordingView, body)
    waiting = len(Spool(spool_folder()).waiting())
    if as_json:
        print_json({**view.model_dump(), "waiting_files": waiting})
        return
    typer.echo(f"Commands of {view.user} are {'' if view.on else 'not '}recorded.")
    if waiting:
        typer.echo(f"{waiting} files wait to be sent; `{hv('record --flush')}` sends them.")


@told
def forget(
    command: Annotated[
        str | None, typer.Argument(help="This line, as it was typed or recorded.")
    ] = None,
    matching: Annotated[
        str | None,
        typer.Option("--matching", help="Kept lines that fit: `*` any text, `?` any one."),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="With --matching: say what it means, no more.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="All that you ever ran.")
    ] = False,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="The line, whoever ran it; as operator.")
    ] = False,
    user: User = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Forget a command, those that fit a pattern, or all of yours: it leaves the record, and what
    was learned of it."""
    from shared.contracts.api.commands import ForgetAccepted

    body: dict[str, Any] = {"everything": everything, "everybody": everybody}
    body |= {"command": command} if command is not None else {}
    body |= {"matching": matching} if matching is not None else {}
    body |= {"preview": True} if preview else {}
    body |= {"user": user} if user else {}
    with open_gateway(url, key_file) as gateway:
        accepted = gateway.post("/api/v1/commands/forget", ForgetAccepted, body)
    if as_json:
        print_json(accepted.model_dump())
        return
    typer.echo("\n".join(_of_forgetting(accepted)))


def _of_forgetting(accepted: ForgetAccepted) -> list[str]:
    whose = accepted.user or "everybody"
    if not accepted.matching:
        return [f"Being forgotten: {accepted.command or 'everything'} (of {whose})."]
    lines = f"{'more than ' if accepted.more else ''}{accepted.lines} different lines"
    if accepted.preview:
        verb = "too many to forget so: narrow it." if accepted.more else "nothing is forgotten."
        shown = [f"  {line}" for line in accepted.examples]
        return [f"It means {lines} of {whose}; {verb}", *shown]
    return [f"Being forgotten: {lines} (of {whose}), kept {accepted.items} times."]


def _typed(words: list[str], cwd: str | None, session: str, known: Item) -> Item:
    return {
        "command": words[0] if len(words) == 1 else shlex.join(words),
        "cwd": str(Path.cwd()) if cwd is None else cwd,
        "session": session,
    } | {name: value for name, value in known.items() if value is not None}


def _lines(text: str) -> list[Item]:
    """Commands as JSON lines. Raises `CliError` with the number of the line."""
    items = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            raise CliError(f"Line {number} is not JSON: {error}.") from None
        if not isinstance(item, dict) or not isinstance(item.get("command"), str):
            raise CliError(
                f'Line {number} is not an object with a text `command`: {{"command": …}}.'
            )
        unknown = sorted(set(item) - _FIELDS)
        if unknown:
            raise CliError(
                f"Line {number} has an unknown field {unknown[0]!r}; known: "
                f"{', '.join(sorted(_FIELDS))}."
            )
        items.append(item)
    return items


def _complete(item: Item) -> Item:
    """What is known here of a command that was just run."""
    known = {
        "id": f"hv-{uuid.uuid4().hex}",
        "at_ms": time.time_ns() // 1_000_000,
        "host": socket.gethostname()[:200],
        "osuser": os.environ.get("USER", "")[:200],
    }
    return known | item | {"command": item["command"][:TEXT_LIMIT]}


def _send_or_keep(items: list[Item], user: str | None, url: str | None, key_file: Any) -> Sent:
    """Send commands; where the gateway is away they wait in the spool. Raises `CliError`."""
    from services.cli.client import Gateway
    from services.cli.recording.sender import Sent, send, without_secrets

    filtered = list(without_secrets(map(_complete, items)))
    sent = Sent()
    try:
        with Gateway(find_connection(url, key_file)) as gateway:
            send(filtered, gateway, sent, user)
    except CliError as error:
        if error.code != ExitCode.NOT_REACHABLE or user:
            raise
        Spool(spool_folder()).add(filtered)
        sent.why = f"{error} It waits in {spool_folder()} and is sent later."
    return sent


def _flush(url: str | None, key_file: Any) -> Sent:
    from services.cli.client import Gateway
    from services.cli.recording.sender import send_spool

    os.nice(NICE)  # nobody waits for it
    spool = Spool(spool_folder())
    with Gateway(find_connection(url, key_file), timeout_s=FLUSH_TIMEOUT_S) as gateway:
        return send_spool(spool, gateway)


def _tell(sent: Sent, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "recorded": sent.recorded,
                "left_out": sent.left_out,
                "invalid": sent.invalid,
                "why": sent.why,
            }
        )
    elif sent.why:
        typer.echo(sent.why, err=True)


def _agent_hook() -> None:
    """Keep the command that standard input tells of, and have a process of its own send it. An
    agent must never fail or wait because of this: nothing is printed, no error is one."""
    try:
        from services.cli.recording.agent_hook import command_of
        from services.cli.recording.sender import without_secrets

        item = None if privacy.paused() else command_of(sys.stdin.read(10 * TEXT_LIMIT))
        kept = list(without_secrets([_complete(item)])) if item else []
        if kept:
            Spool(spool_folder()).add(kept)
            subprocess.Popen(
                [sys.executable, "-P", "-m", "services.cli", "record", "--flush"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
            )
    except Exception:
        if os.environ.get("HIVE_DEBUG"):
            raise
