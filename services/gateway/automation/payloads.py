"""From what other systems send to events: Alertmanager (version 4), CloudEvents, any JSON.

Raises `ProblemError` (422) with the field that does not fit.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway import problems
from shared.automation.messages import Event
from shared.contracts.receivers import Receiver, ReceiverKind
from shared.workflow.expressions import json_size

MAX_EVENTS: Final = 1_000
"""Events in one delivery."""
MAX_EVENT_BYTES: Final = 64 * 1024
"""Data of one event, as JSON."""
BATCH: Final = "application/cloudevents-batch+json"
STRUCTURED: Final = "application/cloudevents+json"


class _Alert(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: str = ""  # noqa: N815 - Alertmanager's name
    endsAt: str = ""  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    fingerprint: str = ""


class _Notification(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: str
    groupKey: str = ""  # noqa: N815
    receiver: str = ""
    status: str = ""
    externalURL: str = ""  # noqa: N815
    groupLabels: dict[str, str] = Field(default_factory=dict)  # noqa: N815
    truncatedAlerts: int = 0  # noqa: N815
    alerts: list[_Alert]


class _CloudEvent(BaseModel):
    model_config = ConfigDict(extra="allow")

    specversion: str
    id: str = Field(min_length=1, max_length=200)
    source: str = Field(min_length=1, max_length=700)
    type: str = Field(min_length=1, max_length=300)


class Delivered(BaseModel):
    """A delivery: its headers in lower case, its body, and the id that it got here."""

    model_config = ConfigDict(frozen=True)

    headers: Mapping[str, str]
    body: bytes
    id: str
    at_ms: int


def events_of(receiver: Receiver, delivered: Delivered) -> list[Event]:
    """The events of a delivery, in their order."""
    found = _READERS[receiver.kind](delivered)
    if not 0 < len(found) <= MAX_EVENTS:
        raise _unfit("body", f"has {len(found)} events", f"send 1 to {MAX_EVENTS}")
    events = [one.model_copy(update={"receiver": receiver.id}) for one in found]
    for index, event in enumerate(events):
        if json_size(event.data) > MAX_EVENT_BYTES:
            what = f"event {index} has more than {MAX_EVENT_BYTES // 1024} KiB"
            raise _unfit("body", what, "send less, and an address")
    return events


def _alerts(delivered: Delivered) -> list[Event]:
    try:
        sent = _Notification.model_validate(_json(delivered.body))
    except ValidationError as error:
        raise problems.from_pydantic(error) from None
    if sent.version != "4":
        raise _unfit("version", f"is {sent.version!r}", "send Alertmanager's payload, version 4")
    group = sent.model_dump(exclude={"alerts", "version", "status"})
    return [
        Event(
            id=f"{delivered.id}.{index}",
            type=f"alert.{alert.status}",
            key=f"{alert.fingerprint or _digest(alert.labels)}/{alert.status}/{alert.startsAt}",
            at_ms=delivered.at_ms,
            cause="monitoring_alert",
            data={**alert.model_dump(), "group": group},
        )
        for index, alert in enumerate(sent.alerts)
    ]


def _any_json(delivered: Delivered) -> list[Event]:
    """The sender's own id makes a delivery that comes again the same one; else its content does."""
    value = _json(delivered.body)
    data = value if isinstance(value, dict) else {"value": value}
    given = delivered.headers.get("webhook-id", "")
    content = hashlib.sha256(delivered.body).hexdigest()[:32]
    kind = data.get("type")
    return [
        Event(
            id=f"{given or delivered.id}"[:300],
            type=kind[:300] if isinstance(kind, str) and kind else "webhook",
            key=(given or content)[:1_000],
            at_ms=delivered.at_ms,
            data=data,
        )
    ]


def _cloud_events(delivered: Delivered) -> list[Event]:
    media_type = delivered.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == BATCH:
        value = _json(delivered.body)
        if not isinstance(value, list):
            raise _unfit("body", "is no list", "send a JSON list of CloudEvents")
        return [_cloud_event(one, delivered.at_ms, f"{index}/") for index, one in enumerate(value)]
    if media_type == STRUCTURED:
        return [_cloud_event(_json(delivered.body), delivered.at_ms)]
    return [_cloud_event(_binary(delivered, media_type), delivered.at_ms)]


def _binary(delivered: Delivered, media_type: str) -> dict[str, Any]:
    """Attributes from `ce-…` headers, data from the body."""
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in delivered.headers.items()
        if name.startswith("ce-")
    }
    if not attributes:
        raise _unfit(
            "Content-Type",
            "is not that of a CloudEvent, and there are no ce- headers",
            f"send {STRUCTURED}, {BATCH}, or the headers of binary mode",
        )
    if delivered.body:
        is_json = media_type == "application/json" or media_type.endswith("+json")
        if is_json or not media_type:
            attributes["data"] = _json(delivered.body)
        else:
            attributes["data_base64"] = base64.b64encode(delivered.body).decode()
    return attributes


def _cloud_event(value: Any, at_ms: int, path: str = "") -> Event:
    try:
        sent = _CloudEvent.model_validate(value)
    except ValidationError as error:
        raise problems.from_pydantic(error) from None
    if sent.specversion != "1.0":
        raise _unfit(f"{path}specversion", f"is {sent.specversion!r}", "send 1.0")
    everything: dict[str, Any] = sent.model_dump()
    data = everything.pop("data", None)
    if "data_base64" in everything:
        data = {"base64": _base64(everything.pop("data_base64"), path)}
    payload = data if isinstance(data, dict) else {"value": data}
    identity = hashlib.sha256(f"{sent.source}\n{sent.id}".encode()).hexdigest()[:32]
    return Event(
        id=f"ce_{identity}",
        type=sent.type,
        key=f"{sent.source}/{sent.id}"[:1_000],
        at_ms=at_ms,
        data={**payload, "ce": everything},
    )


def _base64(value: Any, path: str) -> str:
    try:
        base64.b64decode(str(value), validate=True)
    except binascii.Error:
        raise _unfit(f"{path}data_base64", "is no base 64", "encode it") from None
    return str(value)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        detail = f"The body is not valid JSON: {error}. Send JSON."
        raise problems.problem("malformed-body", detail) from None


def _digest(labels: Mapping[str, str]) -> str:
    text = json.dumps(labels, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unfit(field: str, message: str, fix: str) -> problems.ProblemError:
    return problems.invalid_field(field, message, fix)


_READERS: Final[Mapping[ReceiverKind, Any]] = {
    "alertmanager": _alerts,
    "webhook": _any_json,
    "cloudevents": _cloud_events,
}


def chunks(events: Sequence[Event], most: int = 100, size: int = 512 * 1024) -> list[list[Event]]:
    """Events in messages of bounded size, in their order."""
    found: list[list[Event]] = []
    room = 0
    for event in events:
        takes = json_size(event.data) + 1_000
        if not found or len(found[-1]) >= most or takes > room:
            found.append([])
            room = size
        found[-1].append(event)
        room -= takes
    return found
