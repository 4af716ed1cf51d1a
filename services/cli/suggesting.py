"""`hv suggest`, `hv next` and `hv complete`: what is wanted now, and why."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli import rendering
from services.cli.advice import hv
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, ExitCode, print_json, told

if TYPE_CHECKING:
    from services.cli.client import Gateway
    from shared.contracts.suggestions import SuggestAnswer, Suggestion, WorkflowPart

SUGGEST: Final = "/api/v1/workflows/suggest"
AUTOCOMPLETE: Final = "/api/v1/workflows/autocomplete"
FEEDBACK: Final = "/api/v1/suggestions/feedback"
MOST_TEXT: Final = 20_000
KEY_TIMEOUT_S: Final = 1.5
"""How long a key in the shell waits; then nothing is shown."""

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=20, help="How many.")]
Session = Annotated[str, typer.Option(help="The shell's session, as it is recorded.")]
Here = Annotated[str | None, typer.Option("--cwd", help="Default: where you are.")]
After = Annotated[
    str | None, typer.Option(help="Commands that were just run, one a line; `-` reads them.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(suggest)
    app.command(name="next")(next_command)
    app.command()(complete)


@told
def suggest(
    text: Annotated[
        list[str] | None, typer.Argument(help="An alert, a ticket, what you want; `-` reads it.")
    ] = None,
    limit: Limit = 3,
    session: Session = "",
    cwd: Here = None,
    why: Annotated[bool, typer.Option("--why", help="Every reason, every value.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Run the first workflow, if you agree.")] = (
        False
    ),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree beforehand.")] = False,
    nothing: Annotated[
        bool, typer.Option("--nothing", help="Teach it that this text asks for no workflow.")
    ] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which workflow or command is wanted now, how likely, and why."""
    from shared.contracts.suggestions import SuggestAnswer

    said = _text(text)
    body = {**_here(session, cwd), "context": said, "limit": limit}
    with open_gateway(url, key_file) as gateway:
        answer = gateway.post(SUGGEST, SuggestAnswer, body)
        if as_json:
            print_json(answer.model_dump(mode="json"))
        else:
            _show(answer, why=why)
        if nothing:
            _teach_nothing(gateway, answer, said)
        if run:
            _run(gateway, answer, said, agreed=yes)


@told
def next_command(
    limit: Limit = 5,
    session: Session = "",
    cwd: Here = None,
    after: After = None,
    line: Annotated[
        bool, typer.Option("--line", help="Only the likeliest command, as a line; for keys.")
    ] = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which command comes next."""
    from shared.contracts.suggestions import SuggestAnswer

    body = {**_here(session, cwd), "kinds": ["command"], "limit": 1 if line else limit}
    if line:
        body["recent_commands"] = _quietly(after)
        _print_line(url, key_file, body)
        return
    body["recent_commands"] = _lines(after)
    with open_gateway(url, key_file) as gateway:
        answer = gateway.post(SUGGEST, SuggestAnswer, body)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _show(answer, why=False)


@told
def complete(
    commands: Annotated[
        list[str] | None, typer.Argument(help="Commands that were run, the oldest first.")
    ] = None,
    limit: Limit = 3,
    session: Session = "",
    cwd: Here = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say how a started sequence goes on: which workflow it began, and the rest."""
    from shared.contracts.suggestions import SuggestAnswer

    body = {**_here(session, cwd), "partial_sequence": _masked(commands or []), "limit": limit}
    with open_gateway(url, key_file) as gateway:
        answer = gateway.post(AUTOCOMPLETE, SuggestAnswer, body)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _show(answer, why=False)


def _here(session: str, cwd: str | None) -> dict[str, Any]:
    return {"session": session, "cwd": cwd or str(Path.cwd()), "host": socket.gethostname()[:200]}


def _text(words: list[str] | None) -> str:
    if words == ["-"]:
        return sys.stdin.read(MOST_TEXT)
    return " ".join(words or [])[:MOST_TEXT]


def _lines(after: str | None) -> list[str]:
    """The last commands, without what is secret in them."""
    text = sys.stdin.read(MOST_TEXT) if after == "-" else after or ""
    return _masked(text.splitlines())


def _masked(lines: list[str]) -> list[str]:
    from shared.learning.secret_filter import without_secrets

    return [without_secrets(line.strip()[:4_000]) for line in lines if line.strip()][-20:]


def _quietly(after: str | None) -> list[str]:
    try:
        return _lines(after)
    except ValueError:
        return []


def _print_line(url: str | None, key_file: Path | None, body: dict[str, Any]) -> None:
    """The likeliest command, or nothing: beside a prompt is no place for errors."""
    from services.cli.client import Gateway
    from services.cli.connection import find_connection
    from shared.contracts.suggestions import SuggestAnswer

    try:
        with Gateway(find_connection(url, key_file), timeout_s=KEY_TIMEOUT_S) as gateway:
            answer = gateway.post(SUGGEST, SuggestAnswer, body)
    except CliError:
        raise typer.Exit(int(ExitCode.FAILED)) from None
    for one in answer.suggestions[:1]:
        # What is shown at a prompt can be run with one key: nothing hidden may be in it.
        if one.command.isprintable():
            typer.echo(one.command)


def _show(answer: SuggestAnswer, *, why: bool) -> None:
    from services.cli.suggestion_view import answer_lines

    console = rendering.console()
    for line in answer_lines(answer, why=why):
        console.print(line, soft_wrap=True)


def _first_workflow(answer: SuggestAnswer) -> tuple[Suggestion, WorkflowPart]:
    for one in answer.suggestions:
        if one.workflow is not None:
            return one, one.workflow
    raise CliError("No workflow is suggested; there is nothing to run.")


def _run(gateway: Gateway, answer: SuggestAnswer, text: str, *, agreed: bool) -> None:
    """Run the first workflow with its values, and tell that it was taken."""
    from shared.contracts.api.executions import ExecuteRequest

    one, workflow = _first_workflow(answer)
    if workflow.needs.values:
        names = ", ".join(workflow.needs.values)
        raise CliError(
            f"{workflow.template_id} needs {names}: run it with "
            f"{hv(f'run {workflow.template_id} -p {workflow.needs.values[0]}=…')}"
        )
    given = {p.name: p.value for p in workflow.parameters if p.source != "default"}
    if not agreed and not typer.confirm(f"Run {workflow.template_id}?"):
        raise typer.Exit(int(ExitCode.CANCELLED))
    request = ExecuteRequest(
        template_id=workflow.template_id, version=workflow.version, parameters=given
    )
    accepted = gateway.execute(request)
    _feedback(
        gateway,
        suggestion_id=one.id,
        verdict="accepted",
        suggested=workflow.template_id,
        text=text,
        execution_id=accepted.execution_id,
    )
    typer.echo(f"Accepted: {accepted.execution_id}. {hv(f'watch {accepted.execution_id}')}")


def _teach_nothing(gateway: Gateway, answer: SuggestAnswer, text: str) -> None:
    if not text.strip():
        raise CliError("--nothing is about a text: give one.")
    first = next((one for one in answer.suggestions if one.workflow is not None), None)
    _feedback(
        gateway,
        suggestion_id=first.id if first is not None else "sgt_none",
        verdict="dismissed",
        suggested=first.workflow.template_id if first and first.workflow else "none",
        text=text,
        nothing_fits=True,
    )
    typer.echo("Learned: this text asks for no workflow.", err=True)


def _feedback(gateway: Gateway, **said: Any) -> None:
    from shared.contracts.suggestions import FeedbackTaken

    text = str(said.pop("text", ""))[:4_000]
    gateway.post(FEEDBACK, FeedbackTaken, {**said, "text": text})
