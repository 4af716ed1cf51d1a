"""The application: every door onto one `Gateway`, with what happens around every request."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from services.gateway import problems
from services.gateway.audit import PREFIX as AUDIT_PREFIX
from services.gateway.gateway import Gateway
from services.gateway.mcp import door as mcp
from services.gateway.middleware.answers import problem_response
from services.gateway.middleware.bodies import BodyBounds
from services.gateway.middleware.observation import READING, Observation
from services.gateway.routes import (
    agents,
    broadcasts,
    delegations,
    events_ws,
    executions,
    health,
    keys,
    memories,
    templates,
    webhooks,
)
from shared.contracts.api.problems import ProblemDetails
from shared.runtime.meters import ErrorMeter, GatewayMeter, new_registry
from shared.version import VERSION

ROUTERS: Final[Sequence[APIRouter]] = (
    templates.router,
    executions.router,
    agents.router,
    delegations.router,
    memories.router,
    broadcasts.router,
    webhooks.router,
    keys.router,
    events_ws.router,
    health.router,
)

_KINDS: Final = {
    400: "malformed-body",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


def create_app(gateway: Gateway, registry: CollectorRegistry | None = None) -> FastAPI:
    """The ASGI application of a gateway, which its caller starts and closes."""
    registry = registry or new_registry("gateway", VERSION)
    app = FastAPI(
        title="hAIveMind Workflows",
        version=VERSION,
        description="Durable command workflows across a fleet of agents.",
        responses={"4XX": {"model": ProblemDetails}, "5XX": {"model": ProblemDetails}},
    )
    app.state.gateway = gateway
    app.state.registry = registry
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(Route(mcp.PATH, mcp.McpDoor(app, gateway.settings)))
    _handle_errors(app)
    meter = GatewayMeter(registry, route_templates())
    app.state.meter = meter
    gateway.webhooks.judge.count = meter.delivery
    gateway.webhooks.vocabulary.audit_types = audit_types()
    # The one added last is the outermost.
    app.add_middleware(BodyBounds, max_bytes=gateway.settings.gateway_max_body_bytes)
    app.add_middleware(Observation, gateway=gateway, meter=meter, errors=ErrorMeter(registry))
    return app


def route_templates() -> list[str]:
    """The paths of every route, as templates: the bounded set that metrics may name."""
    paths = (getattr(route, "path", None) for router in ROUTERS for route in router.routes)
    return sorted({path for path in paths if isinstance(path, str)} | {mcp.PATH})


def audit_types() -> frozenset[str]:
    """The type of the audit event of every call that changes something."""
    return frozenset(
        AUDIT_PREFIX + route.name
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and not READING.issuperset(route.methods or ())
    )


def _handle_errors(app: FastAPI) -> None:
    app.add_exception_handler(problems.ProblemError, cast("ExceptionHandler", _on_problem))
    app.add_exception_handler(RequestValidationError, cast("ExceptionHandler", _on_invalid))
    app.add_exception_handler(HTTPException, cast("ExceptionHandler", _on_http_error))


async def _on_problem(_request: Request, error: problems.ProblemError) -> Response:
    return problem_response(error)


async def _on_invalid(_request: Request, error: RequestValidationError) -> Response:
    return problem_response(problems.from_validation(error.errors()))


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    """What the framework itself refuses: an unknown path, a wrong method."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        found = problems.problem(
            "not-found", f"There is nothing at {request.url.path[:300]}. See /docs."
        )
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        found = problems.problem(
            "method-not-allowed",
            f"{request.method} is not possible at {request.url.path[:300]}. See /docs.",
            headers=error.headers,
        )
    else:
        kind = _KINDS.get(error.status_code, "invalid-request")
        found = problems.problem(kind, str(error.detail), headers=error.headers)
    return problem_response(found)
