"""`hv webhooks`: who else is told what happens, and what became of each telling."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer
from pydantic import ValidationError
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.client import Gateway
from services.cli.faces import now_ms
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json, told
from shared.contracts.api.collective import Removed
from shared.contracts.api.problems import FieldProblem
from shared.contracts.webhooks import (
    OVERLAP_LIMIT_S,
    OVERLAP_S,
    Delivery,
    DeliveryPage,
    DeliveryStatus,
    IssuedWebhook,
    NewWebhook,
    SecretRotation,
    Webhook,
    WebhookChanges,
    WebhookList,
)

PATH: Final = "/api/v1/webhooks"
_STYLES: Final = {"delivered": "green", "dead": "red", "failed": "red", "pending": "yellow"}

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="A webhook, see `hv webhooks`.")]
DeliveryId = Annotated[
    str, typer.Argument(metavar="ID", help="A delivery, see `hv webhooks dead-letters`.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Most lines.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", "-e", help="Events by type, `execution.*`; repeatable."),
]
Templates = Annotated[
    list[str] | None, typer.Option("--template", "-t", help="Only these; repeatable.")
]
Categories = Annotated[list[str] | None, typer.Option("--category", help="Only these; repeatable.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group(
        "Tell other systems what happens: signed, tried again, logged.", _print_list
    )
    group.command("list")(list_webhooks)
    group.command()(create)
    group.command()(update)
    group.command("rotate-secret")(rotate_secret)
    group.command()(delete)
    group.command()(enable)
    group.command("test")(try_out)
    group.command()(deliveries)
    group.command("dead-letters")(dead_letters)
    group.command()(redeliver)
    app.add_typer(group, name="webhooks")


@told
def list_webhooks(url: Url = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List the webhooks, and whether they take what they are sent."""
    _print_list(url, key_file, as_json=as_json)


@told
def create(
    target: Annotated[str, typer.Argument(metavar="URL", help="Where to POST: https://…")],
    event: Events = None,
    template: Templates = None,
    category: Categories = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell an address about events from now on. Shows the secret, this once."""
    chosen = {"events": event or ["*"], "templates": template or [], "categories": category or []}
    try:
        wanted = NewWebhook.model_validate(
            {"url": target, "description": description, "filter": chosen}
        )
    except ValidationError as error:
        raise _unfit(error) from None
    with open_gateway(url, key_file) as gateway:
        issued = gateway.post(PATH, IssuedWebhook, wanted.model_dump(mode="json"))
    _print_issued(issued, f"Made {issued.webhook.id}.", as_json=as_json)


@told
def update(
    webhook: WebhookId,
    target: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Where to POST from now on.")
    ] = None,
    event: Events = None,
    template: Templates = None,
    category: Categories = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a webhook. What is not given stays; of the filter, all parts are given together."""
    given: dict[str, object] = {"url": target, "description": description}
    if event or template or category:
        given["filter"] = {
            "events": event or ["*"],
            "templates": template or [],
            "categories": category or [],
        }
    try:
        wanted = WebhookChanges.model_validate(given)
    except ValidationError as error:
        raise _unfit(error) from None
    with open_gateway(url, key_file) as gateway:
        body = wanted.model_dump(mode="json", exclude_none=True)
        changed = gateway.patch(_path(webhook), Webhook, body)
    if as_json:
        print_json(changed.model_dump(mode="json"))
    else:
        typer.echo(f"Changed {changed.id}.")


@told
def rotate_secret(
    webhook: WebhookId,
    overlap: Annotated[
        float,
        typer.Option(
            "--overlap", min=0, max=OVERLAP_LIMIT_S, help="Seconds that the old one signs, too."
        ),
    ] = OVERLAP_S,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a webhook a new secret, shown this once. Both sign until the overlap ends."""
    body = SecretRotation(overlap_s=overlap).model_dump(mode="json")
    with open_gateway(url, key_file) as gateway:
        issued = gateway.post(_path(webhook, "rotate-secret"), IssuedWebhook, body)
    until = rendering.moment(issued.webhook.old_secret_until_ms)
    said = f"{issued.webhook.id} has a new secret; the old one signs, too, until {until}."
    _print_issued(issued, said, as_json=as_json)


@told
def delete(
    webhook: WebhookId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Tell it nothing more, and forget it with its deliveries."""
    with open_gateway(url, key_file) as gateway:
        removed = gateway.delete(_path(webhook), Removed)
    if as_json:
        print_json(removed.model_dump(mode="json"))
    else:
        typer.echo(f"Removed {removed.id}.")


@told
def enable(
    webhook: WebhookId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Tell a disabled webhook again what happens from now on."""
    with open_gateway(url, key_file) as gateway:
        enabled = gateway.post(_path(webhook, "enable"), Webhook, {})
    if as_json:
        print_json(enabled.model_dump(mode="json"))
    else:
        typer.echo(f"{enabled.id} is {enabled.status.value}.")


@told
def try_out(
    webhook: WebhookId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Send an event `webhook.test` now, once. Ends with 1 when it does not arrive."""
    with open_gateway(url, key_file) as gateway:
        delivery = gateway.post(_path(webhook, "test"), Delivery, {}, timeout_s=150)
    if as_json:
        print_json(delivery.model_dump(mode="json"))
    else:
        rendering.console().print(_table([delivery]))
    if delivery.status is not DeliveryStatus.DELIVERED:
        raise typer.Exit(1)


@told
def deliveries(
    webhook: WebhookId,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what was sent to a webhook, newest first."""
    query = {"status": status.value if status else None, "limit": limit}
    with open_gateway(url, key_file) as gateway:
        page = gateway.get(_path(webhook, "deliveries"), DeliveryPage, query)
    _print_deliveries(page, as_json=as_json)


@told
def dead_letters(
    limit: Limit = 50, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show deliveries that were given up, newest first."""
    with open_gateway(url, key_file) as gateway:
        page = gateway.get(_path("dead-letters"), DeliveryPage, {"limit": limit})
    _print_deliveries(page, as_json=as_json)


@told
def redeliver(
    delivery: DeliveryId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Send one that was given up again."""
    with open_gateway(url, key_file) as gateway:
        queued = gateway.post(_path("dead-letters", delivery, "redeliver"), Delivery, {})
    if as_json:
        print_json(queued.model_dump(mode="json"))
    else:
        typer.echo(f"{queued.id} is {queued.status.value} again.")


def _print_issued(issued: IssuedWebhook, said: str, *, as_json: bool) -> None:
    """A secret that is shown this once."""
    if as_json:
        print_json(issued.model_dump(mode="json"))
        return
    typer.echo(said)
    typer.echo(f"  secret      {issued.secret}")
    typer.echo("              It is not shown again. Verify signatures with it.")
    typer.echo(f"  try it      {hv('webhooks test')} {issued.webhook.id}")


def _path(*names: str) -> str:
    return "/".join([PATH, *(quote(name, safe="") for name in names)])


def _print_list(url: str | None, key_file: KeyFile, *, as_json: bool) -> None:
    with open_gateway(url, key_file) as gateway:
        found = _all(gateway)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        typer.echo(f"There are no webhooks. `{hv('webhooks create URL')}` makes one.")
        return
    columns = ("WEBHOOK", "STATUS", "URL", "EVENTS", "LAST SUCCESS", "")
    rendering.console().print(rendering.table(columns, map(_row, found)))


def _all(gateway: Gateway) -> tuple[Webhook, ...]:
    return gateway.get(PATH, WebhookList).items


def _row(webhook: Webhook) -> tuple[object, ...]:
    failing = f"{webhook.consecutive_failures} failures" if webhook.consecutive_failures else ""
    return (
        Text(webhook.id, style="bold"),
        webhook.status.value,
        webhook.url,
        ", ".join(webhook.filter.events),
        rendering.short_moment(webhook.last_success_at_ms, now_ms()),
        rendering.shorten(webhook.disabled_reason or failing),
    )


def _print_deliveries(page: DeliveryPage, *, as_json: bool) -> None:
    if as_json:
        print_json(page.model_dump(mode="json"))
    elif page.items:
        rendering.console().print(_table(page.items))
    else:
        typer.echo("There are none.")


def _table(found: tuple[Delivery, ...] | list[Delivery]) -> object:
    columns = ("DELIVERY", "EVENT", "STATUS", "CREATED", "TRIES", "TOOK", "ANSWER")
    return rendering.table(columns, map(_delivery_row, found))


def _delivery_row(delivery: Delivery) -> tuple[object, ...]:
    last = delivery.attempts[-1] if delivery.attempts else None
    answer = (last.error or str(last.status_code)) if last else ""
    status = delivery.status.value
    return (
        Text(delivery.id, style="bold"),
        delivery.event_type,
        Text(status, style=_STYLES.get(status, "")),
        rendering.short_moment(delivery.created_at_ms, now_ms()),
        len(delivery.attempts),
        rendering.duration(last.duration_ms) if last else "",
        rendering.shorten(delivery.reason or answer),
    )


def _unfit(error: ValidationError) -> CliError:
    """What was typed does not make a webhook."""
    found = error.errors(include_url=False, include_input=False)
    fields = tuple(
        FieldProblem(
            field="/".join(map(str, one["loc"])),
            message=one["msg"],
            fix="events are `*` or `<category>.<what>` with `*` for any characters",
        )
        for one in found
    )
    return CliError("That is no webhook.", fields=fields)
