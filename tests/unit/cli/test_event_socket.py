"""Following events survives lost connections: nothing is missed, nothing comes twice."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from services.cli import event_socket
from services.cli.connection import Connection
from services.cli.event_socket import EventSocket
from services.cli.outcome import CliError, ExitCode

EVENTS = 7
PER_CONNECTION = 3


def _event(seq: int) -> str:
    event = {"id": f"ex_1.{seq}", "type": "step.started", "at_ms": seq, "execution_id": "ex_1"}
    return json.dumps({"seq": seq * 10, "event": {**event, "version": seq}})


class Gateway:
    """A door that closes after a few events, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.keys: list[str] = []
        self.refusals: list[int] = []

    def answer(self, connection: ServerConnection) -> None:
        """Send what comes after the asked sequence, then hang up without a word."""
        request = connection.request
        assert request is not None
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(query)
        self.keys.append(request.headers["Authorization"])
        connection.send(json.dumps({"ready": {"seq": 0}}))
        after = int(query["after"][0]) // 10
        if after > EVENTS:
            connection.close(event_socket.AHEAD, "after lies ahead")
            return
        for seq in range(after + 1, min(after + PER_CONNECTION, EVENTS) + 1):
            connection.send(_event(seq))
        if after + PER_CONNECTION < EVENTS:
            connection.socket.close()
        else:
            connection.recv()

    def refuse(self, connection: ServerConnection, _request: Request) -> Response | None:
        """Answer the handshake with the next status of `refusals`, if there is one."""
        if not self.refusals:
            return None
        return connection.respond(self.refusals.pop(0), "not now")


@contextmanager
def open_gateway(gateway: Gateway) -> Iterator[Connection]:
    """Serve it on a free port of the loopback."""
    with serve(gateway.answer, "127.0.0.1", 0, process_request=gateway.refuse) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.socket.getsockname()[1]
        try:
            yield Connection(f"http://127.0.0.1:{port}", "hive_key")
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_socket, "RECONNECT_DELAYS_S", (0.0,) * 5)


def test_lost_connections_are_opened_again_where_they_broke() -> None:
    """Three connections give seven events, each once, in order."""
    gateway = Gateway()
    said: list[str] = []
    with open_gateway(gateway) as connection:
        socket = EventSocket(connection, said.append, execution="ex_1", after=0)
        seen: list[int] = []
        reading = socket.read(5)
        while len(seen) < EVENTS:
            event = next(reading)
            assert event is not None
            seen.append(event.version)
        reading.close()  # type: ignore[attr-defined]
    assert seen == list(range(1, EVENTS + 1))
    assert [query["after"] for query in gateway.asked] == [["0"], ["30"], ["60"]]
    assert all(query["execution"] == ["ex_1"] for query in gateway.asked)
    assert gateway.keys == ["Bearer hive_key"] * 3
    assert len(said) == 2
    assert all("connecting again" in sentence for sentence in said)


def test_a_stream_that_was_made_anew_is_read_from_its_beginning() -> None:
    """A gateway that knows no such sequence is asked for everything, and nothing comes twice."""
    gateway = Gateway()
    with open_gateway(gateway) as connection:
        socket = EventSocket(connection, lambda _: None, execution="ex_1", after=60)
        reading = socket.read(5)
        first = next(reading)
        assert first is not None
        reading.close()  # type: ignore[attr-defined]
        socket._filters["after"] = 990
        reading = socket.read(0.2)
        assert next(reading) is None, "all seven were told before, or are older than what was"
        reading.close()  # type: ignore[attr-defined]
    assert [query["after"] for query in gateway.asked] == [["60"], ["990"], ["0"], ["30"], ["60"]]


def test_a_gateway_that_restarts_is_waited_for() -> None:
    """Answers of a server that is not there yet (5xx) are reason to try again."""
    gateway = Gateway()
    gateway.refusals = [503, 502]
    with open_gateway(gateway) as connection:
        reading = EventSocket(connection, lambda _: None, after=60).read(5)
        event = next(reading)
        assert event is not None
        assert event.version == 7
        reading.close()  # type: ignore[attr-defined]


def test_a_refusal_is_said_at_once() -> None:
    """A wrong key is no reason to try again."""
    gateway = Gateway()
    gateway.refusals = [401]
    with (
        open_gateway(gateway) as connection,
        pytest.raises(CliError, match="refuses events: 401") as caught,
    ):
        next(EventSocket(connection, lambda _: None, after=0).read(5))
    assert caught.value.code is ExitCode.NOT_REACHABLE


def test_a_gateway_that_stays_away_is_given_up() -> None:
    """After the last try the sentence says that the execution goes on."""
    gateway = Gateway()
    with open_gateway(gateway) as connection:
        pass
    with pytest.raises(CliError, match="The execution goes on without it"):
        next(EventSocket(connection, lambda _: None, after=0).read(5))
