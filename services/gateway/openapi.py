"""The OpenAPI description: what FastAPI works out, and what it cannot know. That is every error as
a problem of its own media type, and examples of bodies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.gateway import problems
from services.gateway.examples import BODIES
from shared.contracts.api.problems import ProblemDetails

TAGS: Final[list[dict[str, str]]] = [
    {"name": "templates", "description": "The library of workflows: immutable versions."},
    {"name": "executions", "description": "Run workflows, watch them, intervene."},
    {"name": "rollbacks", "description": "Undo what an execution did, or see what that would do."},
    {"name": "outcomes", "description": "What is learned of runs: chances, failures, tuning."},
    {"name": "analytics", "description": "Figures of what was run, counted beforehand."},
    {"name": "proposals", "description": "Workflows found in what was run: accept, edit, reject."},
    {"name": "suggestions", "description": "What is wanted next, and why."},
    {"name": "learning", "description": "What is learned, and how far."},
    {"name": "agents", "description": "Who runs commands, and who takes delegated tasks."},
    {"name": "delegations", "description": "Tasks for people and AI agents."},
    {"name": "memories", "description": "What was worth remembering."},
    {"name": "broadcasts", "description": "Messages to every agent."},
    {"name": "commands", "description": "What people and agents ran, to learn from."},
    {"name": "webhooks", "description": "Other systems are told what happens."},
    {"name": "schedules", "description": "Workflows that run at times."},
    {"name": "triggers", "description": "Alerts, webhooks and events that start workflows."},
    {"name": "concurrency", "description": "Limits across executions, and who waits."},
    {"name": "quarantine", "description": "Messages that could not be applied."},
    {"name": "keys", "description": "API keys, for admins."},
    {"name": "events", "description": "Public events as they happen."},
    {"name": "health", "description": "For whoever looks after this process."},
]

DESCRIPTION: Final = (
    "Durable command workflows across a fleet of agents. Send an API key as "
    "`Authorization: Bearer hive_…` or `X-API-Key: hive_…`. Every error is a problem (RFC 9457) "
    "that names the fields and what to do. The Model Context Protocol is spoken at `/mcp`."
)

SIGNED: Final = frozenset({"receive_events"})
"""What is sent here proves itself by its signature."""

_ALWAYS: Final = ("internal", "unavailable")
_WITH_KEY: Final = ("unauthenticated", "forbidden", "too-many-requests", "invalid-request")
_WITH_SIGNATURE: Final = ("unauthenticated", "too-many-requests", "invalid-request")
_WITH_BODY: Final = ("malformed-body", "too-large", "unsupported-media-type")


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of an application, made once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=TAGS,
            license_info={"name": "MIT", "identifier": "MIT"},
        )
        schemas = found["components"]["schemas"]
        schemas.update(_problem_schemas())
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path, operations in found["paths"].items():
            for method, operation in operations.items():
                _complete(method, path, operation)
        app.openapi_schema = found
    return app.openapi_schema


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    if responses.pop("426", None):  # no answer but an error
        responses["426"] = _answer("upgrade-required")
    for kind in _kinds(method, path, operation):
        responses.setdefault(str(problems.status_of(kind)), _answer(kind))
    operation["responses"] = dict(sorted(responses.items()))
    body = operation.get("requestBody", {}).get("content", {})
    example = BODIES.get(operation["operationId"])
    for content in body.values():
        if example is not None:
            content["example"] = example


def _kinds(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    """The kinds of problems that an operation may answer with."""
    yield from _ALWAYS
    if operation.get("security"):
        yield from _WITH_KEY
    if operation["operationId"] in SIGNED:
        yield from _WITH_SIGNATURE
    if "requestBody" in operation:
        yield from _WITH_BODY
    if "{" in path or operation["operationId"] == "execute_workflow":
        yield "not-found"
    if method != "get":
        yield "conflict"


def _answer(kind: str) -> dict[str, Any]:
    title = problems.title_of(kind)
    example = {
        "type": f"urn:hive:problem:{kind}",
        "title": title,
        "status": problems.status_of(kind),
        "detail": "What happened, and what to do.",
    }
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    content = {problems.MEDIA_TYPE: {"schema": schema, "example": example}}
    return {"description": f"{title}.", "content": content}


def _problem_schemas() -> dict[str, Any]:
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemDetails": schema}
