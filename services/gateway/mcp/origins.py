"""Which names a browser may have reached this gateway by.

A web page can make a browser call an address of its own choice under the page's own name (DNS
rebinding). So the `Host` that was asked for, and the `Origin` of the page that asks, must be known:
this machine's, the gateway's own address, and what settings add.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers

from services.gateway import problems
from services.gateway.settings import GatewaySettings

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
ANY_PORT: Final = ":*"
_UNSPECIFIED: Final = ("0.0.0.0", "::")  # noqa: S104  # not bound here: it is no name of a host


def allowed(settings: GatewaySettings) -> TransportSecuritySettings:
    """The names that are known, each with any port where the setting gives none."""
    own = settings.gateway_host
    own = f"[{own}]" if ":" in own else own
    names = [*LOOPBACK, *([] if settings.gateway_host in _UNSPECIFIED else [own])]
    hosts = [form for name in [*names, *settings.mcp_allowed_hosts] for form in _forms(name)]
    pages = [f"http://{name}" for name in names]
    origins = [form for page in [*pages, *settings.mcp_allowed_origins] for form in _forms(page)]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins
    )


def check(headers: Headers, known: TransportSecuritySettings) -> None:
    """Raises 421 or 403, naming the setting, before the SDK refuses in fewer words."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _fits(host, known.allowed_hosts):
        raise problems.problem(
            "misdirected",
            f"This gateway does not know itself as {host[:100]!r}. Add the name to "
            "HIVE_MCP_ALLOWED_HOSTS.",
        )
    if origin is not None and not _fits(origin, known.allowed_origins):
        raise problems.problem(
            "forbidden",
            f"Pages of {origin[:100]!r} may not call this gateway. Add it to "
            "HIVE_MCP_ALLOWED_ORIGINS.",
        )


def _forms(name: str) -> list[str]:
    """A name as it stands, and with any port where it has none."""
    has_port = name.rpartition(":")[2].isdecimal() and not name.endswith("]")
    return [name] if has_port else [name, name + ANY_PORT]


def _fits(given: str, known: Sequence[str]) -> bool:
    if given in known:
        return True
    name, _, port = given.rpartition(":")
    return port.isdecimal() and name + ANY_PORT in known
