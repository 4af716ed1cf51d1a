"""Public events as they happen, over the gateway's WebSocket, through every loss of the connection.

Each message is `{"seq": …, "event": {…}}`. A connection that breaks is opened again after the last
sequence that was seen, so that no event is missed and none comes twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from services.cli.advice import hv
from services.cli.connection import Connection
from services.cli.outcome import CliError, ExitCode
from shared.contracts.events import PublicEvent

PATH: Final = "/api/v1/events"
AHEAD: Final = 4409
"""How the gateway closes a socket that wants to go on behind an event that there has not been."""
OPEN_TIMEOUT_S: Final = 10.0
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
RECONNECT_DELAYS_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 10.0, 10.0, 10.0)
"""Waits between attempts to connect again; after the last one it is given up."""


class Sequenced(BaseModel):
    """An event and its place in the stream of all events."""

    model_config = ConfigDict(frozen=True)

    seq: int
    event: PublicEvent


class EventSocket:
    """Follows events; `say` hears about lost connections."""

    def __init__(
        self, connection: Connection, say: Callable[[str], None], **filters: str | int | None
    ) -> None:
        """`filters` are the query: `execution`, `category`, `type`, and `after`, a sequence."""
        self._connection = connection
        self._say = say
        self._filters = {name: value for name, value in filters.items() if value is not None}
        self._version = 0

    def read(self, timeout_s: float) -> Iterator[PublicEvent | None]:
        """Events without end; `None` whenever none came for `timeout_s`.

        Raises `CliError` when the gateway refuses, or stays away.
        """
        failures = 0
        while True:
            try:
                for event in self._one_connection(timeout_s):
                    failures = 0
                    yield event
            except InvalidStatus as error:
                if error.response.status_code < 500:
                    raise _refused(error) from None
                reason = f"it answered {error.response.status_code}"
            except (OSError, ConnectionClosed, InvalidHandshake) as error:
                if _is_ahead(error):  # the stream of events was made anew, or lost its end
                    self._filters["after"] = 0
                reason = str(error) or type(error).__name__
            else:
                reason = "it closed the connection"
            if failures == len(RECONNECT_DELAYS_S):
                raise CliError(
                    f"The gateway at {self._connection.url} is gone: {reason}. "
                    f"The execution goes on without it; look again with `{hv('watch')}`.",
                    ExitCode.NOT_REACHABLE,
                )
            self._say(f"lost the gateway ({reason}); connecting again")
            time.sleep(RECONNECT_DELAYS_S[failures])
            failures += 1

    def _one_connection(self, timeout_s: float) -> Iterator[PublicEvent | None]:
        options: dict[str, Any] = {} if not self._connection.is_local else {"proxy": None}
        address = self._connection.socket_url(f"{PATH}?{urlencode(self._filters)}")
        with connect(
            address,
            additional_headers={"Authorization": f"Bearer {self._connection.key}"},
            open_timeout=OPEN_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            **options,
        ) as socket:
            while True:
                try:
                    message = socket.recv(timeout=timeout_s)
                except TimeoutError:
                    yield None
                    continue
                event = self._understood(message)
                if event is not None:
                    yield event

    def _understood(self, message: str | bytes) -> PublicEvent | None:
        """The event of a message, and remember how far we are; None for messages of other kinds."""
        try:
            sequenced = Sequenced.model_validate_json(message)
        except ValidationError:
            return None
        self._filters["after"] = sequenced.seq
        return sequenced.event if self._is_new(sequenced.event) else None

    def _is_new(self, event: PublicEvent) -> bool:
        """Whether an event did not come before: those of one execution are numbered."""
        if "execution" not in self._filters or not event.version:
            return True
        new, self._version = event.version > self._version, max(event.version, self._version)
        return new


def _is_ahead(error: Exception) -> bool:
    """Whether the gateway closed because `after` lies ahead of its newest event."""
    closed = error.rcvd if isinstance(error, ConnectionClosed) else None
    return closed is not None and closed.code == AHEAD


def _refused(error: InvalidStatus) -> CliError:
    from shared.contracts.api.problems import ProblemDetails

    try:
        problem = ProblemDetails.model_validate_json(error.response.body or b"")
    except ValidationError:
        status = error.response.status_code
        return CliError(f"The gateway refuses events: {status}.", ExitCode.NOT_REACHABLE)
    return CliError(problem.detail or problem.title, ExitCode.NOT_REACHABLE, problem.errors)
