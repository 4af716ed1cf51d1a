"""Signatures by the Standard Webhooks specification 1.0 (symmetric, version `v1`).

The signed text is `<webhook-id>.<webhook-timestamp>.<body>`; the signature is HMAC-SHA-256 with the
bytes behind `whsec_` (base 64), itself in base 64. While a secret is being changed there is one
signature for each secret, with a space between: a receiver looks for one that fits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


def new_secret() -> str:
    """`whsec_` and 256 random bits in base 64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(
    signing: Sequence[str], message_id: str, at_s: int, body: bytes
) -> dict[str, str]:
    """The three headers of a delivery, signed with each secret in turn. `at_s` is this attempt's
    time, in epoch seconds."""
    signed = b".".join([message_id.encode(), str(at_s).encode(), body])
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in signing),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
