"""`hv logs`: what a service writes, or what the commands of an execution wrote.

The argument tells which: an execution id begins with `ex_`, everything else is a service of the
embedded stack (`gateway`, `executor-1`, `nats`, `mongo`, `supervisor`).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.stack.layout import Layout
from services.cli.options import AsJson, KeyFile, Url, complete_executions, open_gateway
from services.cli.outcome import CliError, print_json_line, told

if TYPE_CHECKING:
    from rich.text import Text

    from shared.contracts.api.executions import LogRecord

FOLLOW_INTERVAL_S = 0.2
SHOWN_LINES = 200
EXECUTION_PREFIX = "ex_"

_STREAM_STYLES = {"stderr": "red", "progress": "cyan"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(logs)


def complete_subjects(incomplete: str) -> list[str]:
    """Services with a log, and execution ids."""
    from ops.stack.logs import services_with_logs

    services = services_with_logs(Layout.from_environment())
    found = [name for name in services if name.startswith(incomplete)]
    return found + complete_executions(incomplete)


@told
def logs(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE|ID",
            help="A service (gateway, executor-1, nats, mongo …) or an execution (ex_…).",
            autocompletion=complete_subjects,
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more, until the execution ends.")
    ] = False,
    step: Annotated[str | None, typer.Option(help="Of an execution: only this step.")] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what a service, or the commands of an execution, wrote.

    SERVICE: the last lines of the log of a service of the local stack. ID: every line that the
    commands of an execution wrote, by step. With --json one object per line.
    """
    if subject.startswith(EXECUTION_PREFIX):
        _of_execution(subject, step, url, key_file, follow=follow, as_json=as_json)
    elif step is not None:
        raise CliError(f"--step is for executions, and {subject!r} is a service.")
    else:
        _of_service(subject, follow=follow, as_json=as_json)


def _of_service(name: str, *, follow: bool, as_json: bool) -> None:
    from ops.stack.logs import Follower, services_with_logs
    from ops.stack.processes import tail

    layout = Layout.from_environment()
    names = services_with_logs(layout)
    if name not in names:
        known = ", ".join(names) or "nothing yet"
        raise CliError(
            f"There is no log of {name!r}. There are logs of: {known}. "
            "For an execution give its id, ex_…"
        )
    path = layout.log(name)
    follower = Follower(path)
    for line in tail(path, SHOWN_LINES, limit_bytes=SHOWN_LINES * 1024).splitlines():
        _print_service_line(name, line, as_json=as_json)
    while follow:
        for line in follower.lines():
            _print_service_line(name, line, as_json=as_json)
        time.sleep(FOLLOW_INTERVAL_S)


def _print_service_line(name: str, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json_line({"service": name, "text": line})
    else:
        typer.echo(line)


def _of_execution(
    execution_id: str,
    step: str | None,
    url: str | None,
    key_file: Path | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    from services.cli import rendering

    console = rendering.console()
    with open_gateway(url, key_file) as gateway:
        view = gateway.execution(execution_id)
        steps = [one.id for one in view.steps]
        if step is not None and step not in steps:
            raise CliError(f"{execution_id} has no step {step!r}; it has: {', '.join(steps)}.")
        written = gateway.follow_logs if follow else gateway.logs
        empty = True
        for record in written(execution_id, step):
            empty = False
            if as_json:
                print_json_line(record.model_dump(mode="json"))
            else:
                console.print(_line(record), soft_wrap=True)
    if empty:
        typer.echo(f"The commands of {execution_id} wrote nothing.", err=True)


def _line(record: LogRecord) -> Text:
    from rich.text import Text

    from services.cli import rendering

    attempt = f"#{record.attempt}" if record.attempt > 1 else ""
    return Text.assemble(
        (rendering.clock(record.at_ms), "dim"),
        (f"  {record.step}{attempt} ", "bold"),
        (f"{record.agent} │ ", "dim"),
        (record.text, _STREAM_STYLES.get(record.stream, "")),
    )
