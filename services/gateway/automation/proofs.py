"""Whether a sender knows the secret of a receiver. Everything is compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from services.gateway.webhooks.signing import PREFIX
from shared.contracts.receivers import Receiver


def why_not_proven(
    receiver: Receiver,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now_ms: int,
) -> str:
    """Why a delivery is not known to be from who knows the secret; empty when it is. `headers` are
    in lower case."""
    kind = receiver.proven_by
    if kind == "bearer":
        scheme, _, token = headers.get("authorization", "").partition(" ")
        known = [_same(token.strip(), secret) for secret in secrets]
        if scheme.lower() == "bearer" and any(known):
            return ""
        return "send `Authorization: Bearer <the receiver's secret>`"
    if kind == "standard":
        return _standard(receiver, secrets, headers, body, now_ms)
    return _hmac(receiver, secrets, headers, body, now_ms)


def _standard(
    receiver: Receiver,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now_ms: int,
) -> str:
    message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if reason := _old(receiver, at, now_ms, "webhook-timestamp"):
        return reason
    signed = b".".join([message_id.encode(), at.encode(), body])
    given = [one.removeprefix("v1,") for one in headers.get("webhook-signature", "").split() if one]
    wanted = [base64.b64encode(_digest(_key(one), signed)).decode() for one in secrets]
    known = [_same(one, other) for one in given[:10] for other in wanted]
    if message_id and any(known):
        return ""
    return "`webhook-signature` is not that of Standard Webhooks with the receiver's secret"


def _hmac(
    receiver: Receiver,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now_ms: int,
) -> str:
    signed = body
    if receiver.timestamp_header is not None:
        at = headers.get(receiver.timestamp_header.lower(), "")
        if reason := _old(receiver, at, now_ms, receiver.timestamp_header):
            return reason
        signed = at.encode() + b"." + body
    given = headers.get(receiver.signature_header.lower(), "").removeprefix("sha256=").lower()
    known = [_same(given, _digest(secret.encode(), signed).hex()) for secret in secrets]
    if any(known):
        return ""
    return f"`{receiver.signature_header}` is not the HMAC-SHA-256, in hex, of what was sent"


def _old(receiver: Receiver, at: str, now_ms: int, header: str) -> str:
    if not at.isdecimal() or len(at) > 15:
        return f"`{header}` is not a time in epoch seconds"
    if abs(now_ms - int(at) * 1_000) > receiver.tolerance_s * 1_000:
        return f"`{header}` is more than {receiver.tolerance_s} s from now: sign it anew"
    return ""


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))


def _digest(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
