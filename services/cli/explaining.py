"""`hv why`, `replay` and `provenance`: why an execution is as it is, how it was, and by whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.executions import OUTPUT_LIMIT, described
from services.cli.explanation_view import explained
from services.cli.options import AsJson, ExecutionId, KeyFile, Url, open_gateway
from services.cli.outcome import print_json, told

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.contracts.api.replay import ProvenanceView, ReplayView
    from shared.workflow.provenance import Deed
    from shared.workflow.replay import Divergence

EXECUTIONS = "/api/v1/workflows/executions"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(why)
    app.command()(replay)
    app.command("provenance")(provenance)


@told
def why(
    execution: ExecutionId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Say why an execution waits, fails or is stuck, and what to type."""
    from shared.contracts.api.explain import ExplanationView

    path = f"{EXECUTIONS}/{quote(execution, safe='')}/explain"
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(path, ExplanationView)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    console = rendering.console()
    for line in explained(found):
        console.print(line, soft_wrap=True)


@told
def replay(
    execution: ExecutionId,
    at: Annotated[
        int | None, typer.Option("--at", min=1, help="After this event; default: the last.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show an execution as it was, and where the code decides otherwise now."""
    from shared.contracts.api.replay import ReplayView

    path = f"{EXECUTIONS}/{quote(execution, safe='')}/replay"
    with open_gateway(url, key_file) as gateway:
        view = gateway.get(path, ReplayView, {"at": at})
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    console = rendering.console()
    for part in _replayed(view):
        console.print(part, soft_wrap=isinstance(part, Text))


@told
def provenance(
    execution: ExecutionId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Say who suggested, started, approved and changed an execution."""
    from shared.contracts.api.replay import ProvenanceView

    path = f"{EXECUTIONS}/{quote(execution, safe='')}/provenance"
    with open_gateway(url, key_file) as gateway:
        view = gateway.get(path, ProvenanceView)
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    _print_provenance(view)


def _replayed(view: ReplayView) -> list[RenderableType]:
    event = view.event
    moment = rendering.moment(event.at_ms)
    head = f"after event {event.number} of {view.events}: {event.type}, {moment} (seq {event.seq})"
    parts: list[RenderableType] = [Text(head, style="bold")]
    parts += described(view.state, OUTPUT_LIMIT)[:-1]
    if view.unchecked:
        parts.append(Text(f"\nnot compared with the code: {view.unchecked}", style="yellow"))
    elif view.divergence is None:
        parts.append(Text("\nThis version of the code decides all of its history the same."))
    else:
        parts += [Text(line, style="red") for line in _told(view.divergence)]
    return parts


def _told(found: Divergence) -> list[str]:
    where = f"\nThe code decides otherwise from event {found.event} on (seq {found.seq}, "
    lines = [f"{where}{found.message}):"]
    if found.error:
        return [*lines, f"  it cannot be decided: {found.error}"]
    lines.append(f"  recorded {_kind(found.recorded)}, decided {_kind(found.decided)}")
    for one in found.differences:
        lines.append(f"  {one.field}: recorded {_json(one.recorded)}, decided {_json(one.decided)}")
    return lines


def _kind(event: dict[str, Any] | None) -> str:
    return str(event["type"]) if event is not None else "nothing more"


def _json(value: Any) -> str:
    return rendering.shorten(json.dumps(value, ensure_ascii=False))


def _print_provenance(view: ProvenanceView) -> None:
    columns = ("WHEN", "", "BY", "WHAT", "STEP", "DETAIL")
    console = rendering.console()
    console.print(rendering.table(columns, map(_row, view.deeds)))
    if view.audit:
        console.print(Text("\nCalls of the API", style="bold"))
        rows = (
            (
                rendering.moment(event.at_ms),
                event.data.get("name", ""),
                event.type.partition(".")[2],
                event.data.get("result", ""),
            )
            for event in view.audit
        )
        console.print(rendering.table(("WHEN", "KEY", "CALL", "RESULT"), rows))


def _row(deed: Deed) -> tuple[object, ...]:
    what = deed.what if deed.counted else f"{deed.what} (did not count)"
    step, detail = deed.step, deed.detail
    if deed.parent is not None:
        step, detail = deed.parent.step, f"called by {deed.parent.execution_id}"
    elif deed.cause is not None:
        detail = f"{deed.cause.kind} {deed.cause.source}".strip()
    who = f"{deed.by.kind} {deed.by.id}"
    return rendering.moment(deed.at_ms), deed.role, who, what, step, rendering.shorten(detail)
