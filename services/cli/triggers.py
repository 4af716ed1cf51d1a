"""`hv triggers`: what happens elsewhere and here, and which workflows it starts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, get_args
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.faces import now_ms
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told
from services.cli.values import checked_definition, read_parameters
from shared.automation.specs import RuleSpec
from shared.automation.states import Handled
from shared.contracts.api.collective import Removed
from shared.contracts.api.triggers import RuleList, RuleTestResult, RuleView, Verdict
from shared.contracts.receivers import (
    IssuedReceiver,
    Proof,
    ReceiverKind,
    ReceiverList,
    ReceiverView,
)

RULES: Final = "/api/v1/triggers/rules"
RECEIVERS: Final = "/api/v1/triggers/receivers"

RuleId = Annotated[str, typer.Argument(metavar="ID", help="A rule, see `hv triggers`.")]
ReceiverId = Annotated[
    str, typer.Argument(metavar="ID", help="A receiver, see `hv triggers receivers`.")
]
RuleFile = Annotated[Path, typer.Argument(metavar="FILE", help="A rule as YAML or JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Start workflows by alerts, webhooks, CloudEvents and our own events.")
    group.callback(invoke_without_command=True)(_list_by_default)
    group.command("list")(list_rules)
    group.command()(show)
    group.command()(create)
    group.command()(update)
    group.command("test")(try_out)
    group.command()(pause)
    group.command()(resume)
    group.command()(delete)
    group.command()(receivers)
    group.command("add-receiver")(add_receiver)
    group.command("rotate-secret")(rotate_secret)
    group.command("remove-receiver")(remove_receiver)
    app.add_typer(group, name="triggers")


@told
def _list_by_default(
    context: typer.Context, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Start workflows by alerts, webhooks, CloudEvents and our own events. Alone: the rules."""
    if context.invoked_subcommand is None:
        _print_rules(url, key_file, as_json=as_json)


@told
def list_rules(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List the rules, and what became of their events."""
    _print_rules(url, key_file, as_json=as_json)


@told
def show(rule: RuleId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Show a rule: what it counted, and what became of the last hundred events."""
    with open_gateway(url, key_file) as gateway:
        _print(gateway.get(_rule(rule), RuleView), "", as_json=as_json)


@told
def create(
    file: RuleFile, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Make a rule from a file. Try it out before: `hv triggers test --file FILE`."""
    body = _read_rule(file)
    with open_gateway(url, key_file) as gateway:
        made = gateway.post(RULES, RuleView, body)
    _print(made, f"Made {made.id}.", as_json=as_json)


@told
def update(
    rule: RuleId,
    file: RuleFile,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a rule anew. What it counted stays; what waits is ignored."""
    body = _read_rule(file)
    with open_gateway(url, key_file) as gateway:
        there = gateway.get(_rule(rule), RuleView)
        query = {"if_edition": there.edition}
        changed = gateway.put(_rule(rule), RuleView, body, query=query)
    _print(changed, f"Changed {changed.id}.", as_json=as_json)


@told
def try_out(
    rule: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A rule that is there.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A rule as YAML or JSON, not stored.")] = None,
    event: Annotated[
        Path | None, typer.Option(help="A JSON file with `type`, `key` and `data`.")
    ] = None,
    payload: Annotated[
        Path | None, typer.Option(help="A JSON file as the receiver would be sent.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a rule would make of an event. Nothing is started or kept."""
    body: dict[str, Any] = {}
    if file is not None:
        body["definition"] = _read_rule(file)
    if event is not None:
        body["event"] = _read_json(event)
    if payload is not None:
        body["payload"] = _read_json(payload)
    path = f"{RULES}/test" if rule is None else _rule(rule, "test")
    with open_gateway(url, key_file) as gateway:
        result = gateway.post(path, RuleTestResult, body)
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    columns = ("EVENT", "OUTCOME", "TEMPLATE", "PARAMETERS", "")
    rendering.console().print(rendering.table(columns, map(_verdict_row, result.verdicts)))


@told
def pause(
    rule: RuleId,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Count events and start nothing until it is resumed."""
    with open_gateway(url, key_file) as gateway:
        paused = gateway.post(_rule(rule, "pause"), RuleView, {"reason": reason})
    _print(paused, f"Paused {paused.id}.", as_json=as_json)


@told
def resume(
    rule: RuleId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Go on with what comes from now on."""
    with open_gateway(url, key_file) as gateway:
        resumed = gateway.post(_rule(rule, "resume"), RuleView, {})
    _print(resumed, f"Resumed {resumed.id}.", as_json=as_json)


@told
def delete(
    rule: RuleId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Never start anything again by this rule; what runs goes on."""
    with open_gateway(url, key_file) as gateway:
        _print_removed(gateway.delete(_rule(rule), Removed), as_json=as_json)


@told
def receivers(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List the addresses that others send to."""
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(RECEIVERS, ReceiverList).items
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        columns = ("RECEIVER", "NAME", "KIND", "PROOF", "PATH", "RULES")
        rendering.console().print(rendering.table(columns, map(_receiver_row, found)))
    else:
        typer.echo(f"There are none. `{hv('triggers add-receiver NAME --kind KIND')}` makes one.")


@told
def add_receiver(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    kind: Annotated[ReceiverKind, typer.Option(help=", ".join(get_args(ReceiverKind)))],
    proof: Annotated[Proof | None, typer.Option(help=", ".join(get_args(Proof)))] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an address to send to. Shows the secret, this once."""
    body = {"name": name, "kind": kind, "proof": proof}
    with open_gateway(url, key_file) as gateway:
        _print_issued(gateway.post(RECEIVERS, IssuedReceiver, body), as_json=as_json)


@told
def rotate_secret(
    receiver: ReceiverId,
    overlap: Annotated[
        float, typer.Option(min=0, help="Seconds for which the old one is taken, too.")
    ] = 3_600,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a receiver a new secret, shown this once."""
    path = f"{RECEIVERS}/{quote(receiver, safe='')}/rotate-secret"
    with open_gateway(url, key_file) as gateway:
        issued = gateway.post(path, IssuedReceiver, {"overlap_s": overlap})
    _print_issued(issued, as_json=as_json)


@told
def remove_receiver(
    receiver: ReceiverId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Take nothing more at an address; its rules must go first."""
    with open_gateway(url, key_file) as gateway:
        removed = gateway.delete(f"{RECEIVERS}/{quote(receiver, safe='')}", Removed)
    _print_removed(removed, as_json=as_json)


def _rule(*names: str) -> str:
    return "/".join([RULES, *(quote(name, safe="") for name in names)])


def _read_rule(file: Path) -> dict[str, Any]:
    see = "see docs/how-to/triggers.md"
    return checked_definition(RuleSpec, read_parameters(file), "rule", see)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CliError(f"{path} cannot be read as JSON: {error}.") from None


def _print_rules(url: str | None, key_file: KeyFile, *, as_json: bool) -> None:
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(RULES, RuleList).items
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        typer.echo(f"There are no rules. `{hv('triggers create FILE')}` makes one.")
        return
    columns = ("RULE", "NAME", "STATUS", "RECEIVER", "RUNS", "RECEIVED", "STARTED", "LAST")
    rendering.console().print(rendering.table(columns, map(_row, found)))


def _row(one: RuleView) -> tuple[object, ...]:
    last = one.recent[0] if one.recent else None
    return (
        Text(one.id, style="bold"),
        one.definition.name,
        rendering.status_text(one.status),
        one.definition.receiver,
        one.definition.template_id,
        one.counts.get("received", 0),
        one.counts.get("started", 0),
        f"{last.outcome} {rendering.short_moment(last.at_ms, now_ms())}" if last else "",
    )


def _print(one: RuleView, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(one.model_dump(mode="json"))
        return
    if said:
        typer.echo(said)
    if one.pending:
        typer.echo("  No coordinator runs now; it takes effect when one does.", err=True)
    spec = one.definition
    typer.echo(f"{one.id}  {spec.name}  {one.status}  {one.reason}".rstrip())
    typer.echo(f"  on          {', '.join(spec.events)} of {spec.receiver}, when {spec.when}")
    typer.echo(f"  runs        {spec.template_id}@{spec.template_version}")
    if one.counts:
        counts = ", ".join(f"{name} {count}" for name, count in one.counts.items())
        typer.echo(f"  so far      {counts}")
    if one.waiting:
        typer.echo(f"  waiting     {one.waiting}")
    if one.recent:
        columns = ("EVENT", "KEY", "AT", "OUTCOME", "EXECUTION", "END", "")
        rendering.console().print(rendering.table(columns, _rows(one.recent)))


def _rows(recent: Iterable[Handled]) -> Iterable[tuple[object, ...]]:
    for one in recent:
        yield (
            one.event_type,
            rendering.shorten(one.key),
            rendering.short_moment(one.at_ms, now_ms()),
            one.outcome if one.count == 1 else f"{one.outcome} ×{one.count}",
            one.execution_id,
            one.ended,
            rendering.shorten(one.reason),
        )


def _verdict_row(one: Verdict) -> tuple[object, ...]:
    return (
        f"{one.event.get('type', '')} {one.event.get('key', '')}",
        one.outcome,
        f"{one.template_id}@{one.template_version}" if one.template_id else "",
        rendering.shorten(json.dumps(one.parameters)) if one.parameters else "",
        rendering.shorten(one.reason),
    )


def _receiver_row(one: ReceiverView) -> tuple[object, ...]:
    receiver = one.receiver
    return (
        Text(receiver.id, style="bold"),
        receiver.name,
        receiver.kind,
        receiver.proven_by,
        one.path,
        ", ".join(one.rules),
    )


def _print_issued(issued: IssuedReceiver, *, as_json: bool) -> None:
    """A secret that is shown this once."""
    if as_json:
        print_json(issued.model_dump(mode="json"))
        return
    typer.echo(f"{issued.receiver.id}  {issued.receiver.name}")
    typer.echo(f"  send to     {issued.path}")
    typer.echo(f"  secret      {issued.secret}")
    typer.echo(f"              It is not shown again. Proof: {issued.receiver.proven_by}.")


def _print_removed(removed: Removed, *, as_json: bool) -> None:
    if as_json:
        print_json(removed.model_dump(mode="json"))
    else:
        typer.echo(f"Removed {removed.id}.")
