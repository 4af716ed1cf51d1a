"""`hv signal`, `add-instances` and `cancel-region`: change the course of an execution that runs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from services.cli.executions import Why, ask
from services.cli.options import AsJson, ExecutionId, KeyFile, Url
from services.cli.outcome import CliError, told

Data = Annotated[str, typer.Option("--data", "-d", help="What the signal brings: a JSON object.")]
Once = Annotated[
    str | None, typer.Option("--id", help="The same id again is the same signal, once.")
]
Items = Annotated[str, typer.Argument(help="More items: a JSON list.")]
Count = Annotated[int, typer.Option("--after", help="How many instances the loop has now.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("signal")(signal)
    app.command("add-instances")(add_instances)
    app.command("cancel-region")(cancel_region)


@told
def signal(
    execution: ExecutionId,
    name: Annotated[str, typer.Argument(help="The signal's name, as `wait_for` has it.")],
    data: Data = "{}",
    once: Once = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell an execution that something happened which it waits for, or will."""
    body: dict[str, Any] = {"data": json_option(data, "--data", dict)}
    if once is not None:
        body["id"] = once
    ask(execution, f"signals/{name}", body, url, key_file, as_json=as_json)


@told
def add_instances(
    execution: ExecutionId,
    step: Annotated[str, typer.Argument(help="A step with `foreach` that runs.")],
    items: Items,
    after: Count,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a loop that runs more items."""
    body = {"items": json_option(items, "ITEMS", list), "after": after}
    ask(execution, f"steps/{step}/instances", body, url, key_file, as_json=as_json)


@told
def cancel_region(
    execution: ExecutionId,
    region: Annotated[str, typer.Argument(help="A region of the execution's template.")],
    reason: Why = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Cancel the open steps of a region; the execution goes on."""
    ask(execution, f"regions/{region}/cancel", {"reason": reason}, url, key_file, as_json=as_json)


def json_option(text: str, what: str, kind: type[Any]) -> Any:
    """What an option holds as JSON, an object or a list. Raises `CliError`."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CliError(f"{what} is not JSON: {error}. Quote it for the shell.") from None
    if not isinstance(value, kind):
        wanted = """an object, such as '{"ok": true}'""" if kind is dict else "a list: [1]"
        raise CliError(f"{what} must be {wanted}.")
    return value
