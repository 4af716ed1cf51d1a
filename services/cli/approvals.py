"""`hv approvals`, `approve`, `reject`: what waits for people, and what they answer."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.approval_view import described
from services.cli.client import Gateway
from services.cli.faces import now_ms
from services.cli.options import AsJson, KeyFile, Quiet, Url, WaitingId, open_gateway
from services.cli.outcome import CliError, print_ids, print_json, told
from services.cli.values import parameters_of
from shared.contracts.api.approvals import ApprovalView
from shared.contracts.api.executions import RequestAccepted

REQUESTED = "requested"
WANTED_HASH = "--hash"

Comment = Annotated[str, typer.Option("--comment", "-c", help="It stands in the history.")]
Gate = Annotated[
    str | None, typer.Option("--gate", "-g", help="Which gate; needed where several are open.")
]
Hash = Annotated[
    str | None,
    typer.Option(WANTED_HASH, help="The subject_hash that is answered; another is refused."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="List what waits for approval; show one; hand over your vote.")
    group.callback(invoke_without_command=True)(approvals)
    group.command()(show)
    group.command()(delegate)
    app.add_typer(group, name="approvals")
    app.command()(approve)
    app.command()(reject)


@told
def approvals(
    context: typer.Context,
    everybody: Annotated[
        bool, typer.Option("--all", "-a", help="Also what others must answer.")
    ] = False,
    quiet: Quiet = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for approval; show one; hand over your vote. Alone: what waits for you."""
    if context.invoked_subcommand is not None:
        return
    with open_gateway(url, key_file) as gateway:
        found = list(gateway.inbox(everybody=everybody))
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif quiet:
        print_ids(one.execution_id for one in found)
    elif not found:
        typer.echo("Nothing waits for approval." if everybody else "Nothing waits for you.")
    else:
        columns = ("EXECUTION", "GATE", "TEMPLATE", "ASKED", "APPROVED", "WHY NOT YOU")
        rendering.console().print(rendering.table(columns, map(_row, found)))
        typer.echo(f"\n{hv('approvals show ID')} shows what would run.")


@told
def show(
    execution: WaitingId,
    gate: Gate = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the gates of an execution: exactly what would run, and who answered what."""
    with open_gateway(url, key_file) as gateway:
        found = [one for one in gateway.approvals(execution) if gate in (None, one.gate)]
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif not found:
        typer.echo(f"Execution {execution} asks for no approval{f' at {gate}' if gate else ''}.")
    for one in found if not as_json else ():
        _print(one)


@told
def delegate(
    execution: WaitingId,
    to: Annotated[
        str, typer.Option("--to", help="Whose key shall answer; your own: take it back.")
    ],
    gate: Gate = None,
    comment: Comment = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Hand your vote to somebody else; both names stand in the history."""
    body: dict[str, Any] = {"to": to, "gate": gate, "comment": comment}
    with open_gateway(url, key_file) as gateway:
        answer = gateway.ask_execution(execution, "approvals/delegate", body)
    _tell(answer, as_json=as_json)


@told
def approve(
    execution: WaitingId,
    gate: Gate = None,
    subject_hash: Hash = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="What the form asks for, name=value; repeatable."),
    ] = None,
    comment: Comment = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; goes with --hash.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve what a gate asks about: it is shown first, and its hash goes with the answer."""
    with open_gateway(url, key_file) as gateway:
        asked = _open_gate(gateway, execution, gate, subject_hash)
        body: dict[str, Any] = {"gate": gate, "subject_hash": subject_hash, "comment": comment}
        if asked is not None:
            _check(asked, subject_hash)
            interactive = sys.stdin.isatty() and not as_json
            if not yes:
                _print(asked, stderr=True)
            _consent(asked, yes=yes, named=subject_hash is not None, interactive=interactive)
            body |= {"gate": asked.gate, "subject_hash": asked.subject_hash or None}
            body["input"] = parameters_of(given or (), asked.form)
        answer = gateway.ask_execution(execution, "approve", body)
    _tell(answer, as_json=as_json)


@told
def reject(
    execution: WaitingId,
    gate: Gate = None,
    subject_hash: Hash = None,
    comment: Comment = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Reject what a gate asks about: the workflow ends, or the step fails."""
    body: dict[str, Any] = {"gate": gate, "subject_hash": subject_hash, "comment": comment}
    with open_gateway(url, key_file) as gateway:
        answer = gateway.ask_execution(execution, "reject", body)
    _tell(answer, as_json=as_json)


def _open_gate(
    gateway: Gateway, execution: str, name: str | None, subject_hash: str | None
) -> ApprovalView | None:
    """The gate that is meant; `None` where the gateway must say why there is none."""
    found = [one for one in gateway.approvals(execution) if one.status == REQUESTED]
    if name is not None:
        found = [one for one in found if one.gate == name]
    if len(found) > 1 and subject_hash is not None:
        found = [one for one in found if one.subject_hash == subject_hash]
    if len(found) > 1:
        names = ", ".join(one.gate for one in found)
        raise CliError(f"Several gates are open; name one with --gate: {names}.")
    return found[0] if found else None


def _check(asked: ApprovalView, subject_hash: str | None) -> None:
    """What is shown must be what the hash stands for; nobody approves anything else."""
    subject = asked.subject
    if subject is None and asked.hash_required:
        raise CliError(f"What would run cannot be shown: {asked.subject_problem}.")
    if subject is not None and subject.digest != asked.subject_hash:
        raise CliError("What the gateway shows is not what its hash stands for. Approve nothing.")
    if subject_hash is not None and subject_hash != asked.subject_hash:
        raise CliError(
            f"--hash is {subject_hash[:12]}…, but gate {asked.gate} asks about "
            f"{asked.subject_hash[:12]}… now: what would run has changed. "
            f"{hv('approvals show')} {asked.execution_id} shows it."
        )


def _consent(asked: ApprovalView, *, yes: bool, named: bool, interactive: bool) -> None:
    """Ask on a terminal. Without one the hash must be named: a script approves what somebody saw.

    The simple form, where nothing can have changed, goes on without.
    """
    if interactive and not yes:
        if not typer.confirm("Approve exactly this?", err=True):
            raise CliError("Nothing was approved.")
    elif asked.hash_required and not (yes and named):
        raise CliError(
            f"Without a question answered, name what you approve: --yes {WANTED_HASH} "
            f"{asked.subject_hash}"
        )


def _row(one: ApprovalView) -> tuple[object, ...]:
    return (
        Text(one.execution_id, style="bold"),
        one.gate,
        one.template_id,
        rendering.short_moment(one.requested_at_ms, now_ms()),
        f"{len(one.votes)} of {one.quorum}",
        one.why_not,
    )


def _print(one: ApprovalView, *, stderr: bool = False) -> None:
    console = rendering.console(stderr=stderr)
    for part in described(one):
        console.print(part, soft_wrap=True)


def _tell(answer: RequestAccepted, *, as_json: bool) -> None:
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    execution = answer.execution_id
    typer.echo(f"Accepted: {answer.request} {execution} (it was {answer.status_before}).")
    typer.echo(f"  follow it   {hv('watch')} {execution}")
