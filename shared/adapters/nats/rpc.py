"""Typed request and reply with the NATS micro-service protocol.

A service answers on `hive.rpc.<service>.<endpoint>`; processes that serve the same share the
requests. It is discoverable (`$SRV.PING`, `$SRV.INFO`) and counts (`$SRV.STATS`). An error travels
in the protocol's headers by its code, and is raised again on the other side as the same type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote, unquote

import structlog
from nats import micro
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER, Request, ServiceError
from nats.micro.service import Service, ServiceConfig
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.adapters.outages import outage_of
from shared.contracts import rpc, subjects
from shared.contracts.control import AnswerT, QuestionT
from shared.contracts.rpc import Endpoint
from shared.ports.collective import (
    CollectiveError,
    ConflictError,
    HiveUnavailableError,
    InvalidRequestError,
    NotFoundError,
)

log = structlog.get_logger()

CALL_S: Final = 10.0
"""How long a call may take, waiting for a service that restarts included."""
_ASK_AGAIN_S: Final = 0.2
_MESSAGE_LIMIT: Final = 1_000
_HEADROOM_BYTES: Final = 4_096
"""What headers may take of the server's limit for a message."""

_ERRORS: Final[dict[str, type[CollectiveError]]] = {
    error.code: error
    for error in (NotFoundError, ConflictError, InvalidRequestError, HiveUnavailableError)
}

Handler = Callable[[QuestionT], Awaitable[AnswerT]]


class RpcService:
    """The endpoints that this process serves under one name."""

    def __init__(self, bus: Bus, name: str, version: str) -> None:
        self._bus = bus
        self._config = ServiceConfig(name=name, version=version)
        self._service: Service | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Become discoverable."""
        self._service = await micro.add_service(self._bus.client, self._config)

    async def serve(
        self,
        endpoint: Endpoint[QuestionT, AnswerT],
        handler: Handler[QuestionT, AnswerT],
        *,
        at_once: int = 1,
    ) -> None:
        """Answer one endpoint from now on, so many requests `at_once`: with one a request waits for
        those before it."""
        if self._service is None:
            raise RuntimeError("start the service before it serves")
        room = asyncio.Semaphore(at_once)

        async def receive(request: Request) -> None:
            if at_once == 1:
                await request.respond(await self._answer(endpoint, handler, request.data))
                return
            await room.acquire()
            task = asyncio.create_task(self._respond(endpoint, handler, request))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            task.add_done_callback(lambda _task: room.release())

        subject = subjects.rpc(endpoint.service, endpoint.name)
        await self._service.add_endpoint(name=endpoint.name, subject=subject, handler=receive)

    async def close(self) -> None:
        """Answer no more; what is being answered beside others is given up."""
        for task in self._answering:
            task.cancel()
        service, self._service = self._service, None
        if service is not None and not self._bus.client.is_closed:
            await service.stop()

    async def _respond(
        self, endpoint: Endpoint[Any, Any], handler: Handler[Any, Any], request: Request
    ) -> None:
        """Answer one request beside others."""
        try:
            await request.respond(await self._answer(endpoint, handler, request.data))
        except ServiceError as error:
            await request.respond_error(error.code, error.description)
        except NatsError as error:
            log.warning("answer not sent", endpoint=endpoint.name, error=str(error))

    async def _answer(
        self, endpoint: Endpoint[Any, Any], handler: Handler[Any, Any], data: bytes
    ) -> bytes:
        try:
            request = endpoint.request.model_validate_json(data)
        except ValidationError as error:
            raise _service_error(InvalidRequestError.code, _first_problem(error)) from error
        try:
            reply: bytes = (await handler(request)).model_dump_json().encode()
        except CollectiveError as error:
            raise _service_error(error.code, str(error)) from error
        except Exception as error:
            raise _unexpected(endpoint, error) from error
        if len(reply) > self._bus.client.max_payload - _HEADROOM_BYTES:
            message = f"{endpoint.name}: the answer has {len(reply)} bytes; ask for less at once"
            raise _service_error(InvalidRequestError.code, message)
        return reply


async def call(
    bus: Bus,
    endpoint: Endpoint[QuestionT, AnswerT],
    request: QuestionT,
    timeout_s: float = CALL_S,
    absent_s: float | None = None,
) -> AnswerT:
    """Ask a service. Where nobody serves the endpoint, ask again until the time is over, or for
    `absent_s` seconds.

    Raises what the service raised (`CollectiveError`), or `HiveUnavailableError`.
    """
    payload = request.model_dump_json().encode()
    if len(payload) > bus.client.max_payload - _HEADROOM_BYTES:
        raise InvalidRequestError(f"{endpoint.name}: {len(payload)} bytes are too many at once")
    patience_s = timeout_s if absent_s is None else absent_s
    reply = await _request(bus, endpoint, payload, timeout_s, patience_s)
    headers = reply.headers or {}
    if ERROR_CODE_HEADER in headers:
        message = unquote(headers.get(ERROR_HEADER, ""))
        raise _ERRORS.get(headers[ERROR_CODE_HEADER], CollectiveError)(message)
    try:
        return endpoint.response.model_validate_json(reply.data)
    except ValidationError as error:
        raise CollectiveError(f"{endpoint.name}: {_first_problem(error)}") from error


async def _request(
    bus: Bus, endpoint: Endpoint[Any, Any], payload: bytes, timeout_s: float, patience_s: float
) -> Msg:
    subject = subjects.rpc(endpoint.service, endpoint.name)
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    waited = loop.time() + patience_s
    while True:
        left = max(0.01, until - loop.time())
        try:
            return await bus.client.request(subject, payload, timeout=left)
        except NoRespondersError:
            if loop.time() + _ASK_AGAIN_S >= waited:
                raise HiveUnavailableError(_nobody(endpoint, patience_s)) from None
        except (NatsError, TimeoutError) as error:
            raise HiveUnavailableError(_nobody(endpoint, timeout_s)) from error
        await asyncio.sleep(_ASK_AGAIN_S)


def _nobody(endpoint: Endpoint[Any, Any], timeout_s: float) -> str:
    who = "coordinator" if endpoint.service == rpc.COLLECTIVE else f"{endpoint.service} service"
    return (
        f"nobody answered {endpoint.service}.{endpoint.name} within {timeout_s:g} s; "
        f"is a {who} running?"
    )


def _service_error(code: str, message: str) -> ServiceError:
    # A header holds one line of ASCII: quoted, any message survives it.
    return ServiceError(code, quote(message[:_MESSAGE_LIMIT], safe=" "))


def _unexpected(endpoint: Endpoint[Any, Any], error: Exception) -> ServiceError:
    away = outage_of(error)
    if away is not None:
        return _service_error(HiveUnavailableError.code, f"{away} does not answer")
    log.error("endpoint broke", endpoint=endpoint.name, exc_info=error)
    return _service_error(CollectiveError.code, f"{endpoint.name}: {type(error).__name__}")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'request'}: {problem['msg']}"
