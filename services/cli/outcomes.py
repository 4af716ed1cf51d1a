"""`hv predict`, `failures`, `tuning`, `insights`: what is learned of runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import typer
from rich.console import RenderableType
from rich.text import Text

from services.cli import rendering
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import print_json, told
from services.cli.outcome_view import failure_text, matched_text, prediction_text, proposal_text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from shared.outcomes.views import InsightView, ProposalView, SignatureView

API: Final = "/api/v1"

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Most lines.")]
FailureId = Annotated[str, typer.Argument(metavar="ID", help="A failure, see `hv failures`.")]
ProposalId = Annotated[str, typer.Argument(metavar="ID", help="A proposal, see `hv tuning`.")]
OfStatus = Annotated[
    str | None,
    typer.Option("--status", help="Only: open, applied, kept, reverted, dismissed."),
]
OfKind = Annotated[
    str | None,
    typer.Option("--kind", help="Only: success_pattern, failure_warning, tuning or new_workflow."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(predict)
    failures = listing_group("Failures as they are known, and what resolved them.", _print_failures)
    failures.command("list")(list_failures)
    failures.command("show")(show_failure)
    failures.command("match")(match)
    app.add_typer(failures, name="failures")
    tuning = listing_group(
        "Changes that runs suggest: list, apply, revert, dismiss.", partial(_print_proposals, {})
    )
    tuning.command("list")(list_proposals)
    tuning.command("show")(show_proposal)
    tuning.command("apply")(apply)
    tuning.command("dismiss")(dismiss)
    tuning.command("revert")(revert)
    app.add_typer(tuning, name="tuning")
    app.command()(insights)


@told
def predict(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="A template's id.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; repeat."),
    ] = None,
    agent: Annotated[str, typer.Option("--agent", help="Where it is to run.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say how likely a run is to succeed, how long it takes, and why."""
    from shared.outcomes.predicting import Prediction

    query: dict[str, object] = {"parameter": parameter or None, "agent": agent or None}
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(f"{API}/predictions/{quote(template, safe='')}", Prediction, query)
    _print_one(found, prediction_text(found), as_json=as_json)


@told
def list_failures(
    limit: Limit = 50, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """List known failures, those that occurred last first."""
    _print_failures(url, key_file, as_json=as_json, limit=limit)


@told
def show_failure(
    failure: FailureId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show one: where and when it occurs, and what resolved it."""
    from shared.outcomes.views import SignatureView

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(f"{API}/failures/{quote(failure, safe='')}", SignatureView)
    _print_one(found, failure_text(found), as_json=as_json)


@told
def match(
    message: Annotated[str, typer.Argument(help="An error message.")],
    code: Annotated[str, typer.Option("--code", help="The failure's code, if it is known.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Find the known failure that a message is an example of."""
    from shared.contracts.api.outcomes import Matched

    body: dict[str, object] = {"message": message, "code": code}
    with open_gateway(url, key_file) as gateway:
        found = gateway.post(f"{API}/failures/match", Matched, body)
    _print_one(found, matched_text(found), as_json=as_json)


@told
def list_proposals(
    status: OfStatus = None,
    limit: Limit = 50,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List changes that runs suggest, and what became of them."""
    query: dict[str, object] = {"status": status, "limit": limit}
    _print_proposals(query, url, key_file, as_json=as_json)


@told
def show_proposal(
    proposal: ProposalId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show one: the expected gain, what it rests on, how its trial stands."""
    from shared.outcomes.views import ProposalView

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(f"{API}/tuning/{quote(proposal, safe='')}", ProposalView)
    _print_proposal(found, as_json=as_json)


@told
def apply(
    proposal: ProposalId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Make it the next version of its template, and try it."""
    from shared.outcomes.views import ProposalView

    with open_gateway(url, key_file) as gateway:
        done = gateway.post(f"{API}/tuning/{quote(proposal, safe='')}/apply", ProposalView, {})
    _print_proposal(done, as_json=as_json)


@told
def revert(
    proposal: ProposalId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it is taken back.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back what was applied, and pin the setting as it was."""
    from shared.outcomes.views import ProposalView

    path = f"{API}/tuning/{quote(proposal, safe='')}/revert"
    with open_gateway(url, key_file) as gateway:
        done = gateway.post(path, ProposalView, {"reason": reason})
    _print_proposal(done, as_json=as_json)


@told
def dismiss(
    proposal: ProposalId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it is not wanted.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that it is not wanted; it is not proposed again for this version."""
    from shared.outcomes.views import ProposalView

    path = f"{API}/tuning/{quote(proposal, safe='')}/dismiss"
    with open_gateway(url, key_file) as gateway:
        done = gateway.post(path, ProposalView, {"reason": reason})
    _print_proposal(done, as_json=as_json)


@told
def insights(
    kind: OfKind = None,
    limit: Limit = 20,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List what was learned lately."""
    from shared.contracts.api.outcomes import InsightPage

    with open_gateway(url, key_file) as gateway:
        page = gateway.get(f"{API}/insights", InsightPage, {"kind": kind, "limit": limit})
    _print_page(
        page,
        page.items,
        ("SINCE", "KIND", "SURE", "INSIGHT"),
        [_insight_row(one) for one in page.items],
        "Nothing has been learned that is worth telling yet.",
        as_json=as_json,
    )


def _print_failures(url: str | None, key_file: KeyFile, *, as_json: bool, limit: int = 50) -> None:
    from shared.contracts.api.outcomes import FailurePage

    with open_gateway(url, key_file) as gateway:
        page = gateway.get(f"{API}/failures", FailurePage, {"limit": limit})
    _print_page(
        page,
        page.items,
        ("FAILURE", "TIMES", "LAST", "CODE", "PATTERN", "RESOLVED BY"),
        [_failure_row(one) for one in page.items],
        "No failure is known yet.",
        as_json=as_json,
    )


def _print_proposals(
    query: dict[str, object], url: str | None, key_file: KeyFile, *, as_json: bool
) -> None:
    from shared.contracts.api.outcomes import ProposalPage

    with open_gateway(url, key_file) as gateway:
        page = gateway.get(f"{API}/tuning", ProposalPage, query)
    _print_page(
        page,
        page.items,
        ("PROPOSAL", "STATUS", "NOW", "PROPOSED", "WHY"),
        [_proposal_row(one) for one in page.items],
        "Nothing is proposed: runs suggest no change yet.",
        as_json=as_json,
    )


def _print_one(found: BaseModel, lines: Iterable[RenderableType], *, as_json: bool) -> None:
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    for line in lines:
        rendering.console().print(line)


def _print_page(
    page: BaseModel,
    items: tuple[object, ...],
    columns: tuple[str, ...],
    rows: list[tuple[object, ...]],
    nothing: str,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(page.model_dump(mode="json"))
    elif not items:
        typer.echo(nothing)
    else:
        rendering.console().print(rendering.table(columns, rows))


def _print_proposal(found: ProposalView, *, as_json: bool) -> None:
    _print_one(found, proposal_text(found), as_json=as_json)


def _failure_row(one: SignatureView) -> tuple[object, ...]:
    from shared.outcomes.matching import what_helped

    helped = what_helped(one)
    return (
        Text(one.id, style="bold"),
        str(one.count),
        rendering.short_moment(one.last_ms, now_ms()),
        one.code,
        rendering.shorten(one.pattern),
        helped[0] if helped else "",
    )


def _proposal_row(one: ProposalView) -> tuple[object, ...]:
    return (
        Text(one.id, style="bold"),
        one.status,
        str(one.current),
        str(one.proposed),
        rendering.shorten(one.why),
    )


def _insight_row(one: InsightView) -> tuple[object, ...]:
    return (
        rendering.short_moment(one.at_ms, now_ms()),
        one.insight.replace("_", " "),
        f"{one.confidence:.0%}",
        rendering.shorten(one.title),
    )
