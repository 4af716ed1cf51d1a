"""The http command against a real server: judging, bounds, policy, secrets, clear failures."""

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.executor.commands.base import Cancelled, Completed, Failed, JsonObject, TimedOut
from services.executor.commands.http import HttpCommand
from services.executor.policy import Policy
from shared.commands.http import HttpParameters
from shared.net import pinned_http
from tests.integration.commands.http_server import HttpServer, running_server, self_signed
from tests.unit.commands.contexts import Stage


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with running_server() as running:
        yield running


@pytest.fixture
def fresh_tls() -> Iterator[None]:
    """Certificates are read anew before and after."""
    pinned_http.tls_context.cache_clear()
    yield
    pinned_http.tls_context.cache_clear()


def parameters(**given: Any) -> HttpParameters:
    return HttpParameters.model_validate(given)


async def completed(stage: Stage, **given: Any) -> JsonObject:
    outcome = await HttpCommand().run(parameters(**given), stage.context())
    assert isinstance(outcome, Completed), outcome
    return outcome.output


async def failed(stage: Stage, *, policy: Policy | None = None, **given: Any) -> Failed:
    outcome = await HttpCommand().run(parameters(**given), stage.context(policy=policy))
    assert isinstance(outcome, Failed), outcome
    return outcome


async def test_get_with_query_and_headers(stage: Stage, server: HttpServer) -> None:
    """Query and headers arrive; JSON by content type is parsed."""
    output = await completed(
        stage,
        url=server.url("/echo?a=1"),
        query={"b": ["2", "ü"], "c": True},
        headers={"X-Own": "yes"},
    )
    assert output["status"] == 200
    assert output["json"]["target"] == "/echo?a=1&b=2&b=%C3%BC&c=true"
    assert output["json"]["headers"]["x-own"] == "yes"
    assert output["json"]["headers"]["host"] == f"127.0.0.1:{server.port}"
    assert output["url"] == server.url("/echo")


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        ({"json": {"ä": [1]}}, '{"ä": [1]}', "application/json"),
        ({"json": None}, "null", "application/json"),
        ({"body": "plain"}, "plain", None),
    ],
)
async def test_bodies(
    stage: Stage, server: HttpServer, body: JsonObject, sent: str, content_type: str | None
) -> None:
    """JSON and text bodies arrive as they were given."""
    output = await completed(stage, method="POST", url=server.url("/echo"), **body)
    assert output["json"]["body"] == sent
    assert output["json"]["headers"].get("content-type") == content_type


@pytest.mark.parametrize(
    ("status", "retryable"), [(404, False), (500, True), (503, True), (429, True), (401, False)]
)
async def test_unexpected_status(
    stage: Stage, server: HttpServer, status: int, retryable: bool
) -> None:
    """Another status fails, shows the response, and says whether trying again may help."""
    outcome = await failed(stage, url=server.url(f"/status/{status}"))
    assert (outcome.code, outcome.retryable) == ("unexpected_status", retryable)
    assert outcome.output["body"] == "status page"
    expected = await completed(stage, url=server.url(f"/status/{status}"), expect_status=[status])
    assert expected["status"] == status


async def test_redirects_are_bounded(stage: Stage, server: HttpServer) -> None:
    """As many redirects as allowed; not one more; none if not wanted."""
    output = await completed(stage, url=server.url("/redirect/3"), follow_redirects=3)
    assert (output["body"], output["redirects"]) == ("arrived", 3)
    outcome = await failed(stage, url=server.url("/redirect/4"), follow_redirects=3)
    assert outcome.code == "too_many_redirects"
    plain = await failed(stage, url=server.url("/redirect/1"), follow_redirects=0)
    assert (plain.code, plain.output["status"]) == ("unexpected_status", 302)


async def test_redirect_elsewhere_gets_no_secrets(stage: Stage, server: HttpServer) -> None:
    """Another origin is sent no secret header, but the others."""
    headers = {"Authorization": "Bearer abcdef", "X-Api-Key": "k-123456", "X-Plain": "p"}
    await completed(stage, url=server.url("/elsewhere"), headers=headers)
    seen = server.requests[-1].headers
    assert "authorization" not in seen
    assert "x-api-key" not in seen
    assert seen["x-plain"] == "p"
    assert seen["host"].startswith("localhost")


async def test_redirects_obey_the_policy(stage: Stage, server: HttpServer) -> None:
    """A redirect to a denied address is refused by the same rule."""
    outcome = await failed(stage, url=server.url("/metadata"))
    assert outcome.code == "refused_by_policy"
    assert outcome.output["rule"] == "http.deny_hosts[0]: '169.254.0.0/16'"
    assert (await failed(stage, url=server.url("/ftp"))).code == "invalid_url"


async def test_policy_decides_by_resolved_address(stage: Stage, server: HttpServer) -> None:
    """A name is judged by the addresses it stands for; nothing is sent."""
    policy = Policy.model_validate({"http": {"deny_hosts": ["127.0.0.0/8", "::1"]}})
    for host in ("127.0.0.1", "localhost"):
        outcome = await failed(stage, policy=policy, url=server.url("/echo", host))
        assert outcome.code == "refused_by_policy"
    private = Policy.model_validate({"http": {"allow_private": False}})
    outcome = await failed(stage, policy=private, url=server.url("/echo"))
    assert outcome.output["rule"] == "http.allow_private: false"
    assert server.requests == []


async def test_secrets_are_never_echoed(stage: Stage, server: HttpServer) -> None:
    """What the server sends back of a secret, or an error says of it, is hidden."""
    secret = "s3cr3t-t0ken-value"
    headers = {"Authorization": f"Bearer {secret}", "X-Api-Key": secret + "2"}
    output = await completed(stage, url=server.url("/echo"), headers=headers)
    assert server.requests[-1].headers["authorization"] == f"Bearer {secret}"
    assert secret not in json.dumps(output)
    assert "[hidden]" in output["body"]
    url = f"http://user:{secret}@127.0.0.1:{server.port}/status/404?token={secret}"
    outcome = await failed(stage, url=url, headers=headers)
    assert secret not in str(outcome)
    dead = await failed(stage, url=f"http://user:{secret}@127.0.0.1:1/?token={secret}")
    assert secret not in str(dead)


async def test_cookies_are_not_returned(stage: Stage, server: HttpServer) -> None:
    """Set-Cookie stays out of the output, other headers are in it."""
    output = await completed(stage, url=server.url("/cookie"))
    assert output["headers"]["x-a"] == "b"
    assert "12345678" not in json.dumps(output)


async def test_large_bodies_are_cut(stage: Stage, server: HttpServer) -> None:
    """A large body, or one that unfolds to be large, is kept up to the bound and flagged."""
    for path in ("/large/5000000", "/bomb"):
        output = await completed(stage, url=server.url(path))
        assert output["body_truncated"]
        assert len(json.dumps(output)) < 256 * 1024


@pytest.mark.parametrize("name", ["gzip", "members", "deflate", "raw-deflate", "named-plain"])
async def test_packed_bodies(stage: Stage, server: HttpServer, name: str) -> None:
    """A packed body is unpacked, in each form that servers send."""
    assert (await completed(stage, url=server.url(f"/packed/{name}")))["body"] == "unpacked"


async def test_nested_bomb_is_not_unpacked(stage: Stage, server: HttpServer) -> None:
    """A body of less than a kilobyte that unfolds to 100 MB is refused before it takes memory."""
    tracemalloc.start()
    try:
        outcome = await failed(stage, url=server.url("/packed/nested"))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (outcome.code, outcome.retryable) == ("invalid_response", False)
    assert "'gzip, gzip'" in outcome.message
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize("name", ["unknown", "cut", "no-gzip"])
async def test_what_cannot_be_unpacked(stage: Stage, server: HttpServer, name: str) -> None:
    """A body that is not what it says fails, and is not taken for a short one."""
    assert (await failed(stage, url=server.url(f"/packed/{name}"))).code == "invalid_response"


async def test_header_values_beyond_ascii(stage: Stage, server: HttpServer) -> None:
    """A header's value may hold any text: it is sent as UTF-8, also after a redirect."""
    for path in ("/echo", "/elsewhere"):
        await completed(stage, url=server.url(path), headers={"X-Place": " Köln "})
        assert server.requests[-1].headers["x-place"].encode("latin-1").decode() == "Köln"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
def test_framing_is_not_for_authors(name: str) -> None:
    """A header that says where a message ends is refused before anything is sent."""
    with pytest.raises(ValidationError, match=f"leave out {name}"):
        parameters(url="http://127.0.0.1/", headers={name: "5"})


async def test_odd_bodies(stage: Stage, server: HttpServer) -> None:
    """Bytes that are no text are replaced; a body that only claims to be JSON is text."""
    assert (await completed(stage, url=server.url("/bytes")))["body_bytes"] == 256
    output = await completed(stage, url=server.url("/notjson"))
    assert (output["json"], output["body"]) == (None, "{oops")


async def test_unreachable_has_a_code(stage: Stage) -> None:
    """Nobody listening, and no such name, are told apart; both may pass."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        refused = await failed(stage, url=f"http://127.0.0.1:{port}/")
    assert (refused.code, refused.retryable) == ("connection_refused", True)
    unknown = await failed(stage, url="http://no-such-host.invalid/")
    assert (unknown.code, unknown.retryable) == ("dns_failed", True)


async def test_timeout_deadline_and_cancel(stage: Stage, server: HttpServer) -> None:
    """The request's own timeout is a failure; the step's deadline and cancellation are outcomes."""
    slow = server.url("/slow")
    outcome = await failed(stage, url=slow, timeout_s=0.05)
    assert (outcome.code, outcome.retryable) == ("http_timeout", True)
    late = await HttpCommand().run(parameters(url=slow), stage.context(deadline_s=0.05))
    assert isinstance(late, TimedOut)
    server.slow_arrived.clear()
    task = asyncio.create_task(HttpCommand().run(parameters(url=slow), stage.context()))
    await server.slow_arrived.wait()
    stage.cancelled.set()
    assert isinstance(await task, Cancelled)


async def test_broken_exchange(stage: Stage, server: HttpServer) -> None:
    """A connection that breaks off in the middle of the body is a failure, not a short answer."""
    outcome = await failed(stage, url=server.url("/broken"))
    assert (outcome.code, outcome.retryable) == ("connection_broken", True)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://host:99999/", "http:///path"])
async def test_invalid_urls(stage: Stage, url: str) -> None:
    """What is no address fails at once."""
    assert (await failed(stage, url=url)).code == "invalid_url"


@pytest.mark.usefixtures("fresh_tls")
async def test_tls_is_verified_for_the_name(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown certificate is refused; a known one is accepted for its name only."""
    certificate, context = self_signed(tmp_path)
    async with running_server(context) as server:
        outcome = await failed(stage, url=server.url("/echo", "localhost"))
        assert (outcome.code, outcome.retryable) == ("tls_failed", False)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        pinned_http.tls_context.cache_clear()
        assert (await completed(stage, url=server.url("/echo", "localhost")))["status"] == 200
        assert (await failed(stage, url=server.url("/echo"))).code == "tls_failed"
