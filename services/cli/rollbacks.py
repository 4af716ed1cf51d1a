"""`hv rollback` and `hv rollbacks`: undo what an execution did, or see what that would do."""

from __future__ import annotations

import time
import uuid
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from services.cli import rendering
from services.cli.advice import hv
from services.cli.executions import Why
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, ExecutionId, KeyFile, Quiet, Url, open_gateway
from services.cli.outcome import ExitCode, print_ids, print_json, told
from services.cli.rollback_view import over_lines, plan_lines, row, view_lines
from shared.rollback.machine import RollbackStatus

if TYPE_CHECKING:
    from services.cli.client import Gateway
    from shared.contracts.api.rollbacks import RollbackView

EXECUTIONS: Final = "/api/v1/workflows/executions"
ROLLBACKS: Final = "/api/v1/rollbacks"
LOOK_S: Final = 0.3
GRACE_S: Final = 10.0
"""How long a rollback that was just asked for may take to be seen."""


class HowBack(StrEnum):
    """The strategies."""

    immediate = "immediate"
    graceful = "graceful"
    checkpoint = "checkpoint"
    manual = "manual"


class Ticked(StrEnum):
    """What became of an item, by the word of a person."""

    done = "done"
    skipped = "skipped"
    failed = "failed"


How = Annotated[
    HowBack | None, typer.Option("--strategy", "-s", help="Default: that of its template.")
]
To = Annotated[
    str | None, typer.Option("--to", metavar="CHECKPOINT", help="A checkpoint, or a step.")
]
RollbackId = Annotated[
    str, typer.Argument(metavar="ID", help="An execution, or its rollback.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(rollback)
    group = listing_group("Rollbacks: how they stand, what remains.", _print_list)
    group.command("list")(list_rollbacks)
    group.command()(show)
    group.command()(ahead)
    group.command()(points)
    group.command()(runbook)
    group.command()(tick)
    group.command()(cancel)
    app.add_typer(group, name="rollbacks")


@told
def rollback(
    execution: ExecutionId,
    strategy: How = None,
    to: To = None,
    step: Annotated[
        list[str] | None, typer.Option("--step", help="Only what this step did; repeatable.")
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say what would be undone.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for its end.")] = False,
    quiet: Quiet = False,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Undo what an execution did; one that runs is brought to its end first."""
    with open_gateway(url, key_file) as gateway:
        if preview:
            how = strategy.value if strategy else None
            query = {"strategy": how, "to": to, "step": step or None}
            _preview(gateway, execution, query, as_json=as_json)
            return
        accepted = _request(
            gateway, execution, strategy=strategy, to=to, steps=step or [], reason=reason
        )
        if not wait:
            if as_json:
                print_json(accepted)
            elif quiet:
                print_ids([accepted["rollback_id"]])
            else:
                typer.echo(f"Accepted: {execution} is rolled back ({accepted['strategy']}).")
                typer.echo(f"Follow it: {hv(f'rollbacks show {execution}')}")
            return
        over = _wait(gateway, execution, accepted["known"])
    if as_json:
        print_json(over.model_dump(mode="json"))
    else:
        typer.echo("\n".join(over_lines(over)))
    raise typer.Exit(_exit_code(over))


@told
def list_rollbacks(
    status: Annotated[RollbackStatus | None, typer.Option(help="Only in this status.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200)] = 20,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List rollbacks, those that changed last first."""
    _print_list(url, key_file, as_json=as_json, status=status, limit=limit)


@told
def show(
    identifier: RollbackId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show the newest rollback of an execution, with its plan and what remains."""
    with open_gateway(url, key_file) as gateway:
        found = _get(gateway, identifier)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        typer.echo("\n".join(view_lines(found)))


@told
def ahead(
    template: Annotated[str, typer.Argument(help="A template that is to run.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Of the run; repeatable."),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Default: the newest.")] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what a rollback would undo, before the workflow is run."""
    from services.cli.values import parameters_of
    from shared.contracts.api.rollbacks import PlanView

    with open_gateway(url, key_file) as gateway:
        schema = gateway.template(template, version).parameters_schema
        body = {"version": version, "parameters": parameters_of(parameter or [], schema)}
        path = f"/api/v1/workflows/templates/{_segment(template)}/rollback/preview"
        plan = gateway.post(path, PlanView, body)
    if as_json:
        print_json(plan.model_dump(mode="json"))
    else:
        typer.echo("\n".join(plan_lines(plan)))


@told
def points(
    execution: ExecutionId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """List the checkpoints to which an execution can be taken back."""
    from shared.contracts.api.rollbacks import PointList

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(f"{EXECUTIONS}/{_segment(execution)}/rollback-points", PointList)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if not found.items:
        typer.echo("There is none: nothing that changes something has begun.")
    rows = [(one.name or one.step, rendering.moment(one.at_ms), one.why) for one in found.items]
    if rows:
        rendering.console().print(rendering.table(("CHECKPOINT", "AT", "WHY"), rows))


@told
def runbook(
    identifier: RollbackId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Print what people do by hand: Markdown, host by host."""
    from shared.contracts.api.rollbacks import Runbook

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(f"{ROLLBACKS}/{_segment(identifier)}/runbook", Runbook)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        typer.echo(found.markdown, nl=False)


@told
def tick(
    identifier: RollbackId,
    item: Annotated[int, typer.Argument(min=1, help="The item's number in the runbook.")],
    verdict: Annotated[Ticked, typer.Argument(help="What became of it.")],
    comment: Annotated[str, typer.Option("--comment", "-c", help="A word about it.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Tick an item of a manual rollback off."""
    body = {"verdict": verdict.value, "comment": comment}
    said = f"item {item} is {verdict.value}"
    _ask(identifier, f"items/{item}", body, said, (url, key_file), as_json=as_json)


@told
def cancel(
    identifier: RollbackId,
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Undo nothing more; what is undone stays so."""
    said = "nothing more is undone"
    _ask(identifier, "cancel", {"reason": reason}, said, (url, key_file), as_json=as_json)


def _ask(
    identifier: str,
    action: str,
    body: dict[str, Any],
    said: str,
    where: tuple[str | None, KeyFile],
    *,
    as_json: bool,
) -> None:
    from shared.contracts.api.rollbacks import RollbackRequestTaken

    path = f"{ROLLBACKS}/{_segment(identifier)}/{action}"
    with open_gateway(*where) as gateway:
        answer = gateway.post(path, RollbackRequestTaken, body)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        typer.echo(f"Accepted: {said}.")


def _preview(gateway: Gateway, execution: str, query: dict[str, Any], *, as_json: bool) -> None:
    from shared.contracts.api.rollbacks import PlanView

    path = f"{EXECUTIONS}/{_segment(execution)}/rollback/preview"
    plan = gateway.get(path, PlanView, query)
    if as_json:
        print_json(plan.model_dump(mode="json"))
    else:
        typer.echo("\n".join(plan_lines(plan)))


def _request(gateway: Gateway, execution: str, **asked: Any) -> dict[str, Any]:
    """Ask for it. `known` is the number of the last rollback before."""
    from shared.contracts.api.rollbacks import RollbackAccepted

    known = _found(gateway, execution)
    body = {name: value for name, value in asked.items() if value}
    accepted = gateway.post(
        f"{EXECUTIONS}/{_segment(execution)}/rollback",
        RollbackAccepted,
        body,
        headers={"Idempotency-Key": f"hv-{uuid.uuid4()}"},
    )
    number = known.summary.number if known is not None else 0
    return {**accepted.model_dump(mode="json"), "known": number}


def _wait(gateway: Gateway, execution: str, known: int) -> RollbackView:
    """Wait until the rollback after number `known` is over."""
    until = time.monotonic() + GRACE_S
    while True:
        found = _found(gateway, execution)
        newer = found is not None and found.summary.number > known
        if found is not None and newer and found.summary.over:
            return found
        if not newer and time.monotonic() > until:
            return _get(gateway, execution)  # says what there is, or that there is none
        time.sleep(LOOK_S)


def _found(gateway: Gateway, identifier: str) -> RollbackView | None:
    from services.cli.outcome import CliError

    try:
        return _get(gateway, identifier)
    except CliError as error:
        if error.status == 404:
            return None
        raise


def _get(gateway: Gateway, identifier: str) -> RollbackView:
    from shared.contracts.api.rollbacks import RollbackView

    return gateway.get(f"{ROLLBACKS}/{_segment(identifier)}", RollbackView)


def _exit_code(over: RollbackView) -> ExitCode:
    if not over.summary.over:
        return ExitCode.STILL_RUNNING
    done = over.summary.status == RollbackStatus.ROLLED_BACK
    return ExitCode.DONE if done else ExitCode.FAILED


def _print_list(
    url: str | None,
    key_file: KeyFile,
    *,
    as_json: bool,
    status: RollbackStatus | None = None,
    limit: int = 20,
) -> None:
    from shared.contracts.api.rollbacks import RollbackPage

    query = {"status": status.value if status else None, "limit": limit}
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(ROLLBACKS, RollbackPage, query)
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif not found.items:
        typer.echo("Nothing was rolled back.")
    else:
        columns = ("EXECUTION", "NO", "STATUS", "STRATEGY", "ITEMS", "LEFT", "BY", "CHANGED")
        rows = [row(one, now_ms()) for one in found.items]
        rendering.console().print(rendering.table(columns, rows))


def _segment(name: str) -> str:
    return quote(name, safe="")
