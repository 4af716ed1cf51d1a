"""The WebSocket `/api/v1/events`: public events as they happen, resumable.

* The key comes in a header; or, from a browser, which cannot set headers there, in the first
  message: `{"auth": "hive_…"}`. Never in the URL, which ends up in logs.
* Query: `execution`, `category`, `template`, `type` (repeatable; `step.*` fits every step event)
  and `after` (or `since`), the sequence of the last event that was seen.
* Each message is `{"seq": …, "event": {…}}`; the first one is `{"ready": {"seq": …}}`. If events
  behind `after` are not kept any more, it has `"lost": {"from": …, "to": …}`, too.
* Who reads too slowly is closed with 4008 and the last sequence in the reason. 4401 and 4403 refuse
  the first message's key, 4401 also ends a socket whose key was revoked. 4409: `after` lies ahead
  of the newest event, as the stream was made anew; begin without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from services.gateway import problems
from services.gateway.access import (
    Reader,
    authenticate,
    gateway_of,
    identify,
    require,
    secret_of,
)
from services.gateway.audit import PREFIX as AUDIT_PREFIX
from services.gateway.gateway import Gateway
from services.gateway.hub import Accept, SlowFollowerError
from services.gateway.middleware.answers import problem_response
from services.gateway.permissions import Permission, Principal
from services.gateway.routes.paging import MAX_NUMBER
from shared.contracts.publishing import masked
from shared.ports.events import SequencedEvent

log = structlog.get_logger()

router = APIRouter(tags=["events"])

AUTH_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 5.0
TOO_SLOW: Final = 4008
UNAUTHENTICATED: Final = 4401
FORBIDDEN: Final = 4403
AHEAD: Final = 4409
RECHECK_S: Final = 5.0
"""How often it is looked whether the key of an open socket is still in force."""


class EventFilters(BaseModel):
    """Which events a socket gets: all filters hold together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    execution: str | None = Field(None, max_length=200)
    category: str | None = Field(None, max_length=200, description="The template's category.")
    template: str | None = Field(None, max_length=200)
    type: tuple[str, ...] = Field(
        (), max_length=50, description="Types of events; `step.*` fits every step event."
    )
    after: int | None = Field(
        None, ge=0, le=MAX_NUMBER, description="A sequence; `since` says the same."
    )

    @classmethod
    def of(cls, query: QueryParams) -> EventFilters:
        """From a query string. Raises 422."""
        given: dict[str, Any] = dict(query.items())
        if "since" in given:
            given.setdefault("after", given.pop("since"))
        if "type" in given:
            given["type"] = query.getlist("type")
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise problems.from_pydantic(error) from None

    def accept_for(self, principal: Principal) -> Accept:
        """Tells whether an event is for this socket; only who may see the audit trail gets it."""
        sees_audit = principal.may(Permission.AUDIT)

        def accept(kept: SequencedEvent) -> bool:
            event = kept.event
            return (
                self.execution in (None, event.execution_id)
                and self.category in (None, event.category)
                and self.template in (None, event.template_id)
                and (not self.type or any(_type_fits(t, event.type) for t in self.type))
                and (sees_audit or not event.type.startswith(AUDIT_PREFIX))
            )

        return accept


class AheadError(Exception):
    """A socket wants to go on behind an event that there has not been."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who is at the other end, and the secret that said so."""

    principal: Principal
    secret: str


@router.get("/api/v1/events", status_code=426, response_class=JSONResponse)
async def events_over_websocket(
    _reader: Reader, _filters: Annotated[EventFilters, Query()]
) -> Response:
    """Public events as they happen, over a WebSocket at this address, with this query. A browser
    sends `{"auth": "hive_…"}` as its first message. Each message is `{"seq": …, "event": {…}}`, the
    first one `{"ready": {"seq": …}}`. A plain GET is a 426."""
    raise problems.problem(
        "upgrade-required",
        "Events come over a WebSocket. Connect with ws:// or wss:// to this address.",
        headers={"Upgrade": "websocket"},
    )


@router.websocket("/api/v1/events")
async def follow_events(socket: WebSocket) -> None:
    """Serve one socket from its handshake to its end."""
    gateway = gateway_of(socket)
    try:
        if len(gateway.sockets) >= gateway.settings.gateway_max_sockets:
            raise problems.problem(
                "too-many-requests", "Too many sockets are open here. Close some, or wait."
            )
        filters = EventFilters.of(socket.query_params)
        caller = await _caller_in_header(socket)
    except problems.ProblemError as error:
        await socket.send_denial_response(problem_response(error))
        return
    await socket.accept()
    gateway.sockets.add(socket)
    socket.app.state.meter.websockets.inc()
    try:
        caller = caller or await _authenticate_by_message(gateway, socket)
        if caller is not None:
            await _serve(gateway, socket, filters, caller)
    finally:
        gateway.sockets.discard(socket)
        socket.app.state.meter.websockets.dec()


async def _caller_in_header(socket: WebSocket) -> _Caller | None:
    """The caller whose key is in a header; `None` when there is none. Raises 401, 403 and 429."""
    secret = secret_of(socket)
    if secret is None:
        return None
    principal = await authenticate(socket)
    require(principal, Permission.READ)
    return _Caller(principal, secret)


async def _authenticate_by_message(gateway: Gateway, socket: WebSocket) -> _Caller | None:
    """The key in the first message; `None` when the socket was closed for want of a good one."""
    address = socket.client.host if socket.client else "unknown"
    try:
        async with asyncio.timeout(AUTH_TIMEOUT_S):
            message = json.loads(await socket.receive_text())
        given = message.get("auth") if isinstance(message, dict) else None
        secret = given if isinstance(given, str) else ""
        principal = await identify(gateway, secret or None, address)
        require(principal, Permission.READ)
    except problems.ProblemError as error:
        code = FORBIDDEN if error.details.status == 403 else UNAUTHENTICATED
        await _close(socket, code, error.details.title)
    except (TimeoutError, ValueError, KeyError):
        await _close(socket, UNAUTHENTICATED, 'first message must be {"auth": "hive_…"}')
    except WebSocketDisconnect:
        return None
    else:
        return _Caller(principal, secret)
    return None


async def _serve(
    gateway: Gateway, socket: WebSocket, filters: EventFilters, caller: _Caller
) -> None:
    """Send events until the client goes, is too slow, its key is revoked, or the gateway stops."""
    slow = asyncio.Event()
    position = await gateway.hub.last_seq() if filters.after is None else filters.after
    progress = _Progress(position)
    principal = caller.principal
    sending = asyncio.create_task(_send(gateway, socket, filters, principal, progress, slow))
    revoked = asyncio.create_task(_until_revoked(gateway, caller))
    tasks = {
        sending,
        revoked,
        asyncio.create_task(_until_gone(socket)),
        asyncio.create_task(slow.wait()),
    }
    ended_by: set[asyncio.Task[Any]] = set()
    try:
        ended_by, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    too_slow = slow.is_set() or any(isinstance(r, SlowFollowerError) for r in results)
    _log_defects(results)
    if revoked in ended_by:
        await _close(socket, UNAUTHENTICATED, "the API key was revoked")
    elif any(isinstance(r, AheadError) for r in results):
        await _close(socket, AHEAD, "after lies ahead of the newest event; begin without it")
    elif too_slow:
        reason = f"too slow; go on with after={progress.seq}"
        log.info("socket dropped", key=principal.name, last_seq=progress.seq)
        await _close(socket, TOO_SLOW, reason)
    elif sending.done() and not sending.cancelled():
        await _close(socket, 1011, f"go on with after={progress.seq}")


class _Progress:
    """The last sequence that was sent."""

    def __init__(self, seq: int) -> None:
        self.seq = seq


async def _send(
    gateway: Gateway,
    socket: WebSocket,
    filters: EventFilters,
    principal: Principal,
    progress: _Progress,
    slow: asyncio.Event,
) -> None:
    await socket.send_text(json.dumps({"ready": await _ready(gateway, filters, progress.seq)}))
    following = gateway.hub.follow(
        progress.seq,
        filters.accept_for(principal),
        gateway.settings.gateway_socket_queue,
        on_slow=slow.set,
        execution_id=filters.execution,
    )
    async with contextlib.aclosing(following) as events:
        async for kept in events:
            event = kept.event.model_dump(mode="json", exclude_defaults=True)
            text = json.dumps({"seq": kept.seq, "event": masked(event)}, ensure_ascii=False)
            await socket.send_text(text)
            progress.seq = kept.seq


async def _ready(gateway: Gateway, filters: EventFilters, position: int) -> dict[str, Any]:
    """Where the socket begins, and what of that which it asked for is lost. Raises `AheadError`."""
    ready: dict[str, Any] = {"seq": position}
    if not filters.after:
        return ready
    newest = await gateway.hub.last_seq()
    if position > newest and position > await gateway.parts.events.last_seq():
        raise AheadError
    if not gateway.hub.keeps(position):
        oldest = await gateway.parts.events.oldest_seq()
        if position + 1 < oldest:
            ready["lost"] = {"from": position + 1, "to": oldest - 1}
    return ready


async def _until_revoked(gateway: Gateway, caller: _Caller) -> None:
    """Return once the caller's key is known to be out of force; an outage does not end a socket."""
    while True:
        await asyncio.sleep(RECHECK_S)
        with contextlib.suppress(Exception):
            if await gateway.keys.identify(caller.secret) is None:
                return


async def _until_gone(socket: WebSocket) -> None:
    """Read (and ignore) what the client says, until it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Close, without waiting for ever for a client that does not read."""
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    await _within(CLOSE_TIMEOUT_S, socket.close(code, reason[:100]))


async def _within(seconds: float, done: Awaitable[None]) -> None:
    with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(seconds):
            await done


def _log_defects(results: list[Any]) -> None:
    expected = (asyncio.CancelledError, SlowFollowerError, AheadError, WebSocketDisconnect)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, expected):
            log.error("socket failed", error=repr(result)[:300])


def _type_fits(pattern: str, event_type: str) -> bool:
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return pattern in ("*", event_type)
