"""`hv demo`: the whole system at work on this machine, in about a minute."""

from __future__ import annotations

from typing import Any

import typer

from ops.stack.layout import Layout
from services.cli import rendering
from services.cli.client import Gateway
from services.cli.connection import find_connection
from services.cli.demo import rollout
from services.cli.demo.stage import Stage, urls
from services.cli.options import AsJson
from services.cli.outcome import ExitCode, print_json, told


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(demo)


@told
def demo(as_json: AsJson = False) -> None:
    """Bring the stack up with three agents and run real workflows on them.

    Two complete; a rollout goes wrong and is undone, and its correction completes. Exit code 0 only
    when all of that is so. The stack stays up; `hv down` stops it.
    """
    layout = Layout.from_environment()
    stage = Stage(layout, rendering.console(stderr=as_json), as_json=as_json)
    record = stage.bring_up()
    with Gateway(find_connection(record.urls["gateway"], layout.admin_key)) as gateway:
        stage.wait_for_agents(gateway)
        with stage.responder(gateway):
            views = [
                stage.run(gateway, "incident_response", _incident()),
                stage.run_custom(gateway, record.urls["gateway"]),
            ]
        act = rollout.play(stage, gateway)
    completed = all(view.status == "completed" for view in views) and act.as_promised
    views += [act.wrong, act.corrected]
    if as_json:
        executions = [view.model_dump(mode="json") for view in views]
        undone = {"rollback": act.rollback.model_dump(mode="json"), "restored": act.restored}
        print_json(
            {"completed": completed, "urls": urls(record), "executions": executions, **undone}
        )
    else:
        stage.sum_up(views, record, completed=completed)
    raise typer.Exit(int(ExitCode.DONE if completed else ExitCode.FAILED))


def _incident() -> dict[str, Any]:
    return {
        "title": "Exercise: the database answers slowly",
        "description": "Part of hv demo: nothing is broken, but everybody acts as if it were.",
        "severity": "high",
        "affected_systems": ["db-1"],
        "required_capabilities": ["diagnosis"],
        "answer_within_s": 60,
        "resolve_within_s": 300,
    }
