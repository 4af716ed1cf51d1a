"""The small HTTP door, over real connections on loopback."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from shared.runtime import metrics_server
from shared.runtime.meters import ErrorMeter
from shared.runtime.metrics_server import MetricsServer


class Dependency:
    """Something a service depends on, which can be away."""

    away = False

    async def probe(self) -> None:
        if self.away:
            raise ConnectionError("nobody answers")


@pytest.fixture
def dependency() -> Dependency:
    return Dependency()


@pytest.fixture
async def server(dependency: Dependency) -> AsyncIterator[MetricsServer]:
    registry = CollectorRegistry()
    ErrorMeter(registry).count("nats")
    running = MetricsServer(registry, probes={"nats": dependency.probe})
    await running.start()
    yield running
    await running.stop()


async def get(server: MetricsServer, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, f"http://127.0.0.1:{server.port}{path}")


async def raw(server: MetricsServer, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


async def test_metrics_are_served(server: MetricsServer) -> None:
    """The registry comes in the Prometheus text format, with help and type; a query is ignored."""
    answer = await get(server, "/metrics?x=1")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE hive_errors_total counter" in answer.text
    assert 'hive_errors_total{kind="nats"} 1.0' in answer.text


async def test_liveness_answers(server: MetricsServer) -> None:
    """A loop that runs is live."""
    assert (await get(server, "/health/live")).json() == {"status": "live"}


async def test_readiness_follows_the_probes(server: MetricsServer, dependency: Dependency) -> None:
    """A dependency that does not answer makes the service not ready, named with its reason."""
    ready = await get(server, "/health/ready")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"nats": "ok"})
    dependency.away = True
    away = await get(server, "/health/ready")
    assert away.status_code == 503
    assert away.json()["checks"] == {"nats": "ConnectionError: nobody answers"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/x", 404), ("POST", "/metrics", 405), ("HEAD", "/x", 404)],
)
async def test_anything_else_is_refused(
    server: MetricsServer, method: str, path: str, status: int
) -> None:
    """Other paths and methods are answered with what to do instead."""
    answer = await get(server, path, method)
    assert answer.status_code == status
    assert bool(answer.content) is (method != "HEAD")


async def test_long_head_is_refused(server: MetricsServer) -> None:
    """A request head beyond the bound is answered, not read."""
    head = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (4 * metrics_server.MAX_HEAD_BYTES)
    assert (await raw(server, head + b"\r\n\r\n")).startswith(b"HTTP/1.1 431 ")


async def test_silent_client_is_cut_off(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sends nothing does not hold its connection for ever."""
    monkeypatch.setattr(metrics_server, "CLIENT_TIMEOUT_S", 0.05)
    assert await raw(server, b"GET /metrics") == b""
    assert (await get(server, "/health/live")).status_code == 200


async def test_garbage_is_refused(server: MetricsServer) -> None:
    """What is not HTTP gets an answer and does no harm."""
    assert (await raw(server, b"\xff\xfe\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_taken_port_names_the_setting(server: MetricsServer) -> None:
    """The error says which setting to change."""
    with pytest.raises(OSError, match=rf"{server.port}.*HIVE_METRICS_PORT"):
        await MetricsServer(CollectorRegistry(), port=server.port).start()


def test_port_before_start_is_an_error() -> None:
    """There is no port to tell before it listens."""
    with pytest.raises(RuntimeError, match=re.escape("before it was started")):
        _ = MetricsServer(CollectorRegistry()).port
