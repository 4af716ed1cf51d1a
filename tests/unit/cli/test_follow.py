"""A watch shows every event, also those that happen while the socket is away."""

from __future__ import annotations

import json
import threading

import httpx
from websockets.sync.server import ServerConnection, serve

from services.cli.client import Gateway
from services.cli.connection import Connection
from services.cli.faces import QuietFace
from services.cli.follow import follow
from services.cli.progress import Progress
from shared.contracts.api.executions import ExecutionEvents
from shared.contracts.events import PublicEvent
from tests.unit.cli.test_progress import events, view

HAPPENED = events(
    ("execution.created", {"steps": ["build"]}),
    ("step.started", {"step": "build", "agent": "web-1"}),
    ("step.completed", {"step": "build"}),
    ("execution.completed", {}),
)


class Shown(QuietFace):
    """Remembers which events it was shown."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def show(self, progress: Progress, event: PublicEvent | None) -> None:
        if event is not None:
            self.types.append(event.type)


def first_two_only(connection: ServerConnection) -> None:
    """A socket on which the last two events never come."""
    for event in HAPPENED[:2]:
        message = {"seq": event.version, "event": event.model_dump(mode="json")}
        connection.send(json.dumps(message))
    connection.recv()


class Stored:
    """The store: it runs when it is first asked, and has ended afterwards."""

    def __init__(self) -> None:
        self._asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(200, json=ExecutionEvents(items=tuple(HAPPENED)).model_dump())
        self._asked += 1
        done = {"status": "completed", "ended": True} if self._asked > 1 else {}
        return httpx.Response(200, json=view(**done).model_dump(mode="json"))


def test_events_that_the_socket_missed_are_shown() -> None:
    """The store says that it has ended before the socket does: the rest is fetched, in order and
    each event once.
    """
    with serve(first_two_only, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        connection = Connection(f"http://127.0.0.1:{server.socket.getsockname()[1]}", "hive_key")
        shown = Shown()
        with Gateway(connection, transport=httpx.MockTransport(Stored())) as gateway:
            ended = follow(gateway, "ex_1", shown)
        server.shutdown()
        thread.join(10)
    assert ended.status == "completed"
    assert shown.types == [event.type for event in HAPPENED]
