"""Request and reply over NATS: typed both ways, errors included."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from pymongo.errors import AutoReconnect

from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.rpc import RpcService, call
from shared.contracts.rpc import ById, Done, Endpoint
from shared.ports.collective import (
    CollectiveError,
    ConflictError,
    HiveUnavailableError,
    InvalidRequestError,
    NotFoundError,
)

ASK = Endpoint("test", "ask", ById, Done)


@dataclass
class Served:
    """A service whose handler does what the test says."""

    bus: Bus
    error: Exception | None = None

    async def handle(self, request: ById) -> Done:
        if self.error is not None:
            raise self.error
        return Done(done=request.id == "yes")


@pytest.fixture
async def served(nats_url: str) -> AsyncIterator[Served]:
    bus = await connect(nats_url, "test")
    serving = Served(bus)
    service = RpcService(bus, "test", "1.0.0")
    await service.start()
    await service.serve(ASK, serving.handle)
    yield serving
    await service.close()
    await bus.close()


async def test_asks_and_answers(served: Served) -> None:
    """The handler gets what was asked, the caller what was answered."""
    assert await call(served.bus, ASK, ById(id="yes")) == Done(done=True)
    assert await call(served.bus, ASK, ById(id="no")) == Done(done=False)


@pytest.mark.parametrize(
    "error",
    [NotFoundError("nothing"), ConflictError("Ä: 100%\nsecond line"), InvalidRequestError("x")],
    ids=lambda error: type(error).__name__,
)
async def test_errors_keep_type_and_words(served: Served, error: CollectiveError) -> None:
    """What the service raises is raised by the caller: same type, same words, in any alphabet."""
    served.error = error
    with pytest.raises(type(error)) as caught:
        await call(served.bus, ASK, ById(id="yes"))
    assert str(caught.value) == str(error)


async def test_an_outage_behind_it_may_be_tried_again(served: Served) -> None:
    """A database that is away is unavailability, without its address in the words."""
    served.error = AutoReconnect("mongodb://secret@host")
    with pytest.raises(HiveUnavailableError, match="MongoDB does not answer"):
        await call(served.bus, ASK, ById(id="yes"))


async def test_a_defect_is_told_without_its_data(served: Served) -> None:
    """Any other exception is named by its type only."""
    served.error = KeyError("password")
    with pytest.raises(CollectiveError, match=r"^ask: KeyError$"):
        await call(served.bus, ASK, ById(id="yes"))


async def test_nobody_there(served: Served) -> None:
    """Without a service, or before it is there, the caller waits for its time and then says so."""
    missing = Endpoint("test", "missing", ById, Done)
    with pytest.raises(HiveUnavailableError, match="is a test service running"):
        await call(served.bus, missing, ById(id="yes"), timeout_s=0.3)


async def test_what_cannot_be_read_is_refused(served: Served) -> None:
    """A malformed request names the field."""
    reply = await served.bus.client.request("hive.rpc.test.ask", b'{"id": ""}', timeout=5)
    assert reply.headers is not None
    assert reply.headers["Nats-Service-Error-Code"] == "invalid"
    assert reply.headers["Nats-Service-Error"].startswith("id")


async def test_is_discoverable_and_counts(served: Served) -> None:
    """The service answers discovery, and its statistics count requests and errors."""
    await call(served.bus, ASK, ById(id="yes"))
    served.error = NotFoundError("nothing")
    with pytest.raises(NotFoundError):
        await call(served.bus, ASK, ById(id="yes"))
    reply = await served.bus.client.request("$SRV.STATS.test", b"", timeout=5)
    (endpoint,) = json.loads(reply.data)["endpoints"]
    assert (endpoint["num_requests"], endpoint["num_errors"]) == (2, 1)


async def test_two_services_share_requests(served: Served, nats_url: str) -> None:
    """Each request is answered once, though two processes serve the endpoint."""
    other = Served(await connect(nats_url, "other"))
    service = RpcService(other.bus, "test", "1.0.0")
    await service.start()
    await service.serve(ASK, other.handle)
    answers = [await call(served.bus, ASK, ById(id="yes")) for _ in range(20)]
    assert answers == [Done(done=True)] * 20
    await service.close()
    await other.bus.close()
