"""Around every request: its id, log line, metrics and audit event, and what nobody foresaw.

An unforeseen error becomes a 500 with an incident id; the traceback is in the log beside that id
and nowhere else. An error that means that a server is away becomes a 503.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway import problems
from services.gateway.gateway import Gateway
from services.gateway.middleware.answers import send_problem
from services.gateway.permissions import Principal
from shared.runtime.meters import ErrorMeter, GatewayMeter
from shared.runtime.recording_meter import RecordingMeter

log = structlog.get_logger()

REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
_AUDITED: Final = "/api/"
NOT_AUDITED: Final = frozenset({"record_commands", "suggest_workflows", "autocomplete_sequence"})
"""What is its own trail (the record says who recorded what), and what changes nothing though it is
asked with every prompt."""
_OUTAGES: Final = {"NATS": "nats", "MongoDB": "mongo"}


class Observation:
    """The outermost middleware."""

    def __init__(
        self,
        app: ASGIApp,
        gateway: Gateway,
        meter: GatewayMeter,
        recording: RecordingMeter,
        errors: ErrorMeter,
    ) -> None:
        self._app = app
        self._gateway = gateway
        self._meter = meter
        self._recording = recording
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; sockets have their own log lines."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        request_id = _request_id(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        started = time.perf_counter()
        answer = _Answer(send, request_id)
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            await self._unforeseen(error, scope, receive, answer)
        seconds = time.perf_counter() - started
        self._meter.request(_route(scope), scope["method"], answer.status, seconds)
        self._recording.answered(scope["method"], scope["path"], answer.status)
        _log(scope, answer.status, seconds)
        await self._record(scope, answer.status, request_id)

    async def _unforeseen(
        self, error: Exception, scope: Scope, receive: Receive, answer: _Answer
    ) -> None:
        server = self._gateway.parts.outage_of(error)
        if server is not None:
            self._errors.count(_OUTAGES.get(server, "internal"))
            log.warning("server away", server=server, error=str(error) or type(error).__name__)
            found = problems.unavailable(server)
        else:
            incident = secrets.token_hex(8)
            self._errors.count("internal")
            log.exception("request failed", incident=incident, error=type(error).__name__)
            found = problems.problem(
                "internal",
                f"The gateway has a defect that this request met. Its log tells more under "
                f"incident {incident}.",
                incident=incident,
            )
        if not answer.begun:
            await send_problem(found, scope, receive, answer)

    async def _record(self, scope: Scope, status: int, request_id: str) -> None:
        """Audit a call that changes something, made by somebody we know."""
        principal = scope["state"].get("principal")
        path: str = scope["path"]
        mutating = scope["method"] not in READING and path.startswith(_AUDITED)
        if not mutating or not isinstance(principal, Principal):
            return
        endpoint = scope.get("endpoint")
        action = getattr(endpoint, "__name__", "unknown")
        if action in NOT_AUDITED and status < 400:
            return
        subject = scope["state"].get("subject") or next(iter(scope["path_params"].values()), "none")
        details = {"request": request_id, "path": path[:300], **scope["state"].get("details", {})}
        await self._gateway.audit.record(principal, action, str(subject), str(status), **details)


class _Answer:
    """Adds the request id to the answer and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.begun = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self._request_id
            headers["cache-control"] = headers.get("cache-control", "no-store")
            headers["x-content-type-options"] = "nosniff"
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _route(scope: MutableMapping[str, Any]) -> str | None:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None


def _log(scope: Scope, status: int, seconds: float) -> None:
    principal = scope["state"].get("principal")
    write = log.debug if scope["path"] in _QUIET and status < 400 else log.info
    write(
        "request",
        method=scope["method"],
        path=scope["path"][:300],
        route=_route(scope),
        status=status,
        ms=round(seconds * 1000, 1),
        key=principal.name if isinstance(principal, Principal) else None,
    )
