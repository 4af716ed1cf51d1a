"""`/health/*` and `/metrics`."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from services.gateway.access import Gate, authenticate, require
from services.gateway.permissions import Permission
from shared.runtime.health import check_readiness
from shared.version import VERSION

router = APIRouter(tags=["health"])

LOOPBACK = frozenset({"127.0.0.1", "::1"})


@router.get("/health/live")
async def live() -> dict[str, str]:
    """This process answers."""
    return {"status": "live", "version": VERSION}


@router.get("/health/ready", responses={503: {"description": "A server does not answer."}})
async def ready(gate: Gate) -> JSONResponse:
    """The servers that this process needs answer, too: each is asked."""
    readiness = await check_readiness(gate.parts.probes)
    status = "ready" if readiness.ready else "not ready"
    return JSONResponse(
        {"status": status, "checks": dict(readiness.checks)},
        status_code=200 if readiness.ready else 503,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    openapi_extra={"security": [{}, {"bearer": []}, {"api_key": []}]},
)
async def metrics(gate: Gate, request: Request) -> Response:
    """Metrics for Prometheus. Callers on other machines need a key (HIVE_GATEWAY_METRICS_OPEN)."""
    local = request.client is not None and request.client.host in LOOPBACK
    if not (gate.settings.gateway_metrics_open and local):
        require(await authenticate(request), Permission.READ)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    registry = cast("CollectorRegistry", request.app.state.registry)
    return Response(encode(registry), media_type=media_type)
