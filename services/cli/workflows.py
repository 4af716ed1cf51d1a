"""`hv run` and `hv watch`: run a workflow, and follow it to its end."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.advice import hv
from services.cli.options import AsJson, ExecutionId, KeyFile, TemplateId, Url, open_gateway
from services.cli.outcome import (
    CliError,
    exit_code_of,
    print_ids,
    print_json,
    print_json_line,
    told,
)

if TYPE_CHECKING:  # what shows a run is imported by who shows one: most runs are only accepted
    from services.cli.client import Gateway
    from shared.contracts.api.executions import ExecutionAccepted, ExecutionView
    from shared.workflow.messages import Actor

ASK_S = 20.0
"""How long one request lets the gateway wait; longer waits are several requests."""


STEP = r"[a-z][a-z0-9_]{0,62}(\[\d{1,4}\])?"
"""A step, or an instance of a loop."""


Before = Annotated[
    list[str] | None,
    typer.Option("--pause-before", metavar="STEP", help="A breakpoint; repeatable."),
]
OnlyId = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the id of the accepted run only.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)
    app.command()(watch)


@told
def run(
    template: TemplateId,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Parameters as a YAML or JSON map.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Default: the newest release.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="A label of the run; repeatable."),
    ] = None,
    suggested_by: Annotated[
        str | None,
        typer.Option(metavar="KIND:NAME", help="Who proposed it, as agent:bee-1 or user:ann."),
    ] = None,
    pause_before: Before = None,
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Show every step until the end.")
    ] = False,
    waiting: Annotated[
        bool, typer.Option("--wait", help="Wait until the end, without showing steps.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="With --wait: at most so many seconds.")
    ] = None,
    quiet: OnlyId = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow. Exit code 0 only when it completed; 5 when it still runs.

    Without --watch and --wait the command ends as soon as the run is accepted, with 0.
    """
    from services.cli.values import parameters_of, read_parameters

    from_file = read_parameters(file) if file else None
    labels = _labels(label or [])
    proposer = _actor(suggested_by) if suggested_by else None
    with open_gateway(url, key_file) as gateway:
        from shared.contracts.api.executions import ExecuteRequest

        view = gateway.template(template, version)
        values = parameters_of(parameter or [], view.parameters_schema, from_file)
        request = ExecuteRequest(
            template_id=view.summary.id,
            version=view.summary.version,
            parameters=values,
            labels=labels,
            suggested_by=proposer,
            pause_before=breakpoints_of(pause_before or []),
        )
        # One key for every try of this request: a lost answer never becomes a second run.
        accepted = gateway.execute(request, idempotency_key=f"hv-{uuid.uuid4()}")
        if watching:
            _watch(gateway, accepted.execution_id, as_json=as_json)
        elif waiting:
            ended = _wait(gateway, accepted.execution_id, timeout)
            _end(accepted.execution_id, ended, as_json=as_json)
        elif quiet:
            print_ids([accepted.execution_id])
        else:
            _say_accepted(accepted, as_json=as_json)


@told
def watch(
    execution: ExecutionId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Follow an execution to its end. Exit code 0 only when it completed."""
    with open_gateway(url, key_file) as gateway:
        gateway.execution(execution)
        _watch(gateway, execution, as_json=as_json)


def _watch(gateway: Gateway, execution_id: str, *, as_json: bool) -> None:
    from services.cli.faces import face_for
    from services.cli.follow import follow

    try:
        view = follow(gateway, execution_id, face_for(as_json=as_json))
    except KeyboardInterrupt:
        typer.echo(
            f"\n{execution_id} goes on.\n  follow it   {hv('watch')} {execution_id}", err=as_json
        )
        raise
    if as_json:
        print_json_line({"execution": view.model_dump(mode="json")})
    else:
        _print_end(view)
    raise typer.Exit(int(exit_code_of(view.status)))


def _wait(gateway: Gateway, execution_id: str, timeout_s: float | None) -> ExecutionView | None:
    """The execution at its end, or as it is when the time is over."""
    from services.cli.follow import stored_if_there

    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left = ASK_S if deadline is None else max(0.0, deadline - time.monotonic())
        view = stored_if_there(gateway, execution_id, wait_s=min(ASK_S, left))
        if (view is not None and view.ended) or left == 0:
            return view


def _end(execution_id: str, view: ExecutionView | None, *, as_json: bool) -> None:
    if view is None:
        status = "pending"
        typer.echo(f"{execution_id} is accepted and not begun yet.", err=True)
    else:
        status = view.status
        if as_json:
            print_json(view.model_dump(mode="json"))
        else:
            _print_end(view)
    raise typer.Exit(int(exit_code_of(status)))


def _print_end(view: ExecutionView) -> None:
    from rich.text import Text

    from services.cli import rendering

    console = rendering.console()
    line = Text.assemble(rendering.sign(view.status), f" {view.id} ")
    line.append_text(rendering.status_text(view.status.replace("_", " ")))
    if view.duration_ms is not None:
        line.append(f" after {rendering.duration(view.duration_ms)}")
    console.print(line, soft_wrap=True)
    if view.failure is not None:
        console.print(Text(f"  {view.failure.message}", style="red"), soft_wrap=True)
    for name, value in view.outputs.items():
        console.print(Text(f"  {name}: {rendering.shorten(_text(value))}"), soft_wrap=True)
    console.print(Text(f"  details     {hv('show')} {view.id}", style="dim"), soft_wrap=True)


def _say_accepted(accepted: ExecutionAccepted, *, as_json: bool) -> None:
    if as_json:
        print_json(accepted.model_dump(mode="json"))
        return
    identity = accepted.execution_id
    typer.echo(f"Accepted {accepted.template_id} {accepted.template_version}: {identity}")
    typer.echo(f"  follow it   {hv('watch')} {identity}")


def breakpoints_of(given: list[str]) -> tuple[str, ...]:
    """Steps, or instances of loops, by name. Raises `CliError`."""
    for name in given:
        if not re.fullmatch(STEP, name):
            raise CliError(f"--pause-before {name!r} is no step: write its id, or `loop[3]`.")
    return tuple(given)


def _labels(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _value in pairs:
        if not (name and equals):
            raise CliError(f"--label {name!r} is not NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _actor(given: str) -> Actor:
    from shared.workflow.messages import Actor

    kind, _, name = given.partition(":")
    try:
        return Actor.model_validate({"kind": kind, "id": name or None})
    except ValueError:
        kinds = ", ".join(Actor.model_json_schema()["properties"]["kind"]["enum"])
        raise CliError(
            f"--suggested-by {given!r} is not KIND:NAME; KIND is one of {kinds}."
        ) from None


def _text(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
