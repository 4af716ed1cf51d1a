"""Who gets in at `/mcp`, and what `hv mcp` says when it cannot work."""

import asyncio
import os
import sys

import httpx
import pytest

from shared.mcp.tools import TOOLS
from tests.integration.mcp.conftest import REPO, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream"}


async def post(served: Served, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{served.url}/mcp", json=LIST, headers={**HEADERS, **headers})


async def test_a_key_is_needed(served: Served) -> None:
    """Without a key, or with a wrong one: 401, as a problem."""
    for headers in ({}, {"Authorization": "Bearer hive_wrong"}, {"X-API-Key": "nothing"}):
        answer = await post(served, **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "urn:hive:problem:unauthenticated"


async def test_both_ways_to_send_a_key(served: Served) -> None:
    """As everywhere else: a bearer token, or a header of its own."""
    for headers in ({"Authorization": f"Bearer {served.key}"}, {"X-API-Key": served.key}):
        assert (await post(served, **headers)).status_code == 200


async def test_other_sites_are_refused(served: Served) -> None:
    """A page of another origin, or another name for this address, gets nowhere with any key."""
    key = {"Authorization": f"Bearer {served.key}"}
    page = await post(served, **key, Origin="https://evil.example")
    assert page.status_code == 403
    assert "HIVE_MCP_ALLOWED_ORIGINS" in page.json()["detail"]
    rebound = await post(served, **key, Host="evil.example")
    assert rebound.status_code == 421
    assert "HIVE_MCP_ALLOWED_HOSTS" in rebound.json()["detail"]
    assert (await post(served, **key, Origin=served.url)).status_code == 200


async def test_without_sessions_there_is_nothing_but_post(served: Served) -> None:
    """A stream to listen to, or a session to end, is a 405 at once: nothing is held open."""
    async with httpx.AsyncClient(timeout=10) as http:
        for method in ("GET", "DELETE", "PUT"):
            answer = await http.request(
                method, f"{served.url}/mcp", headers={**HEADERS, "X-API-Key": served.key}
            )
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            assert answer.json()["type"] == "urn:hive:problem:method-not-allowed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(b"{", "line 1"), (b'{"parameters": {"n": NaN}}', "NaN"), (b'{"x": "\\ud800"}', "half a")],
)
async def test_what_is_no_json_is_refused(served: Served, arguments: bytes, said: str) -> None:
    """Broken JSON, and what only some parsers take, is a 400 in words: nothing is made of it."""
    call = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": '
    content = call + b'"workflow_execute", "arguments": ' + arguments + b"}}"
    headers = {**HEADERS, "X-API-Key": served.key, "Content-Type": "application/json"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{served.url}/mcp", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:hive:problem:malformed-body"
    assert said in answer.json()["detail"]


async def test_too_much_is_refused(served: Served) -> None:
    """Bodies are bounded as at every door."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            f"{served.url}/mcp",
            json={**LIST, "params": {"x": "y" * 2_000_000}},
            headers={**HEADERS, "Authorization": f"Bearer {served.key}"},
        )
    assert answer.status_code == 413


async def test_calls_are_audited_under_the_caller(served: Served) -> None:
    """What a tool changes is in the audit trail, with the key that called it."""
    events = served.world.gateway.parts.events
    last = await events.last_seq()
    async with served.http(await served.key_of("operator", "audited")) as client:
        await client.call_tool("memory_remember", {"content": "audited"})
    async for sequenced in events.read(last):
        event = sequenced.event
        if event.type == "audit.remember_memory":
            assert event.data["name"] == "audited"
            return


async def test_requests_are_counted_by_their_route(served: Served) -> None:
    """The door has a name in the metrics."""
    await post(served, Authorization=f"Bearer {served.key}")
    text = (await served.world.client.get("/metrics")).text
    assert 'route="/mcp"' in text


async def hv_mcp(home: str, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.cli", "mcp"),
        cwd=REPO,
        env={"PATH": os.environ["PATH"], "HIVE_HOME": home, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert out == b"", "standard output belongs to the protocol"
    return process.returncode or 0, err.decode()


async def test_hv_mcp_without_a_gateway(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It ends with a sentence on standard error."""
    code, said = await hv_mcp(str(tmp_path_factory.mktemp("home")))
    assert code != 0
    assert "hv up" in said


async def test_a_gateway_that_is_away(served: Served) -> None:
    """Tools say that it cannot be reached; the server goes on."""
    async with Served(served.world, "http://127.0.0.1:9", served.key).stdio() as client:
        result = await client.call_tool("workflow_list", {})
        assert result.is_error
        assert "cannot be reached" in str(result.content)
        assert len((await client.list_tools()).tools) == len(TOOLS)
