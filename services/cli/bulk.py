"""`hv bulk`: the same request to every execution that fits a filter; shown first, then done."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.executions import Why
from services.cli.moments import moment_ms
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told
from services.cli.steering import json_option
from shared.workflow.machines.execution import ExecutionStatus

if TYPE_CHECKING:
    from shared.contracts.api.operating import BulkAnswer


class Action(StrEnum):
    """What to do to each execution."""

    cancel = "cancel"
    pause = "pause"
    resume = "resume"
    run_now = "run-now"
    mark = "mark"
    resolve = "resolve"
    rerun = "rerun"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("bulk")(bulk)


@told
def bulk(
    action: Annotated[Action, typer.Argument(help="What to do to each.")],
    status: Annotated[
        list[ExecutionStatus] | None, typer.Option(help="Only in this status; repeatable.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Only of this template.")] = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    label: Annotated[str | None, typer.Option(metavar="NAME=VALUE", help="Only with it.")] = None,
    requested_by: Annotated[str | None, typer.Option(help="Only of who asked for it.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Created then or later: `2h`, `3d` ago, or a time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Created then or before.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500)] = 100,
    step: Annotated[str | None, typer.Option(help="With mark, run-now and resolve.")] = None,
    verdict: Annotated[
        str | None, typer.Option(help="With mark and resolve: completed, failed, rerun.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="With completed: a JSON object.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With cancel.")] = False,
    from_step: Annotated[str | None, typer.Option("--from", help="With rerun: a step.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="With rerun: only that.")] = False,
    version: Annotated[str | None, typer.Option(help="With rerun: of the template.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it; else it is only shown.")] = False,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Do the same to every execution that fits. Without --yes it is only shown."""
    conditions = {
        "status": [one.value for one in status or ()],
        "template": template,
        "category": category,
        "label": label,
        "requested_by": requested_by,
        "since": moment_ms(since, "--since"),
        "until": moment_ms(until, "--until"),
    }
    rerun = {"from_step": from_step, "failed_only": failed, "version": version}
    body: dict[str, Any] = {
        "action": action.value.replace("-", "_"),
        "filter": _present(conditions),
        "dry_run": not yes,
        "limit": limit,
        "reason": reason,
        **_present(
            {
                "force": force,
                "step": step,
                "verdict": verdict,
                "output": json_option(output, "--output", dict) if output else None,
                "rerun": _present(rerun),
            }
        ),
    }
    if not body["filter"]:
        raise CliError("Give a filter, such as --template x, --status failed or --since 2h.")
    with open_gateway(url, key_file) as gateway:
        answer = gateway.bulk(body)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        typer.echo("\n".join(told_of(answer)))


def told_of(answer: BulkAnswer) -> list[str]:
    """What came of each, in lines, and how many there are of each kind."""
    if not answer.items:
        return ["No execution fits."]
    lines = []
    for item in answer.items:
        new = f" -> {item.new_execution_id}" if item.new_execution_id else ""
        why = f": {item.detail}" if item.detail else ""
        what = item.result.replace("_", " ")
        lines.append(f"{item.execution_id}  {item.template_id}  {item.status}  {what}{new}{why}")
    counted = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in answer.counts.items())
    lines.append(f"{answer.action.replace('_', ' ')}: {counted}")
    if answer.more:
        lines.append("More fit than the limit lets in: narrow the filter, or repeat.")
    if answer.dry_run and "would_apply" in answer.counts:
        lines.append("Nothing was done yet: repeat with --yes.")
    return lines


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, False, [], {})}
