"""`hv learning`: what is learned, from what, and how far."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli import rendering
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import print_json, told

if TYPE_CHECKING:
    from pathlib import Path

    from services.cli.client import Gateway
    from shared.contracts.learning import LearningStatus, ModelStatus

PATH: Final = "/api/v1/learning"
LOOK_EVERY_S: Final = 1.0

Model = Annotated[str, typer.Argument(metavar="[MODEL]", help="Which one; without it all.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is done.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group("How models stand, rebuild them, catch up on runs.", _print_status)
    group.command()(status)
    group.command()(rebuild)
    group.command()(backfill)
    app.add_typer(group, name="learning")


@told
def status(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Tell what is kept, how far each model is, and what its snapshot is."""
    _print_status(url, key_file, as_json=as_json)


@told
def rebuild(
    model: Model = "",
    no_wait: NoWait = False,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Build a model, or all, from what is kept; wait until that is done."""
    from shared.contracts.learning import LearningStatus

    with open_gateway(url, key_file) as gateway:
        now = gateway.post(f"{PATH}/rebuild", LearningStatus, {"model": model})
        if not no_wait:
            now = _wait(gateway, lambda found: _far(found, model), as_json=as_json)
    _tell(now, as_json=as_json)


@told
def backfill(
    no_wait: NoWait = False, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Add the runs of executions that ended unseen; wait until that is done."""
    from shared.contracts.learning import LearningStatus

    with open_gateway(url, key_file) as gateway:
        now = gateway.post(f"{PATH}/backfill", LearningStatus, {})
        if not no_wait:
            now = _wait(gateway, _looked, as_json=as_json)
    _tell(now, as_json=as_json)


def _print_status(url: str | None, key_file: Path | None, *, as_json: bool) -> None:
    from shared.contracts.learning import LearningStatus

    with open_gateway(url, key_file) as gateway:
        _tell(gateway.get(PATH, LearningStatus), as_json=as_json)


def _wait(
    gateway: Gateway, far: Callable[[LearningStatus], str], *, as_json: bool
) -> LearningStatus:
    """Look until nothing is left to tell; tell how far it is where that changes."""
    from shared.contracts.learning import LearningStatus

    said = ""
    while line := far(now := gateway.get(PATH, LearningStatus)):
        if line != said and not as_json:
            typer.echo(line)
        said = line
        time.sleep(LOOK_EVERY_S)
    return now


def _far(now: LearningStatus, model: str) -> str:
    """How far rebuilds are; empty when they are done."""
    under_way = [one for one in now.models if one.rebuilding and model in {"", one.name}]
    return ", ".join(f"{one.name}: {_share(one)}" for one in under_way)


def _share(model: ModelStatus) -> str:
    whole = model.items + model.behind
    return f"{model.items:,} of {whole:,}"


def _looked(now: LearningStatus) -> str:
    """How far a backfill is; empty when it is done."""
    done = now.backfill
    if not done.running:
        return ""
    return f"looked at {done.looked_at:,} of {done.of:,} executions, added {done.runs:,}"


def _tell(now: LearningStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(now.model_dump(mode="json"))
        return
    typer.echo(f"{now.kept:,} items are kept; {now.owner} works on them ({now.busy_s:g} s so far).")
    columns = ("model", "items", "behind", "skipped", "snapshot", "state")
    rows = (
        (
            f"{one.name} {one.version}",
            f"{one.items:,}",
            f"{one.behind:,}",
            f"{one.skipped:,}",
            _snapshot(one),
            f"rebuilding ({one.rebuilding})" if one.rebuilding else "up to date",
        )
        for one in now.models
    )
    rendering.console().print(rendering.table(columns, rows))
    for one in now.models:
        if one.missing:
            typer.echo(
                f"{one.name} {one.version} lacks {one.missing:,} items that went by age: "
                "no snapshot was left from which it could begin."
            )
    done = now.backfill
    if done.looked_at or done.error:
        typer.echo(
            f"Last backfill: looked at {done.looked_at:,} executions, added {done.runs:,} runs "
            f"({done.items:,} items), failed at {done.failed:,}."
        )
    if done.error:
        typer.echo(f"It ended early: {done.error}. Do it again: it goes on where it was.")


def _snapshot(model: ModelStatus) -> str:
    if not model.snapshot_at_ms:
        return "none yet"
    age = rendering.duration(now_ms() - model.snapshot_at_ms)
    return f"{model.snapshot_bytes / 1_000_000:.1f} MB, {age} old"
