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
from services.gateway.mcp import doorway as mcp
from services.gateway.middleware.answers import problem_response
from services.gateway.middleware.bodies import BodyBounds, is_json
from services.gateway.middleware.observation import NOT_AUDITED, READING, Observation
from services.gateway.openapi import describe
from services.gateway.routes import (
    agents,
    analytics,
    approvals,
    archive,
    broadcasts,
    commands,
    concurrency,
    delegations,
    docs,
    events_ws,
    executions,
    explaining,
    health,
    keys,
    learning,
    memories,
    operating,
    outcomes,
    proposals,
    quarantine,
    rollbacks,
    schedules,
    steering,
    suggestions,
    targets,
    templates,
    triggers,
    validation,
    webhooks,
)
from shared.runtime.meters import ErrorMeter, GatewayMeter, new_registry
from shared.runtime.recording_meter import RecordingMeter
from shared.version import VERSION

ROUTERS: Final[Sequence[APIRouter]] = (
    templates.router,
    validation.router,
    suggestions.router,
    executions.router,
    explaining.router,
    archive.router,
    steering.router,
    targets.router,
    operating.router,
    rollbacks.router,
    analytics.router,
    learning.router,
    approvals.router,
    agents.router,
    delegations.router,
    memories.router,
    broadcasts.router,
    commands.router,
    webhooks.router,
    schedules.router,
    concurrency.router,
    triggers.router,
    keys.router,
    outcomes.router,
    proposals.router,
    quarantine.router,
    events_ws.router,
    health.router,
    docs.router,
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
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.gateway = gateway
    app.state.registry = registry
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(Route(mcp.PATH, mcp.McpDoorway(app, gateway.settings)))
    _handle_errors(app)
    meter = GatewayMeter(registry, route_templates())
    app.state.meter = meter
    gateway.webhooks.judge.count = meter.delivery
    gateway.run_validation.count = meter.run_validated
    recording = RecordingMeter(registry)
    gateway.recording.meter = gateway.suggesting.meter = recording
    gateway.webhooks.vocabulary.audit_types = audit_types()
    # The one added last is the outermost.
    app.add_middleware(BodyBounds, max_bytes=gateway.settings.gateway_max_body_bytes)
    errors = ErrorMeter(registry)
    app.add_middleware(
        Observation, gateway=gateway, meter=meter, recording=recording, errors=errors
    )
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
        if route.name not in NOT_AUDITED
    )


def _handle_errors(app: FastAPI) -> None:
    app.add_exception_handler(problems.ProblemError, cast("ExceptionHandler", _on_problem))
    app.add_exception_handler(RequestValidationError, cast("ExceptionHandler", _on_invalid))
    app.add_exception_handler(HTTPException, cast("ExceptionHandler", _on_http_error))


async def _on_problem(_request: Request, error: problems.ProblemError) -> Response:
    return problem_response(error)


async def _on_invalid(request: Request, error: RequestValidationError) -> Response:
    """What does not fit; a body that does not say it is JSON was never looked into."""
    found = error.errors()
    whole_body = any(tuple(one["loc"]) == ("body",) and one["type"] != "missing" for one in found)
    if whole_body and not is_json(request.headers):
        return problem_response(problems.unsupported_media_type(request.headers))
    return problem_response(problems.from_validation(found))


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
