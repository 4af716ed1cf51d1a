"""`hv captures`: what was kept before a step, compared with what is there, and put back by hand."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from ops.stack.layout import REPO_ROOT
from services.cli import rendering
from services.cli.client import Gateway
from services.cli.faces import QuietFace
from services.cli.follow import follow
from services.cli.options import AsJson, ExecutionId, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, ExitCode, print_json, told
from shared.contracts.api.executions import ExecuteRequest, ExecutionView
from shared.templates.loader import load_file

TEMPLATE: Final = REPO_ROOT / "shared" / "templates" / "tools" / "put_back.yaml"

Step = Annotated[str, typer.Argument(metavar="STEP", help="A step, or an instance: `deploy[3]`.")]
Agent = Annotated[
    str | None, typer.Option(metavar="NAME", help="The agent, where several kept something.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="What was kept before a step: compare it, put it back.")
    group.command()(compare)
    group.command("put-back")(put_back)
    app.add_typer(group, name="captures")


@told
def compare(
    execution: ExecutionId,
    step: Step,
    agent: Agent = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell in what the agent's files differ from what was kept. Nothing is changed."""
    with open_gateway(url, key_file) as gateway:
        view = _run(gateway, execution, step, agent, "compare")
    _print(view, as_json=as_json)


@told
def put_back(
    execution: ExecutionId,
    step: Step,
    agent: Agent = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Put back what was kept before a step, on the agent that kept it."""
    with open_gateway(url, key_file) as gateway:
        view = _run(gateway, execution, step, agent, "put_back")
    _print(view, as_json=as_json)


def _run(
    gateway: Gateway, execution_id: str, step: str, agent: str | None, operation: str
) -> ExecutionView:
    """An execution that does it, which is kept like any other."""
    template = load_file(TEMPLATE)
    gateway.store_template(template)
    parameters = {
        "agent": agent or _agent_of(gateway, execution_id, step),
        "execution_id": execution_id,
        "step": step,
        "operation": operation,
    }
    request = ExecuteRequest(
        template_id=template.id, version=template.version, parameters=parameters
    )
    return follow(gateway, gateway.execute(request).execution_id, QuietFace())


def _agent_of(gateway: Gateway, execution_id: str, step: str) -> str:
    """The agent on which the step kept something last. Raises `CliError`."""
    steps = {one.id: one for one in gateway.execution(execution_id).steps}
    if step not in steps:
        known = ", ".join(steps)
        raise CliError(f"{execution_id} has no step {step!r}; there are: {known}.")
    captured = steps[step].captured
    if captured is None:
        raise CliError(
            f"Nothing is known to have been kept before {step}. If its agent was lost in the "
            "middle of it, name the agent: --agent NAME."
        )
    return captured.agent


def _print(view: ExecutionView, *, as_json: bool) -> None:
    failed = view.status != "completed"
    output = next((step.output for step in view.steps), {})
    if as_json:
        print_json({"execution": view.id, "status": view.status, **output})
    else:
        _tell(view, output)
    raise typer.Exit(int(ExitCode.FAILED if failed else ExitCode.DONE))


def _tell(view: ExecutionView, output: dict[str, Any]) -> None:
    if view.failure is not None:
        typer.echo(f"{view.id}: {view.failure.message}", err=True)
    if not output:
        return
    typer.echo(
        f"{output['total']} kept on {output['agent']}: {output['unchanged']} as they were, "
        f"{output['restored']} put back ({view.id})"
    )
    rows = [*map(_file_row, output["files"]), *map(_bundle_row, output["bundles"])]
    if rows:
        columns = ("WHAT", "WAS", "DIFFERED IN", "NOW", "")
        rendering.console().print(rendering.table(columns, rows))


def _file_row(one: dict[str, Any]) -> tuple[object, ...]:
    now = "as it was" if one["restored"] else "differs"
    return (one["path"], one["was"], ", ".join(one["differs"]), now, one["problem"])


def _bundle_row(one: dict[str, Any]) -> tuple[object, ...]:
    now = "as it was" if one["restored"] else "differs"
    return (one["bundle"], f"version {one['version']}", "version", now, one["problem"])
