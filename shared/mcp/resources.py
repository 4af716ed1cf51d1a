"""Templates and executions as resources: JSON documents with an address.

`hive://templates/{id}` (with `?version=` for another than the newest), `hive://executions/{id}`,
and `hive://approvals`: what waits for an answer of the key that reads it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from mcp import MCPError, types

from shared.contracts.api.approvals import ApprovalPage
from shared.contracts.api.executions import ExecutionPage, ExecutionSummary, ExecutionView
from shared.contracts.api.templates import TemplatePage, TemplateSummary, TemplateView
from shared.mcp.api import GatewayApi, RefusedError, segment

JSON: Final = "application/json"
PAGE: Final = 100
NEWEST_EXECUTIONS: Final = 50
"""Executions that are listed; all others can be read, too."""
NOT_FOUND: Final = 404

TEMPLATES: Final[tuple[types.ResourceTemplate, ...]] = (
    types.ResourceTemplate(
        name="template",
        title="Workflow template",
        uri_template="hive://templates/{id}{?version}",
        description="A workflow template: its definition and the JSON Schema of its parameters.",
        mime_type=JSON,
    ),
    types.ResourceTemplate(
        name="execution",
        title="Execution",
        uri_template="hive://executions/{id}",
        description="An execution: its status, steps, attempts, timings and outputs.",
        mime_type=JSON,
    ),
)


INBOX: Final = types.Resource(
    name="approvals",
    title="Approvals that wait for you",
    uri="hive://approvals",
    description="Open gates that your key may answer, with exactly what would run.",
    mime_type=JSON,
)


async def listed(api: GatewayApi, cursor: str | None) -> types.ListResourcesResult:
    """The newest executions and, page by page, every template."""
    executions: list[types.Resource] = []
    inbox: list[types.Resource] = []
    if cursor is None:
        inbox = [INBOX]
        query = {"limit": NEWEST_EXECUTIONS}
        newest = await api.get("/api/v1/workflows/executions", ExecutionPage, query)
        executions = [_execution(summary) for summary in newest.items]
    page = await api.get(
        "/api/v1/workflows/templates", TemplatePage, {"limit": PAGE, "cursor": cursor}
    )
    templates = [_template(summary) for summary in page.items]
    return types.ListResourcesResult(
        resources=[*inbox, *templates, *executions], next_cursor=page.next_cursor
    )


async def read(api: GatewayApi, uri: str) -> types.ReadResourceResult:
    """One resource. Raises `MCPError` when there is none at this address."""
    try:
        text = await _text(api, uri)
    except RefusedError as error:
        details = error.details
        code = types.INVALID_PARAMS if details.status == NOT_FOUND else types.INTERNAL_ERROR
        raise MCPError(code, details.detail, {"uri": uri, "status": details.status}) from None
    content = types.TextResourceContents(uri=uri, mime_type=JSON, text=text)
    return types.ReadResourceResult(contents=[content])


async def _text(api: GatewayApi, uri: str) -> str:
    parts = urlsplit(uri)
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme == "hive" and name and parts.netloc == "templates":
        version = parse_qs(parts.query).get("version", [None])[0]
        path = f"/api/v1/workflows/templates/{segment(name)}"
        view = await api.get(path, TemplateView, {"version": version})
        return view.model_dump_json(by_alias=True, exclude_unset=True)
    if parts.scheme == "hive" and parts.netloc == "approvals" and not name:
        return (await api.get("/api/v1/approvals", ApprovalPage)).model_dump_json()
    if parts.scheme == "hive" and name and parts.netloc == "executions":
        path = f"/api/v1/workflows/executions/{segment(name)}"
        return (await api.get(path, ExecutionView)).model_dump_json()
    known = " or ".join(template.uri_template for template in TEMPLATES)
    raise MCPError(types.INVALID_PARAMS, f"There is nothing at {uri}. Use {known}.", {"uri": uri})


def _template(summary: TemplateSummary) -> types.Resource:
    return types.Resource(
        name=summary.id,
        title=summary.name,
        uri=f"hive://templates/{segment(summary.id)}",
        description=summary.description or None,
        mime_type=JSON,
    )


def _execution(summary: ExecutionSummary) -> types.Resource:
    return types.Resource(
        name=summary.id,
        title=f"{summary.template_id} {summary.template_version}",
        uri=f"hive://executions/{segment(summary.id)}",
        description=f"{summary.status}, requested by {summary.requested_by}",
        mime_type=JSON,
    )
