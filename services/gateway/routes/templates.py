"""`/api/v1/workflows/templates`: the library of workflows."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from services.gateway import problems
from services.gateway.access import Author, Gate, Reader
from services.gateway.routes.paging import Cursor, Limit
from shared.contracts.api.templates import (
    TemplatePage,
    TemplateStored,
    TemplateVersions,
    TemplateView,
)
from shared.ports.templates import TemplateQuery
from shared.workflow.definition import Template

router = APIRouter(prefix="/api/v1/workflows/templates", tags=["templates"])

YAML = "application/yaml"

UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": TemplateStored, "description": "Exactly this was stored before."}
}

Version = Annotated[str | None, Query(max_length=200, description="Default: the newest release.")]
Filter = Annotated[str | None, Query(max_length=100)]


@router.get("")
async def list_templates(
    gate: Gate,
    _reader: Reader,
    category: Filter = None,
    tag: Filter = None,
    text: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=r"^[^\x00]*$",
            description="Looked for in id, name, description and tags.",
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> TemplatePage:
    """The newest version of each template that fits, by id."""
    return await gate.templates.page(
        TemplateQuery(category=category, tag=tag, text=text, after=cursor, limit=limit)
    )


@router.post("", status_code=201, responses=UNCHANGED)
async def create_template(
    gate: Gate, author: Author, template: Template, request: Request, response: Response
) -> TemplateStored:
    """Check a definition and store it as an immutable version: 201, or 200 when exactly this one
    was stored before."""
    request.state.subject = template.id
    return _answer(await gate.templates.create(template, author), request, response)


@router.post(
    "/import",
    status_code=201,
    responses=UNCHANGED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {YAML: {"schema": {"type": "string"}}},
        }
    },
)
async def import_template(
    gate: Gate, author: Author, request: Request, response: Response
) -> TemplateStored:
    """The same for a template file: YAML or JSON as text in the body."""
    try:
        text = (await request.body()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise problems.problem(
            "malformed-body", f"Byte {error.start} is not UTF-8. Save the file as UTF-8."
        ) from None
    return _answer(await gate.templates.import_text(text, author), request, response)


@router.get("/{template_id}")
async def get_template(
    gate: Gate, _reader: Reader, template_id: str, version: Version = None
) -> TemplateView:
    """One version with its definition and the JSON Schema of its parameters."""
    return await gate.templates.get(template_id, version)


@router.get("/{template_id}/versions")
async def list_template_versions(gate: Gate, _reader: Reader, template_id: str) -> TemplateVersions:
    """Every version, newest first."""
    return await gate.templates.versions(template_id)


@router.get(
    "/{template_id}/export",
    response_class=Response,
    responses={200: {"content": {YAML: {"schema": {"type": "string"}}}}},
)
async def export_template(
    gate: Gate, _reader: Reader, template_id: str, version: Version = None
) -> Response:
    """One version as YAML that can be imported again."""
    view = await gate.templates.get(template_id, version)
    name = f"{view.summary.id}-{view.summary.version}.yaml"
    return Response(
        await gate.templates.export(template_id, view.summary.version),
        media_type=YAML,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _answer(stored: TemplateStored, request: Request, response: Response) -> TemplateStored:
    template = stored.template
    request.state.subject = template.id
    response.status_code = 201 if stored.outcome == "created" else 200
    response.headers["Location"] = f"{router.prefix}/{template.id}?version={template.version}"
    return stored
