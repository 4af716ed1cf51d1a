"""`http`: one request, its redirects, and a response read within bounds."""

import asyncio
import codecs
import json
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel

from services.executor.commands.base import (
    CommandContext,
    Completed,
    Failed,
    JsonObject,
    Outcome,
    StopProof,
)
from services.executor.commands.capture import shortened
from services.executor.commands.guarded_http import (
    GuardedTransport,
    PolicyRefusedError,
    ResolveError,
)
from services.executor.commands.http_body import ACCEPTED, read_body
from services.executor.commands.interruption import Interruption, interrupted, race
from services.executor.commands.refusal import refused
from services.executor.commands.secret_headers import Scrubber, shown, without_secrets
from shared.commands.http import SPEC, HttpOutput, HttpParameters
from shared.commands.spec import CommandSpec

HEADERS_LIMIT = 64
"""Most response headers that are returned."""

HEADER_VALUE_LIMIT = 512
"""Longest response header value, in characters, that is returned whole."""

USER_AGENT = "haivemind-workflows"

_HIDDEN_RESPONSE_HEADERS = frozenset({"set-cookie", "set-cookie2"})
_RETRYABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class _Answer:
    """A response with the part of its body that was kept, and how it was reached."""

    response: httpx.Response
    body: bytes
    truncated: bool
    redirects: int


class _TooManyRedirectsError(Exception):
    pass


class HttpCommand:
    """Sends requests."""

    spec: CommandSpec = SPEC
    parameters: type[BaseModel] = HttpParameters

    async def run(self, params: HttpParameters, context: CommandContext) -> Outcome:
        """Send the request, follow redirects, judge the status."""
        try:
            url = httpx.URL(params.url)
        except httpx.InvalidURL as error:
            return Failed("invalid_url", f"'url' is not an address: {error}")
        if not url.host:
            return Failed("invalid_url", "'url' has no host")
        scrubber = Scrubber(params.headers, url)
        started = time.monotonic()
        try:
            answer = await race(_exchange(params, url, context), context)
        except PolicyRefusedError as error:
            return refused(error.decision)
        except _TooManyRedirectsError:
            message = f"more than {params.follow_redirects} redirects from {shown(url)}"
            return Failed("too_many_redirects", message)
        except (httpx.HTTPError, httpx.InvalidURL, ResolveError, TimeoutError) as error:
            return _broken(error, shown(url), params, scrubber)
        if isinstance(answer, Interruption):
            return interrupted(answer, StopProof(True, "the connection was closed"))
        duration_s = round(time.monotonic() - started, 6)
        return _judge(params, answer, scrubber, duration_s, context.output_limit_bytes)


async def _exchange(params: HttpParameters, url: httpx.URL, context: CommandContext) -> _Answer:
    # The output holds the body twice if it is JSON.
    keep_bytes = context.output_limit_bytes // 4
    async with (
        asyncio.timeout(params.timeout_s),
        httpx.AsyncClient(
            transport=GuardedTransport(context.policy), timeout=params.timeout_s, trust_env=False
        ) as client,
    ):
        request = _request(client, params, url)
        for redirects in range(params.follow_redirects + 1):
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                following = response.next_request if params.follow_redirects else None
                if following is None:
                    body, truncated = await read_body(response, keep_bytes)
                    return _Answer(response, body, truncated, redirects)
            finally:
                await response.aclose()
            request = _towards(following, request)
        raise _TooManyRedirectsError


def _request(client: httpx.AsyncClient, params: HttpParameters, url: httpx.URL) -> httpx.Request:
    headers = _request_headers(params)
    content: bytes | None = None
    if "json_body" in params.model_fields_set:
        content = json.dumps(params.json_body, ensure_ascii=False).encode()
        headers.setdefault("content-type", "application/json")
    elif params.body is not None:
        content = params.body.encode()
    query: dict[str, Any] = params.query
    return client.build_request(
        params.method,
        url.copy_merge_params(query) if query else url,
        headers=headers,
        content=content,
    )


def _request_headers(params: HttpParameters) -> httpx.Headers:
    """The given headers, which win, and this command's own; values that are not ASCII as UTF-8."""
    own = {"user-agent": USER_AGENT, "accept-encoding": ACCEPTED}
    headers = httpx.Headers(own)
    headers.update(
        httpx.Headers([(n.encode(), v.strip().encode()) for n, v in params.headers.items()])
    )
    return headers


def _towards(following: httpx.Request, previous: httpx.Request) -> httpx.Request:
    """A redirect's request: another origin gets no secret header (httpx drops only one)."""
    old, new = previous.url, following.url
    if (old.scheme, old.host, old.port) != (new.scheme, new.host, new.port):
        following.headers = without_secrets(following.headers)
    return following


def _judge(
    params: HttpParameters,
    answer: _Answer,
    scrubber: Scrubber,
    duration_s: float,
    output_limit_bytes: int,
) -> Outcome:
    text, cut = shortened(scrubber.clean(_text(answer)), output_limit_bytes // 4)
    truncated = answer.truncated or cut
    status = answer.response.status_code
    output = HttpOutput(
        status=status,
        url=scrubber.clean(shown(answer.response.url)),
        headers=_headers(answer.response.headers, scrubber),
        body=text,
        body_bytes=len(answer.body),
        body_truncated=truncated,
        json=None,
        redirects=answer.redirects,
        duration_s=duration_s,
    ).model_dump(mode="json", by_alias=True)
    if not _is_expected(status, params.expect_status):
        expected = ", ".join(map(str, params.expect_status or ())) or "200 to 299"
        message = f"status {status} from {output['url']}, expected {expected}"
        return Failed("unexpected_status", message, status in _RETRYABLE_STATUS, output)
    return _with_json(answer.response, output)


def _with_json(response: httpx.Response, output: JsonObject) -> Outcome:
    """Add the parsed body; `json` stays null if the body only claims to be JSON."""
    media_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    if not is_json or output["body_truncated"] or not output["body"]:
        return Completed(output)
    try:
        return Completed(output | {"json": json.loads(output["body"], parse_constant=_no_constant)})
    except (ValueError, RecursionError):
        return Completed(output)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_expected(status: int, expected: list[int] | None) -> bool:
    return 200 <= status < 300 if expected is None else status in expected


def _text(answer: _Answer) -> str:
    charset = answer.response.charset_encoding or "utf-8"
    try:
        codecs.lookup(charset)
        return answer.body.decode(charset, errors="replace")
    # Some codecs Python knows do not make text of bytes.
    except (LookupError, ValueError):
        return answer.body.decode(errors="replace")


def _headers(headers: httpx.Headers, scrubber: Scrubber) -> dict[str, str]:
    visible = [item for item in headers.items() if item[0] not in _HIDDEN_RESPONSE_HEADERS]
    return {
        name: scrubber.clean(value)[:HEADER_VALUE_LIMIT] for name, value in visible[:HEADERS_LIMIT]
    }


def _broken(error: Exception, where: str, params: HttpParameters, scrubber: Scrubber) -> Failed:
    """Why there was no response. Trying again may help unless the request itself is at fault."""
    cause = scrubber.clean(str(error)) or type(error).__name__
    if isinstance(error, ResolveError):
        return Failed("dns_failed", f"the host of {where} could not be resolved: {cause}", True)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Failed("http_timeout", f"{where} did not answer in {params.timeout_s} s", True)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Failed("invalid_url", f"{where} or its redirect is not an http(s) address: {cause}")
    if _caused_by(error, ssl.SSLError):
        return Failed("tls_failed", f"no trusted TLS connection to {where}: {cause}")
    if _caused_by(error, ConnectionRefusedError):
        return Failed("connection_refused", f"nothing accepts connections at {where}", True)
    if isinstance(error, httpx.ConnectError):
        return Failed("connection_failed", f"no connection to {where}: {cause}", True)
    if isinstance(error, httpx.DecodingError):
        return Failed("invalid_response", f"the body from {where} cannot be decoded: {cause}")
    at_fault = isinstance(error, httpx.LocalProtocolError)
    return Failed(
        "connection_broken", f"the exchange with {where} broke off: {cause}", not at_fault
    )


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an exception of this kind is among the causes, also within a group."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if isinstance(error, kind):
            return True
        members = getattr(error, "exceptions", ())
        if any(_caused_by(member, kind) for member in members):
            return True
        error = error.__cause__ or error.__context__
    return False
