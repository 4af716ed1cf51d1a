"""The secrets of webhooks: made, stored sealed, and opened to sign with.

Gateways share the key that seals them by sharing a file. A gateway whose file holds another key
cannot open what others sealed; it leaves those webhooks to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.gateway.webhooks.signing import new_secret
from shared.ports.clock import Clock
from shared.ports.webhooks import WebhookStore
from shared.runtime.sealing import Sealer, SealError, key_from_file


class ForeignSecretError(Exception):
    """A webhook's secret was sealed with another key than this gateway's; says what to do."""


class SigningSecrets:
    """Makes, seals and opens secrets."""

    def __init__(self, webhooks: WebhookStore, clock: Clock, key_file: Path) -> None:
        """The key is made in `key_file` if the file is missing."""
        self._webhooks = webhooks
        self._clock = clock
        self._key_file = key_file.resolve()
        self._sealer = Sealer(key_from_file(key_file))

    def new(self) -> tuple[str, str]:
        """A new secret, in clear and sealed."""
        secret = new_secret()
        return secret, self._sealer.seal(secret)

    async def of(self, webhook_id: str) -> Sequence[str]:
        """What deliveries of this webhook are signed with now, in clear, the newest first; empty
        when there is no such webhook. Raises `ForeignSecretError`.
        """
        sealed = await self._webhooks.sealed_secrets(webhook_id, self._clock.now_ms())
        opened = [secret for one in sealed if (secret := self._opened(one)) is not None]
        if sealed and self._opened(sealed[0]) is None:
            raise ForeignSecretError(
                f"The secret of webhook {webhook_id} was sealed with another key than the one in "
                f"{self._key_file}. Give all gateways the same file, or give the webhook a new "
                f"secret: POST /api/v1/webhooks/{webhook_id}/rotate-secret."
            )
        return opened

    def _opened(self, sealed: str) -> str | None:
        try:
            return str(self._sealer.open(sealed))
        except SealError:
            return None
