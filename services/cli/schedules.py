"""`hv schedules`: what runs at times, when it runs next, and what became of the last times."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.client import Gateway
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, TemplateId, Url, open_gateway
from services.cli.outcome import print_json, told
from services.cli.values import checked_definition, parameters_of, read_parameters
from shared.automation.specs import Missed, Overlap, ScheduleSpec
from shared.automation.states import Firing
from shared.contracts.api.collective import Removed
from shared.contracts.api.schedules import Moment, Preview, ScheduleList, ScheduleView

PATH: Final = "/api/v1/schedules"

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="A schedule, see `hv schedules`.")]
Cron = Annotated[
    str | None, typer.Option(help="`minute hour day month weekday`, or six with seconds first.")
]
Every = Annotated[int | None, typer.Option(min=1, help="Seconds between two runs.")]
At = Annotated[str | None, typer.Option(help="Once, then: ISO 8601, such as 2026-12-24T18:00.")]
Zone = Annotated[str | None, typer.Option("--timezone", help="IANA name; default: UTC.")]
Jitter = Annotated[int | None, typer.Option(min=0, help="Start up to so many seconds later.")]
Version = Annotated[str | None, typer.Option("--version", help="Of the template; default: latest.")]
Pairs = Annotated[list[str] | None, typer.Option("-p", help="A parameter: name=value; repeatable.")]
MissedRuns = Annotated[
    Missed | None, typer.Option(help="What becomes of runs that nothing was there to start.")
]
OverlapRule = Annotated[
    Overlap | None, typer.Option(help="What to do while an earlier run still goes on.")
]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="How many.")]
Spec = Annotated[
    Path | None, typer.Option("--file", help="The definition as YAML or JSON; options win over it.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group("Run workflows at times: by cron, at an interval, or once.", _print_list)
    group.command("list")(list_schedules)
    group.command()(show)
    group.command()(create)
    group.command()(update)
    group.command()(preview)
    group.command("next")(upcoming)
    group.command()(pause)
    group.command()(resume)
    group.command()(delete)
    app.add_typer(group, name="schedules")


@told
def list_schedules(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List the schedules, and when each runs next."""
    _print_list(url, key_file, as_json=as_json)


@told
def show(
    schedule: ScheduleId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show a schedule: its next five runs, and what became of its last moments."""
    with open_gateway(url, key_file) as gateway:
        _print(gateway.get(_path(schedule), ScheduleView), "", as_json=as_json)


@told
def create(
    template: TemplateId,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = None,
    parameter: Pairs = None,
    version: Version = None,
    missed: MissedRuns = None,
    overlap: OverlapRule = None,
    jitter: Jitter = None,
    file: Spec = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Run a template at times. Exactly one of --cron, --every and --at."""
    wanted = read_parameters(file) if file is not None else {}
    wanted |= {"template_id": template, "name": name or wanted.get("name", template)}
    _change(wanted, version=version, missed=missed, overlap=overlap, jitter=jitter)
    _time(wanted, cron=cron, every=every, at=at, timezone=timezone)
    with open_gateway(url, key_file) as gateway:
        _fill(gateway, wanted, parameter or [])
        made = gateway.post(PATH, ScheduleView, _checked(wanted))
    _print(made, f"Made {made.id}.", as_json=as_json)


@told
def update(
    schedule: ScheduleId,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = None,
    parameter: Pairs = None,
    version: Version = None,
    missed: MissedRuns = None,
    overlap: OverlapRule = None,
    jitter: Jitter = None,
    file: Spec = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a schedule; what is not given stays. Nothing that was set before runs any more."""
    with open_gateway(url, key_file) as gateway:
        there = gateway.get(_path(schedule), ScheduleView)
        wanted = there.definition.model_dump(mode="json", exclude_unset=True)
        wanted |= read_parameters(file) if file is not None else {}
        if name is not None:
            wanted["name"] = name
        _change(wanted, version=version, missed=missed, overlap=overlap, jitter=jitter)
        _time(wanted, cron=cron, every=every, at=at, timezone=timezone)
        _fill(gateway, wanted, parameter or [])
        query = {"if_edition": there.edition}
        changed = gateway.put(_path(schedule), ScheduleView, _checked(wanted), query=query)
    _print(changed, f"Changed {changed.id}.", as_json=as_json)


@told
def preview(
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = None,
    count: Count = 5,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show when something would run, without making it."""
    wanted: dict[str, Any] = {}
    _time(wanted, cron=cron, every=every, at=at, timezone=timezone)
    with open_gateway(url, key_file) as gateway:
        body = {"timetable": wanted.get("timetable", {}), "count": count}
        found = gateway.post(f"{PATH}/preview", Preview, body)
    _print_moments(found, as_json=as_json)


@told
def upcoming(
    schedule: ScheduleId,
    count: Count = 5,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the next runs of a schedule."""
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(_path(schedule, "upcoming"), Preview, {"count": count})
    _print_moments(found, as_json=as_json)


@told
def pause(
    schedule: ScheduleId,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Start nothing until it is resumed; what runs goes on."""
    with open_gateway(url, key_file) as gateway:
        paused = gateway.post(_path(schedule, "pause"), ScheduleView, {"reason": reason})
    _print(paused, f"Paused {paused.id}.", as_json=as_json)


@told
def resume(
    schedule: ScheduleId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Go on from now; what would have run meanwhile is not made up."""
    with open_gateway(url, key_file) as gateway:
        resumed = gateway.post(_path(schedule, "resume"), ScheduleView, {})
    _print(resumed, f"Resumed {resumed.id}.", as_json=as_json)


@told
def delete(
    schedule: ScheduleId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Never run it again; what runs goes on."""
    with open_gateway(url, key_file) as gateway:
        removed = gateway.delete(_path(schedule), Removed)
    if as_json:
        print_json(removed.model_dump(mode="json"))
    else:
        typer.echo(f"Removed {removed.id}.")


def _change(
    wanted: dict[str, Any],
    *,
    version: str | None,
    missed: str | None,
    overlap: str | None,
    jitter: int | None,
) -> None:
    given = {
        "template_version": version,
        "missed": missed,
        "overlap": overlap,
        "jitter_s": jitter,
    }
    wanted |= {name: value for name, value in given.items() if value is not None}


def _time(
    wanted: dict[str, Any],
    *,
    cron: str | None,
    every: int | None,
    at: str | None,
    timezone: str | None,
) -> None:
    """A kind of timetable that is given replaces the other kinds."""
    kinds = {"cron": cron, "every_s": every, "at": at}
    given = {name: value for name, value in kinds.items() if value is not None}
    table = dict(wanted.get("timetable") or {})
    if given:
        table = {"timezone": table["timezone"]} if "timezone" in table else {}
        table |= given
    if timezone is not None:
        table["timezone"] = timezone
    if table:
        wanted["timetable"] = table


def _fill(gateway: Gateway, wanted: dict[str, Any], given: list[str]) -> None:
    """Parameters by the types that the template declares."""
    if not given:
        return
    version = wanted.get("template_version", "latest")
    view = gateway.template(wanted["template_id"], None if version == "latest" else version)
    wanted["parameters"] = parameters_of(given, view.parameters_schema, wanted.get("parameters"))


def _checked(wanted: dict[str, Any]) -> dict[str, Any]:
    see = f"see {hv('schedules create --help')}"
    return checked_definition(ScheduleSpec, wanted, "schedule", see)


def _path(*names: str) -> str:
    return "/".join([PATH, *(quote(name, safe="") for name in names)])


def _print_list(url: str | None, key_file: KeyFile, *, as_json: bool) -> None:
    with open_gateway(url, key_file) as gateway:
        found = gateway.get(PATH, ScheduleList).items
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        typer.echo(f"There are no schedules. `{hv('schedules create TEMPLATE')}` makes one.")
        return
    columns = ("SCHEDULE", "NAME", "STATUS", "WHEN", "RUNS", "NEXT", "LAST")
    rendering.console().print(rendering.table(columns, map(_row, found)))


def _row(one: ScheduleView) -> tuple[object, ...]:
    last = one.recent[0] if one.recent else None
    return (
        Text(one.id, style="bold"),
        one.definition.name,
        rendering.status_text(one.status),
        _when(one),
        one.definition.template_id,
        one.upcoming[0].local if one.upcoming else "",
        f"{last.outcome} {rendering.short_moment(last.at_ms, now_ms())}" if last else "",
    )


def _when(one: ScheduleView) -> str:
    table = one.definition.timetable
    if table.cron is not None:
        return f"{table.cron} ({table.timezone})"
    return f"every {timedelta(seconds=table.every_s)}" if table.every_s else f"at {table.at}"


def _print(one: ScheduleView, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(one.model_dump(mode="json"))
        return
    if said:
        typer.echo(said)
    if one.pending:
        typer.echo("  No coordinator runs now; it takes effect when one does.", err=True)
    version = f"{one.definition.template_id}@{one.definition.template_version}"
    typer.echo(f"{one.id}  {one.definition.name}  {one.status}  {one.reason}".rstrip())
    typer.echo(f"  runs        {version}, {_when(one)}")
    typer.echo(f"  rules       missed: {one.definition.missed}, overlap: {one.definition.overlap}")
    for index, moment in enumerate(one.upcoming):
        typer.echo(f"  {'next' if not index else '    '}        {moment.local}")
    if one.counts:
        counts = ", ".join(f"{name} {count}" for name, count in one.counts.items())
        typer.echo(f"  so far      {counts}")
    for run in one.runs:
        typer.echo(f"  goes on     {run.execution_id}")
    if one.recent:
        columns = ("MOMENT", "OUTCOME", "EXECUTION", "END", "")
        rendering.console().print(rendering.table(columns, map(_firing_row, one.recent)))


def _firing_row(firing: Firing) -> tuple[object, ...]:
    return (
        rendering.moment(firing.moment_ms),
        firing.outcome if firing.count == 1 else f"{firing.outcome} ×{firing.count}",
        firing.execution_id,
        firing.ended,
        rendering.shorten(firing.reason),
    )


def _print_moments(found: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    moments: tuple[Moment, ...] = found.moments
    for moment in moments:
        typer.echo(moment.local)
    if not moments:
        typer.echo("There is none.")
