"""Who is calling: the API key of a request, and whether its role allows what is asked.

A route declares what it needs by the type of one parameter, for example `principal: Runner`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, cast

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from services.gateway import problems
from services.gateway.gateway import Gateway
from services.gateway.known_queries import check_query
from services.gateway.permissions import Permission, Principal, roles_with

UNKNOWN_KEY_COST: Final = 10.0
"""Tokens that a call with an unknown key takes from its address: guessing is slow."""

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="`hive_…`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="api_key")


def gateway_of(connection: HTTPConnection) -> Gateway:
    """The gateway that serves this connection."""
    return cast("Gateway", connection.app.state.gateway)


Gate = Annotated[Gateway, Depends(gateway_of)]


def secret_of(connection: HTTPConnection) -> str | None:
    """The secret in the headers, if there is one."""
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return connection.headers.get("x-api-key")


async def identify(gateway: Gateway, secret: str | None, address: str) -> Principal:
    """Whose secret it is. Raises 401, and 429 when the caller is too quick."""
    principal = await gateway.keys.identify(secret) if secret else None
    if principal is not None:
        gateway.limiter.take(principal.key_id)
        return principal
    gateway.limiter.take(f"address {address}", UNKNOWN_KEY_COST)
    said = "The API key is not known, or it was revoked." if secret else "There is no API key."
    raise problems.problem(
        "unauthenticated",
        f"{said} Send `Authorization: Bearer hive_…` or `X-API-Key: hive_…`; the first admin key "
        "is in the file admin.key of the stack's folder.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def require(principal: Principal, permission: Permission) -> None:
    """Raises 403, saying which roles may, when this one may not."""
    if not principal.may(permission):
        roles = ", ".join(role.value for role in roles_with(permission))
        raise problems.problem(
            "forbidden",
            f"Key {principal.name!r} has the role {principal.role.value}; "
            f"{permission.value!r} needs one of: {roles}.",
        )


async def authenticate(connection: HTTPConnection) -> Principal:
    """The principal of a connection, remembered in its state for the log and the audit."""
    known = getattr(connection.state, "principal", None)
    if isinstance(known, Principal):
        return known
    address = connection.client.host if connection.client else "unknown"
    principal = await identify(gateway_of(connection), secret_of(connection), address)
    connection.state.principal = principal
    return principal


def note(connection: HTTPConnection, **details: object) -> None:
    """Details of a call, such as the reason that was given, for its event in the audit trail."""
    connection.state.details = details


def needs(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency that gives the principal, if it has the permission."""

    async def allowed(
        connection: HTTPConnection,
        principal: Annotated[Principal, Depends(authenticate)],
        _bearer: Annotated[object, Depends(_BEARER)],
        _header: Annotated[object, Depends(_HEADER)],
    ) -> Principal:
        require(principal, permission)
        check_query(connection)
        return principal

    return allowed


Reader = Annotated[Principal, Depends(needs(Permission.READ))]
Sharer = Annotated[Principal, Depends(needs(Permission.SHARE))]
Recorder = Annotated[Principal, Depends(needs(Permission.RECORD))]
Answerer = Annotated[Principal, Depends(needs(Permission.ANSWER))]
Runner = Annotated[Principal, Depends(needs(Permission.RUN))]
Approver = Annotated[Principal, Depends(needs(Permission.APPROVE))]
Author = Annotated[Principal, Depends(needs(Permission.AUTHOR))]
WebhookKeeper = Annotated[Principal, Depends(needs(Permission.WEBHOOKS))]
Teacher = Annotated[Principal, Depends(needs(Permission.TEACH))]
Repairer = Annotated[Principal, Depends(needs(Permission.REPAIR))]
Automator = Annotated[Principal, Depends(needs(Permission.AUTOMATE))]
KeyKeeper = Annotated[Principal, Depends(needs(Permission.KEYS))]
