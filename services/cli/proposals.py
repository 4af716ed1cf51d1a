"""`hv proposals`: workflows that were found in what people and agents ran."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told

if TYPE_CHECKING:
    from shared.ports.proposals import StoredProposal

PROPOSALS: Final = "/api/v1/proposals"

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Most lines.")]
ProposalId = Annotated[str, typer.Argument(metavar="ID", help="A proposal, see `hv proposals`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group(
        "Workflows found in what was run: list, show, accept, reject.",
        partial(_print_list, {"standing": "open"}),
    )
    group.command("list")(list_found)
    group.command("show")(show)
    group.command("accept")(accept)
    group.command("reject")(reject)
    app.add_typer(group, name="proposals")


@told
def list_found(
    standing: Annotated[
        str | None, typer.Option("--standing", help="Only: open, accepted, rejected.")
    ] = None,
    limit: Limit = 50,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List found workflows, the best first."""
    _print_list({"standing": standing, "limit": limit}, url, key_file, as_json=as_json)


@told
def show(
    proposal: ProposalId,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Its template alone, to edit and accept.")
    ] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one: its steps, what speaks for it, examples, what to look at."""
    from shared.ports.proposals import StoredProposal
    from shared.templates.loader import dump_yaml

    with open_gateway(url, key_file) as gateway:
        found = gateway.get(f"{PROPOSALS}/{quote(proposal, safe='')}", StoredProposal)
    if as_yaml:
        typer.echo(dump_yaml(found.proposal.template), nl=False)
    elif as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for line in _told(found):
            typer.echo(line)


@told
def accept(
    proposal: ProposalId,
    template_id: Annotated[
        str | None, typer.Option("--id", help="The template's id; default: as it is proposed.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="The edited template, YAML or JSON.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Store its template, or an edited one, as a version that can be run."""
    from shared.contracts.api.proposals import AcceptedWorkflow

    if template_id is not None and file is not None:
        raise CliError("give --id, or --file with its own id, not both")
    body: dict[str, object] = {"id": template_id} if template_id else {}
    if file is not None:
        body = {"template": _edited(file)}
    with open_gateway(url, key_file) as gateway:
        path = f"{PROPOSALS}/{quote(proposal, safe='')}/accept"
        done = gateway.post(path, AcceptedWorkflow, body)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    template = done.stored.template
    typer.echo(f"accepted: template {template.id} {template.version}")
    for warning in done.stored.warnings:
        typer.echo(f"  {warning.field}: {warning.message}")
    run = hv(f"run {template.id}")
    typer.echo(f"run it: {run}")


@told
def reject(
    proposal: ProposalId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it is not wanted.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that it is not wanted; what is like it is not proposed again."""
    from shared.ports.proposals import StoredProposal

    with open_gateway(url, key_file) as gateway:
        path = f"{PROPOSALS}/{quote(proposal, safe='')}/reject"
        done = gateway.post(path, StoredProposal, {"reason": reason})
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        typer.echo(f"rejected: {done.proposal.title}")


def _edited(file: Path) -> dict[str, object]:
    from shared.templates.document import TemplateFileError
    from shared.templates.loader import load_file

    try:
        template = load_file(file)
    except TemplateFileError as error:
        raise CliError(f"{file}: {error}") from None
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from None
    return template.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _print_list(
    query: dict[str, object], url: str | None, key_file: KeyFile, *, as_json: bool
) -> None:
    from shared.contracts.api.proposals import FoundWorkflows

    with open_gateway(url, key_file) as gateway:
        page = gateway.get(PROPOSALS, FoundWorkflows, query)
    if as_json:
        print_json(page.model_dump(mode="json"))
    elif not page.items:
        typer.echo("No workflow has been found in what was run.")
    else:
        columns = ("PROPOSAL", "STANDING", "WORKFLOW", "RUNS", "USERS", "SAVES A WEEK")
        rendering.console().print(rendering.table(columns, map(_row, page.items)))


def _row(one: StoredProposal) -> tuple[object, ...]:
    found = one.proposal
    return (
        Text(found.id, style="bold"),
        one.standing,
        rendering.shorten(found.title),
        str(found.support.runs),
        "only you" if found.owner else str(found.support.users),
        f"{found.saving.per_week_s / 60:.0f} min",
    )


def _told(one: StoredProposal) -> list[str]:
    found, support, saving = one.proposal, one.proposal.support, one.proposal.saving
    whose = "your own commands alone" if found.owner else f"what {support.users} users ran"
    assumed = "" if saving.measured else " (assumed: times were not recorded)"
    lines = [
        f"{found.title}  ({one.standing})",
        f"found in {whose}: {support.runs} runs in {support.sessions} sessions",
        f"by chance alone: 10^{support.log10_p:.0f}",
        (
            f"would save {saving.per_run_s:.0f} s a run, {saving.per_week_s / 60:.0f} min a week"
            f"{assumed}"
        ),
        "",
    ]
    for step, line in zip(found.template.steps, found.steps, strict=True):
        after = f"   after {', '.join(step.depends_on)}" if step.depends_on else ""
        lines.append(f"  {step.id:<20} {line}{after}")
    if found.examples:
        lines += ["", "for example:", *(f"  {line}" for line in found.examples[0])]
    if found.review or found.warnings:
        lines += ["", "look at:", *(f"  {line}" for line in (*found.review, *found.warnings))]
    if one.standing == "open":
        lines += ["", f"accept: {hv(f'proposals accept {found.id}')}"]
    elif one.template_id:
        lines += ["", f"template {one.template_id} {one.template_version}"]
    return lines
