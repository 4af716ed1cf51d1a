"""`hv targets`: whom a fleet would run on now, and what became of each target of one that ran."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.options import AsJson, KeyFile, Quiet, Url, open_gateway
from services.cli.outcome import CliError, print_ids, print_json, told
from services.cli.values import parameters_of
from shared.workflow.machines.step import StepStatus

if TYPE_CHECKING:
    from rich.console import RenderableType

    from services.cli.client import Gateway
    from shared.contracts.api.targets import (
        ExecutionTargets,
        FleetPreview,
        FleetView,
        TargetsPreview,
    )

ERROR_LIMIT = 80
"""Longest error in the table, in characters; `--json` has it whole."""


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(targets)


@told
def targets(
    template: Annotated[
        str | None, typer.Argument(help="A template with fleets; or give --where, or --of.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", help="A selector: agent.labels.role == 'web'.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="EXECUTION", help="What became of its targets.")
    ] = None,
    step: Annotated[str | None, typer.Option("--step", "-s", help="Only of this step.")] = None,
    status: Annotated[
        list[StepStatus] | None, typer.Option(help="With --of: only in this status; repeatable.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="NAME=VALUE", help="Of the template; repeatable."
        ),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Default: the newest release.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="With --where: labels; repeatable."),
    ] = None,
    capability: Annotated[
        list[str] | None, typer.Option(help="With --where: it takes this; repeatable.")
    ] = None,
    quiet: Quiet = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which agents a fleet would run on now, or, with --of, what became of each target."""
    if sum(one is not None for one in (template, where, of)) != 1:
        raise CliError("Give one of: a template, --where SELECTOR, --of EXECUTION.")
    with open_gateway(url, key_file) as gateway:
        if of is not None:
            query = {"step": step, "status": tuple(one.value for one in status or ())}
            _tell_results(_results(gateway, of, query), of, as_json=as_json, quiet=quiet)
            return
        asked: dict[str, Any] = {"where": where, "step": step, "label": tuple(label or ())}
        asked["capability"] = tuple(capability or ())
        if template is not None:
            asked |= {"template": template, "version": version}
            asked["parameters"] = _parameters(gateway, template, version, parameter or [])
        found = _preview(gateway, asked)
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif quiet:
        print_ids(one.target for fleet in found.items for one in fleet.targets)
    else:
        console = rendering.console()
        for fleet in found.items:
            for part in _would_run(fleet, found.live):
                console.print(part, soft_wrap=isinstance(part, Text))


def _parameters(gateway: Gateway, template: str, version: str | None, given: list[str]) -> str:
    if not given:
        return "{}"
    schema = gateway.template(template, version).parameters_schema
    return json.dumps(parameters_of(given, schema))


def _preview(gateway: Gateway, query: dict[str, Any]) -> TargetsPreview:
    from shared.contracts.api.targets import TargetsPreview

    return gateway.get("/api/v1/targets", TargetsPreview, query)


def _results(gateway: Gateway, execution: str, query: dict[str, Any]) -> ExecutionTargets:
    from shared.contracts.api.targets import ExecutionTargets

    path = f"/api/v1/workflows/executions/{quote(execution, safe='')}/targets"
    return gateway.get(path, ExecutionTargets, query)


def _tell_results(found: ExecutionTargets, execution: str, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if quiet:
        print_ids(one.target for fleet in found.items for one in fleet.targets)
        return
    if not found.items:
        typer.echo(f"Execution {execution} has no fleet.")
        return
    console = rendering.console()
    for fleet in found.items:
        for part in _became(fleet):
            console.print(part, soft_wrap=isinstance(part, Text))


def _would_run(fleet: FleetPreview, live: int) -> Iterator[RenderableType]:
    sizes = " + ".join(str(size) for size in fleet.batches) or "0"
    canary = ", the first is the canary" if fleet.canary else ""
    head = Text(fleet.step, style="bold")
    head.append(f"  {fleet.strategy}: {len(fleet.targets)} of {live} live agents ({sizes}{canary})")
    yield head.append(f", {fleet.max_failure} may fail\n  {rendering.safe(fleet.where)}", "dim")
    if fleet.problem:
        yield Text(f"  {rendering.safe(fleet.problem)}", style="red")
    rows = [
        (
            one.batch,
            Text(one.target, style="bold"),
            one.host,
            f"{one.load:.0%}",
            _labels(one.labels),
        )
        for one in fleet.targets
    ]
    if rows:
        yield rendering.table(("BATCH", "TARGET", "HOST", "LOAD", "LABELS"), rows)
    for name, why in fleet.others.items():
        yield Text(f"  not {name}: {rendering.safe(why)}", style="dim")


def _labels(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _became(fleet: FleetView) -> Iterator[RenderableType]:
    head = Text.assemble((fleet.step, "bold"), "  ", rendering.status_text(fleet.status))
    head.append(
        f"  {fleet.completed} of {fleet.total} completed, {fleet.failed} failed, "
        f"{fleet.under_way} under way, batch {fleet.batch} of {fleet.batches}"
    )
    yield head
    if fleet.stopped:
        yield Text(f"  {rendering.safe(fleet.stopped)}", style="red")
    rows = (
        (
            one.batch,
            Text(one.target, style="bold"),
            Text.assemble(rendering.sign(one.status), " ", rendering.status_text(one.status)),
            one.attempts or "",
            rendering.shorten(rendering.safe(one.error), ERROR_LIMIT),
        )
        for one in fleet.targets
    )
    yield rendering.table(("BATCH", "TARGET", "STATUS", "ATTEMPTS", "ERROR"), rows)
