"""`hv breakpoints`, `mark`, `run-now` and `rerun`: what operators do to single steps."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.advice import hv
from services.cli.executions import Why, ask
from services.cli.options import AsJson, ExecutionId, KeyFile, Url, open_gateway
from services.cli.outcome import print_ids, print_json, told
from services.cli.steering import json_option

if TYPE_CHECKING:
    from services.cli.client import Gateway
    from shared.contracts.api.operating import RerunAnswer


class Marked(StrEnum):
    """What became of a step, by the word of a person."""

    completed = "completed"
    failed = "failed"


Output = Annotated[str, typer.Option("--output", "-o", help="With completed: a JSON object.")]
Before = Annotated[
    list[str] | None,
    typer.Option("--pause-before", metavar="STEP", help="A breakpoint of the new execution."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("breakpoints")(breakpoints)
    app.command("mark")(mark)
    app.command("run-now")(run_now)
    app.command("rerun")(rerun)


@told
def breakpoints(
    execution: ExecutionId,
    before: Annotated[
        list[str] | None, typer.Argument(metavar="[STEP]...", help="Pause before these.")
    ] = None,
    clear: Annotated[
        list[str] | None, typer.Option("--clear", metavar="STEP", help="And before those no more.")
    ] = None,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Pause an execution before steps; `hv resume` goes on past them."""
    body = {"set_before": before or [], "clear": clear or [], "reason": reason}
    ask(execution, "breakpoints", body, url, key_file, as_json=as_json)


@told
def mark(
    execution: ExecutionId,
    step: Annotated[str, typer.Argument(help="A step that has not ended.")],
    verdict: Annotated[Marked, typer.Argument(help="What became of it.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; needed.")],
    output: Output = "{}",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that a step is done, or failed; what runs of it is stopped first."""
    given = json_option(output, "--output", dict)
    body = {"verdict": verdict.value, "output": given, "reason": reason}
    ask(execution, f"steps/{step}/mark", body, url, key_file, as_json=as_json)


@told
def run_now(
    execution: ExecutionId,
    step: Annotated[str, typer.Argument(help="A step that waits for a delay or an agent.")],
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """End the wait of a step: a retry delay, an offer, a deferred wait."""
    ask(execution, f"steps/{step}/run-now", {"reason": reason}, url, key_file, as_json=as_json)


@told
def rerun(
    execution: ExecutionId,
    from_step: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="From this step on.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what failed and what was not started.")
    ] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Changed; repeatable."),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Default: the one that it ran.")] = None,
    pause_before: Before = None,
    whole_children: Annotated[
        bool, typer.Option("--whole-children", help="Run failed sub-workflows from their start.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be kept, and what runs.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the new id only.")] = False,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Run an ended execution again; without --from and --failed all of it."""
    body: dict[str, Any] = {
        "from_step": from_step,
        "failed_only": failed,
        "version": version,
        "pause_before": pause_before or [],
        "whole_children": whole_children,
        "dry_run": dry_run,
        "reason": reason,
    }
    with open_gateway(url, key_file) as gateway:
        body["parameters"] = _changed(gateway, execution, version, parameter or [])
        answer = gateway.rerun(execution, body, idempotency_key=f"hv-{uuid.uuid4()}")
    if as_json:
        print_json(answer.model_dump(mode="json"))
    elif quiet and answer.execution_id is not None:
        print_ids([answer.execution_id])
    else:
        typer.echo("\n".join(told_of(answer)))


def told_of(answer: RerunAnswer) -> list[str]:
    """What a re-run keeps and runs, in lines."""
    what = f"{answer.template_id} {answer.template_version}"
    if answer.execution_id is None:
        lines = [f"Would run {answer.rerun_of} again ({what}):"]
    else:
        lines = [f"Accepted {what}: {answer.execution_id} (runs {answer.rerun_of} again)"]
    for name in answer.kept:
        lines.append(f"  kept    {name}")
    for name, why in answer.again.items():
        into = answer.children.get(name)
        lines.append(f"  again   {name}: {why}" + (f"; goes on in {into}" if into else ""))
    for name in answer.anew:
        lines.append(f"  anew    {name}: it had been skipped")
    for gate in answer.approvals:
        lines.append(f"  gate    {gate}: stays approved if it is about the same")
    for name in answer.dropped_parameters:
        lines.append(f"  dropped parameter {name}: this version has none of that name")
    if answer.execution_id is not None:
        lines.append(f"  follow it   {hv('watch')} {answer.execution_id}")
    return lines


def _changed(
    gateway: Gateway, execution: str, version: str | None, given: list[str]
) -> dict[str, Any]:
    """The parameters that are given anew, by the types of the template."""
    if not given:
        return {}
    from services.cli.values import parameters_of

    view = gateway.execution(execution)
    template = gateway.template(view.template_id, version or view.template_version)
    return parameters_of(given, template.parameters_schema, None)
