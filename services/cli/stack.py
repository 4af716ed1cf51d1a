"""`hv up`, `down`, `status`: the embedded stack from the terminal."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ops.stack.errors import StackError
from ops.stack.layout import Layout
from services.cli.advice import hv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.stack.spec import AgentSpec
    from ops.stack.state import StackRecord


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


class DurabilityChoice(StrEnum):
    """What an acknowledged message survives: a power cut, or only a crash of the process."""

    safe = "safe"
    relaxed = "relaxed"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background.")] = False,
    durability: Annotated[
        DurabilityChoice, typer.Option(help="safe: survives power loss; relaxed: faster.")
    ] = DurabilityChoice.safe,
    executors: Annotated[int, typer.Option(help="How many executors to run.")] = 1,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:LABELS:CAPABILITIES",
            help="An executor with this agent, such as web-1:role=web:nginx; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start NATS, MongoDB and the services, and wait until they are healthy.

    With --json: what `hv status --json` says, once all is ready; logs go to standard error.
    """
    from ops.stack import state
    from ops.stack.spec import AgentSpec

    layout = Layout.from_environment()
    running = state.running(layout)
    if running:
        ready = running.phase == "ready"
        sentence = "The stack already runs." if ready else f"The stack is {running.phase} already."
        _tell(layout, running, sentence, as_json=as_json)
        return
    if layout.record.exists():
        typer.echo("The last run ended without stopping; its data are intact.", err=True)
    try:
        agents = [AgentSpec.parse(text) for text in agent or []]
        if detach:
            _up_in_background(layout, durability, executors, agents, as_json=as_json)
        else:
            _up_in_foreground(layout, durability, executors, agents, as_json=as_json)
    except StackError as error:
        _fail(str(error), as_json=as_json)


def down(as_json: AsJson = False) -> None:
    """Stop the stack and wait until every process of it is gone. Data stay."""
    from ops.stack import control

    try:
        stopped = control.stop(Layout.from_environment())
    except StackError as error:
        _fail(str(error), as_json=as_json)
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
        return
    typer.echo("The stack is stopped; its data stay." if stopped else "No stack runs.")


def status(as_json: AsJson = False) -> None:
    """Say whether the stack runs and how each process is. Exit code 1 when it does not."""
    from ops.stack import state

    layout = Layout.from_environment()
    record = state.running(layout)
    facts = _facts(layout, record)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print_status(facts)
    if record is None:
        raise typer.Exit(1)


def _up_in_background(
    layout: Layout,
    durability: DurabilityChoice,
    executors: int,
    agents: "Sequence[AgentSpec]",
    *,
    as_json: bool,
) -> None:
    from rich.console import Console

    from ops.stack import control

    with Console(stderr=True).status("starting the stack …"):
        record = control.start_detached(layout, durability.value, executors, agents)
    _tell(layout, record, "The stack is ready and runs in the background.", as_json=as_json)
    if not as_json:
        typer.echo(f"  stop it     {hv('down')}")


def _up_in_foreground(
    layout: Layout,
    durability: DurabilityChoice,
    executors: int,
    agents: "Sequence[AgentSpec]",
    *,
    as_json: bool,
) -> None:
    from ops.stack import spec
    from ops.stack.supervisor import Supervisor
    from services.cli.log_printer import LogPrinter

    specs = spec.services(executors, agents)
    printer = LogPrinter(layout, [one.name for one in specs], stderr=as_json)

    def report(sentence: str) -> None:
        printer.say(sentence)
        if sentence == "ready":
            _tell(layout, supervisor.record, as_json=as_json)
            if not as_json:
                typer.echo(f"  stop it     Ctrl-C, or {hv('down')}")

    supervisor = Supervisor(layout, durability.value, specs, report)
    supervisor.run(each_turn=printer.print_new)


def _tell(layout: Layout, record: "StackRecord", sentence: str = "", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_facts(layout, record), indent=2))
        return
    if sentence:
        typer.echo(sentence)
    _print_urls(layout, record)


def _print_urls(layout: Layout, record: "StackRecord") -> None:
    from ops.stack.urls import without_password

    for name in ("gateway", "nats", "mongo"):
        if name in record.urls:
            typer.echo(f"  {name:<11} {without_password(record.urls[name])}")
    typer.echo(f"  admin key   {layout.admin_key}")
    typer.echo(f"  logs        {layout.logs}")


def _facts(layout: Layout, record: "StackRecord | None") -> dict[str, Any]:
    from ops.stack.keeper import answers_ok
    from ops.stack.processes import start_time
    from ops.stack.urls import without_password

    if record is None:
        return {"running": False, "home": str(layout.root)}
    services = [
        {
            "name": one.name,
            "pid": one.pid,
            "running": one.pid is not None and start_time(one.pid) is not None,
            "healthy": answers_ok(one.health) if one.health else None,
            "restarts": one.restarts,
        }
        for one in record.services
    ]
    return {
        "running": True,
        "home": str(layout.root),
        "phase": record.phase,
        "pid": record.pid,
        "started_at": record.started_at,
        "durability": record.durability,
        "urls": {name: without_password(url) for name, url in record.urls.items()},
        "ports": record.ports,
        "admin_key": str(layout.admin_key),
        "services": services,
    }


def _print_status(facts: dict[str, Any]) -> None:
    if not facts["running"]:
        typer.echo(f"No stack runs on {facts['home']}. Start it with: {hv('up')}")
        return
    typer.echo(
        f"The stack is {facts['phase']} (durability {facts['durability']}, pid {facts['pid']})."
    )
    for name, url in facts["urls"].items():
        typer.echo(f"  {name:<11} {url}")
    for one in facts["services"]:
        health = {True: "healthy", False: "not healthy", None: "running"}[one["healthy"]]
        word = health if one["running"] else "not running"
        times = f"{one['restarts']} times" if one["restarts"] > 1 else "once"
        restarts = f", restarted {times}" if one["restarts"] else ""
        typer.echo(f"  {one['name']:<11} {word}, pid {one['pid']}{restarts}")


def _fail(message: str, *, as_json: bool) -> NoReturn:
    from services.cli.outcome import CliError, ExitCode, fail

    fail(CliError(message, ExitCode.FAILED), as_json=as_json)
