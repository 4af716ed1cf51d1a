"""One attempt: sign, connect to a checked address, post, and judge the answer.

Redirects are not followed: they could lead anywhere. Of the answer's body a bounded beginning is
read, for the error in the log, and no more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx

from services.gateway.webhooks.envelope import CONTENT_TYPE
from services.gateway.webhooks.signing import signed_headers
from services.gateway.webhooks.targets import TargetRefusedError, TargetRules
from shared.contracts.webhooks import ERROR_LIMIT, Delivery, DeliveryAttempt
from shared.net.pinned_http import PinnedTransport, ResolveError
from shared.ports.clock import Clock
from shared.version import VERSION

ANSWER_LIMIT_BYTES: Final = 1_024
USER_AGENT: Final = f"haivemind-workflows/{VERSION}"


@dataclass(frozen=True, slots=True)
class Sent:
    """How an attempt went. `gone`: the receiver wants nothing more (410)."""

    attempt: DeliveryAttempt
    gone: bool = False
    retry_after_s: float | None = None

    @property
    def arrived(self) -> bool:
        """True when the receiver took it."""
        return not self.attempt.error


@dataclass(frozen=True, slots=True)
class _Answer:
    status_code: int | None
    error: str
    retry_after_s: float | None = None


class Sender:
    """Sends deliveries."""

    def __init__(
        self,
        rules: TargetRules,
        timeout_s: float,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` is one that connects only where `rules` allow, for tests with names of their
        own; by default such a one on this machine's resolver.
        """
        self._timeout_s = timeout_s
        self._clock = clock
        self._client = httpx.AsyncClient(
            transport=transport or PinnedTransport(rules.check_address),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, url: str, signing: Sequence[str], delivery: Delivery, body: str) -> Sent:
        """Try once, signed with each secret; never raises for what a receiver or the network
        does."""
        at_ms, started = self._clock.now_ms(), time.monotonic()
        content = body.encode()
        headers = {
            "content-type": CONTENT_TYPE,
            "user-agent": USER_AGENT,
            "accept-encoding": "identity",
            **signed_headers(signing, delivery.id, at_ms // 1_000, content),
        }
        answer = await self._post(url, content, headers)
        attempt = DeliveryAttempt(
            number=delivery.attempt + 1,
            at_ms=at_ms,
            duration_ms=round((time.monotonic() - started) * 1_000),
            status_code=answer.status_code,
            error=answer.error[:ERROR_LIMIT],
        )
        gone = answer.status_code == HTTPStatus.GONE
        return Sent(attempt, gone, answer.retry_after_s)

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def _post(self, url: str, content: bytes, headers: dict[str, str]) -> _Answer:
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", url, content=content, headers=headers) as response,
            ):
                return await _judged(response)
        except TargetRefusedError as error:
            return _Answer(None, f"not called: {error}")
        except ResolveError as error:
            return _Answer(None, f"the host cannot be resolved: {error}")
        except (TimeoutError, httpx.TimeoutException):
            return _Answer(None, f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return _Answer(None, f"{type(error).__name__}: {_plain(str(error))}")


async def _judged(response: httpx.Response) -> _Answer:
    if response.is_success:
        return _Answer(response.status_code, "")
    said = _plain((await _beginning(response)).decode("utf-8", "replace"))
    error = f"answered {response.status_code}" + (f": {said}" if said else "")
    if response.is_redirect:
        error = f"answered {response.status_code}, and redirects are not followed"
    return _Answer(response.status_code, error, _retry_after_s(response))


async def _beginning(response: httpx.Response) -> bytes:
    read = b""
    async for part in response.aiter_raw():
        read += part
        if len(read) >= ANSWER_LIMIT_BYTES:
            break
    return read[:ANSWER_LIMIT_BYTES]


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds in the header `Retry-After`; a date in it is not heeded."""
    text = response.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


def _plain(text: str) -> str:
    """On one line, without characters that would change a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
