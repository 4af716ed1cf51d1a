"""Bounds of a body, checked before anything works with it: its size, how deep its JSON nests, and
that what says it is JSON is JSON.

A body is read up to its bound and handed on whole. One that declares to be larger is refused
before a byte of it is read.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway import problems
from services.gateway.middleware.answers import send_problem
from services.gateway.middleware.strict_json import why_not_json

MAX_JSON_DEPTH: Final = 64

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)
_OPENING: Final = (b"[", b"{")
_CLOSING: Final = (b"]", b"}")


class BodyBounds:
    """Refuses bodies of more than `max_bytes` (413), and JSON that is none or nests too deeply
    (400)."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the bounds."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
            _check_json(Headers(scope=scope), body)
        except problems.ProblemError as error:
            await send_problem(error, scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; `None` when the client went away. Raises 413 and 400."""
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                break
        body = b"".join(parts)
        if "json" in headers.get("content-type", "json") and json_is_too_deep(body):
            raise problems.problem(
                "malformed-body", f"The JSON nests deeper than {MAX_JSON_DEPTH} levels. Flatten it."
            )
        return body

    def _too_large(self) -> problems.ProblemError:
        return problems.problem(
            "too-large",
            f"A body may have at most {self._max_bytes} bytes (HIVE_GATEWAY_MAX_BODY_BYTES). Put "
            "large content where the steps can fetch it, and send its address.",
            headers={"Connection": "close"},
        )


def _check_json(headers: Headers, body: bytes | None) -> None:
    """Raises 400 for a body that says it is JSON and is not; an empty one is left to the route."""
    reason = why_not_json(body) if body and is_json(headers) else None
    if reason is not None:
        detail = f"The body is not valid JSON: {reason}. Send JSON."
        raise problems.problem("malformed-body", detail)


def is_json(headers: Headers) -> bool:
    """Whether a body says that it is JSON."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def json_is_too_deep(body: bytes, limit: int = MAX_JSON_DEPTH) -> bool:
    """True when brackets outside of strings nest deeper than `limit`, valid JSON or not."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    depth = 0
    for match in _TOKENS.finditer(body):
        token = match.group()
        if token in _OPENING:
            depth += 1
            if depth > limit:
                return True
        elif token in _CLOSING:
            depth -= 1
    return False


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
