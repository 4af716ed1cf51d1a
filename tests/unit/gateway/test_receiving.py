"""From what others send to events, and whether they know the secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from services.gateway.automation.payloads import (
    BATCH,
    MAX_EVENTS,
    STRUCTURED,
    Delivered,
    chunks,
    events_of,
)
from services.gateway.automation.proofs import why_not_proven
from services.gateway.problems import ProblemError
from services.gateway.webhooks.signing import new_secret
from shared.automation.messages import Event
from shared.contracts.receivers import NewReceiver, Receiver

NOW_MS = 1_767_268_800_000
ALERT = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "instance": "web-1", "severity": "critical"},
    "annotations": {"summary": "95 %"},
    "startsAt": "2026-01-01T11:58:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "c5b7a1f2",
}
NOTIFICATION: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="DiskFull"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "hive",
    "groupLabels": {"alertname": "DiskFull"},
    "commonLabels": {"alertname": "DiskFull"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager",
    "alerts": [ALERT, {**ALERT, "status": "resolved", "fingerprint": "d0"}],
}


def receiver(**fields: Any) -> Receiver:
    wanted = {"name": "r", "kind": "webhook", **fields}
    return Receiver.model_validate(
        {**wanted, "id": "rc_1", "created_at_ms": 0, "created_by": "ann"}
    )


def delivered(body: Any, **headers: str) -> Delivered:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivered(headers=named, body=content, id="ev_1", at_ms=NOW_MS)


def refused(kind: str, what: Delivered) -> str:
    with pytest.raises(ProblemError) as caught:
        events_of(receiver(kind=kind), what)
    details = caught.value.details
    return f"{details.status} {details.detail} {[error.field for error in details.errors]}"


def test_alerts_of_alertmanager() -> None:
    """Each alert is an event of its own, with its state, labels and group; the same alert in the
    same state has the same key, whichever delivery brings it."""
    first, second = events_of(receiver(kind="alertmanager"), delivered(NOTIFICATION))
    assert (first.type, second.type) == ("alert.firing", "alert.resolved")
    assert first.key == "c5b7a1f2/firing/2026-01-01T11:58:00Z"
    assert first.id != second.id
    assert first.cause == "monitoring_alert"
    assert first.receiver == "rc_1"
    assert first.data["labels"]["instance"] == "web-1"
    assert first.data["group"]["groupLabels"] == {"alertname": "DiskFull"}
    assert "version" in refused("alertmanager", delivered({**NOTIFICATION, "version": "3"}))
    assert "alerts" in refused("alertmanager", delivered({"version": "4"}))
    assert "0 events" in refused("alertmanager", delivered({**NOTIFICATION, "alerts": []}))


def test_any_signed_json() -> None:
    """Its type is the event's; the sender's id, or else its content, makes it known again."""
    (one,) = events_of(receiver(), delivered({"type": "deploy.done", "n": 1}, webhook_id="msg_1"))
    assert (one.type, one.key, one.id) == ("deploy.done", "msg_1", "msg_1")
    (two,) = events_of(receiver(), delivered([1, 2]))
    assert (two.type, two.data, two.id) == ("webhook", {"value": [1, 2]}, "ev_1")
    assert two.key == events_of(receiver(), delivered([1, 2]))[0].key
    assert "400" in refused("webhook", delivered(b"{"))
    assert "64 KiB" in refused("webhook", delivered({"x": "y" * 70_000}))


def test_cloud_events_in_all_three_forms() -> None:
    """Structured, as a batch, and binary; source and id make an event known again."""
    sent = {
        "specversion": "1.0",
        "id": "7",
        "source": "/builds",
        "type": "build.failed",
        "subject": "web",
        "data": {"branch": "main"},
    }
    content = {"content_type": f"{STRUCTURED}; charset=utf-8"}
    (one,) = events_of(receiver(kind="cloudevents"), delivered(sent, **content))
    assert (one.type, one.key) == ("build.failed", "/builds/7")
    assert one.data["branch"] == "main"
    assert one.data["ce"]["subject"] == "web"
    many = delivered([sent, {**sent, "id": "8", "data": 5}], content_type=BATCH)
    two = events_of(receiver(kind="cloudevents"), many)
    assert two[0].id == one.id
    assert two[1].data["value"] == 5
    ce = {f"ce-{name}": str(sent[name]) for name in ("specversion", "id", "source", "type")}
    body = json.dumps(sent["data"]).encode()
    headers = {**ce, "content-type": "application/json", "ce-subject": "caf%C3%A9"}
    binary = Delivered(headers=headers, body=body, id="ev", at_ms=NOW_MS)
    (three,) = events_of(receiver(kind="cloudevents"), binary)
    assert three.id == one.id
    assert three.data["ce"]["subject"] == "café"
    assert three.data["branch"] == "main"
    headers = {**ce, "content-type": "image/png"}
    picture = Delivered(headers=headers, body=b"\x89", id="ev", at_ms=NOW_MS)
    assert events_of(receiver(kind="cloudevents"), picture)[0].data["base64"] == "iQ=="
    empty = Delivered(headers=ce, body=b"", id="ev", at_ms=NOW_MS)
    assert events_of(receiver(kind="cloudevents"), empty)[0].data["value"] is None
    kind = "cloudevents"
    assert "Content-Type" in refused(kind, delivered(sent, content_type="application/json"))
    assert "specversion" in refused(kind, delivered({**sent, "specversion": "0.3"}, **content))
    assert "'id'" in refused(kind, delivered({**sent, "id": ""}, **content))
    assert "list" in refused(kind, delivered(sent, content_type=BATCH))
    broken = {**sent, "data_base64": "!"}
    assert "data_base64" in refused(kind, delivered(broken, **content))
    assert "events" in refused(kind, delivered([sent] * (MAX_EVENTS + 1), content_type=BATCH))


def test_messages_to_the_journal_are_bounded() -> None:
    """By count and by size, in order, and none is lost."""
    events = [Event(id=str(n), type="t", data={"x": "y" * 30_000}) for n in range(60)]
    parts = chunks(events)
    assert [event for part in parts for event in part] == events
    assert max(map(len, parts)) <= 17
    assert len(chunks([Event(id=str(n), type="t") for n in range(250)])) == 3


def test_a_bearer_token() -> None:
    """The secret, or the one before; nothing else."""
    ours = receiver(kind="alertmanager")
    for token, known in (("new", True), ("old", True), ("other", False), ("", False)):
        headers = {"authorization": f"Bearer {token}"}
        why = why_not_proven(ours, ["new", "old"], headers, b"", NOW_MS)
        assert (why == "") is known
    assert "Bearer" in why_not_proven(ours, ["new"], {"authorization": "Basic new"}, b"", NOW_MS)
    assert why_not_proven(ours, ["new"], {}, b"", NOW_MS)
    assert NewReceiver(name="x", kind="webhook").proven_by == "standard"


def test_signatures_of_standard_webhooks() -> None:
    """Made by the reference library: known with either secret, not with another, not for another
    body, and not when they are old or from the future."""
    old, new = new_secret(), new_secret()
    at = datetime.fromtimestamp(NOW_MS / 1_000, UTC)
    body = '{"a":1}'
    signature = Webhook(old).sign("msg_1", at, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW_MS // 1_000),
        "webhook-signature": f"v1,bm90aGluZw== {signature}",
    }
    ours = receiver()

    def why(
        secrets: list[str],
        text: str = body,
        now_ms: int = NOW_MS,
        more: dict[str, str] | None = None,
    ) -> str:
        return why_not_proven(ours, secrets, {**headers, **(more or {})}, text.encode(), now_ms)

    assert why([new, old]) == ""
    assert why([new])
    assert why([old], '{"a":2}')
    assert why([old], now_ms=NOW_MS + 300_000) == ""
    assert "300 s" in why([old], now_ms=NOW_MS + 301_000)
    assert "300 s" in why([old], now_ms=NOW_MS - 301_000)
    assert "epoch seconds" in why([old], more={"webhook-timestamp": "soon"})
    assert why([old], more={"webhook-id": "msg_2"})
    assert why([old], more={"webhook-signature": ""})


def test_any_hmac() -> None:
    """Of the body in hex, with or without `sha256=`; with a timestamp if the receiver wants one."""
    body = b"{}"
    plain = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    ours = receiver(proof="hmac")
    for given in (plain, f"sha256={plain}", plain.upper()):
        assert why_not_proven(ours, ["secret"], {"x-hub-signature-256": given}, body, 0) == ""
    assert why_not_proven(ours, ["secret"], {"x-hub-signature-256": plain}, b"{ }", 0)
    assert why_not_proven(ours, ["secret"], {}, body, 0)
    timed = receiver(proof="hmac", signature_header="X-Sig", timestamp_header="X-At")
    at = str(NOW_MS // 1_000)
    signed = hmac.new(b"secret", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"x-sig": signed, "x-at": at}
    assert why_not_proven(timed, ["secret"], headers, body, NOW_MS) == ""
    assert "X-At" in why_not_proven(timed, ["secret"], headers, body, NOW_MS + 900_000)
    assert why_not_proven(timed, ["secret"], {**headers, "x-sig": plain}, body, NOW_MS)
