"""Where a webhook may point: checked when it is made, and again whenever it is connected to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import httpx

from services.gateway import problems
from services.gateway.problems import ProblemError
from shared.net.addresses import Address, kind_if_not_public
from shared.net.pinned_http import PORT_LIMIT, ResolveError, resolve

RESOLVE_TIMEOUT_S: Final = 5.0
_FIELD: Final = "url"


class TargetRefusedError(Exception):
    """A webhook's host stands for an address that must not be called."""


@dataclass(frozen=True, slots=True)
class TargetRules:
    """What is allowed beside `https` to public addresses."""

    allow_private: bool = False
    allow_http: bool = False

    def check_address(self, host: str, address: Address) -> None:
        """Raises `TargetRefusedError` for an address that is not public."""
        kind = kind_if_not_public(address)
        if kind is not None and not self.allow_private:
            raise TargetRefusedError(f"{host} is at {address}, a {kind} address")

    async def check_url(self, text: str) -> None:
        """Raises a problem that names the field `url` when a webhook must not point there."""
        url = self._parsed(text)
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                addresses = await resolve(url.host)
        except (ResolveError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise _refused(
                f"the host {url.host} cannot be resolved: {reason}", "correct the host name"
            ) from None
        try:
            for address in addresses:
                self.check_address(url.host, address)
        except TargetRefusedError as error:
            raise _refused(
                str(error),
                "use a public address, or allow others with HIVE_WEBHOOK_ALLOW_PRIVATE=true",
            ) from None

    def _parsed(self, text: str) -> httpx.URL:
        try:
            url = httpx.URL(text)
            host = url.host
        except (httpx.InvalidURL, UnicodeError) as error:
            raise _refused(f"is not an address: {error}", "send https://host/path") from None
        if url.scheme not in ("https", "http") or not host or (url.port or 0) > PORT_LIMIT:
            raise _refused("is not an http address", "send https://host/path")
        if url.scheme == "http" and not self.allow_http:
            raise _refused(
                "is not encrypted", "use https, or allow http with HIVE_WEBHOOK_ALLOW_HTTP=true"
            )
        if url.userinfo:
            raise _refused(
                "holds a user name or a password", "verify signatures instead, and remove them"
            )
        if url.fragment:
            raise _refused("has a fragment, which is never sent", "remove what follows #")
        return url


def _refused(message: str, fix: str) -> ProblemError:
    return problems.invalid_field(_FIELD, message, fix)
