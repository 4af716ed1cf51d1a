"""The MCP server: tools and resources over whatever transport it is run on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from pydantic import BaseModel, ValidationError

from shared.contracts.api.problems import FieldProblem, ProblemDetails
from shared.mcp import resources
from shared.mcp.api import GatewayApi, RefusedError
from shared.mcp.tools import TABLE, TOOLS
from shared.mcp.waiting import Report
from shared.version import VERSION

Context = ServerRequestContext[Any, Any]
ApiOf = Callable[[Context], GatewayApi]
"""The gateway to work with for a request, with the caller's key."""

INSTRUCTIONS: Final = (
    "Runs workflows durably on a fleet of agents. Find one with workflow_list, read its "
    "parameters at hive://templates/{id}, run it with workflow_execute (wait_s to see it end) and "
    "look at it with workflow_status. What awaits approval is in workflow_approvals, and answered "
    "by workflow_approve. "
    "Tasks that workflows give to you are in task_list; what the hive knows is found with "
    "memory_recall."
)


def build_server(api_of: ApiOf) -> Server[Any]:
    """A server without a transport. It keeps nothing between requests."""

    async def list_tools(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(_described()))

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await _called(api_of(context), params, context.session.report_progress)

    async def list_resources(
        context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        try:
            return await resources.listed(api_of(context), params.cursor if params else None)
        except RefusedError as error:
            raise MCPError(types.INTERNAL_ERROR, error.details.detail) from None

    async def list_templates(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=list(resources.TEMPLATES))

    async def read_resource(
        context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        return await resources.read(api_of(context), params.uri)

    return Server(
        "haivemind-workflows",
        version=VERSION,
        title="hAIveMind Workflows",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


@cache
def _described() -> tuple[types.Tool, ...]:
    """All tools as clients list them. Made once: their schemas take a third of a second, and the
    transport asks for them before each call, too, to see which arguments come in headers."""
    return tuple(tool.described() for tool in TABLE)


async def _called(
    api: GatewayApi, params: types.CallToolRequestParams, report: Report
) -> types.CallToolResult:
    tool = TOOLS.get(params.name)
    if tool is None:
        known = ", ".join(TOOLS)
        raise MCPError(
            types.INVALID_PARAMS, f"There is no tool {params.name!r}. There are: {known}."
        )
    try:
        answer = await tool.call(api, params.arguments or {}, report)
    except ValidationError as error:
        return _refused(_invalid(params.name, error))
    except RefusedError as error:
        return _refused(error.details)
    return _answered(answer)


def _answered(answer: BaseModel) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.model_dump_json(by_alias=True))],
        structured_content=answer.model_dump(mode="json", by_alias=True),
    )


def _refused(details: ProblemDetails) -> types.CallToolResult:
    """An error that the caller's model can read and act on: what, which field, what to do."""
    lines = [details.detail or details.title, *map(_line, details.errors)]
    if details.incident:
        lines.append(f"Incident {details.incident}.")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text="\n".join(lines))],
        structured_content={"error": details.model_dump(mode="json", exclude_defaults=True)},
        is_error=True,
    )


def _line(problem: FieldProblem) -> str:
    fix = f" ({problem.fix})" if problem.fix else ""
    return f"{problem.field}: {problem.message}{fix}"


def _invalid(tool: str, error: ValidationError) -> ProblemDetails:
    """Arguments that do not fit. Values are not repeated: one of them may be a secret."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return ProblemDetails(
        type="urn:hive:problem:invalid-request",
        title="The request is not valid",
        status=422,
        detail=f"The arguments of {tool} do not fit:",
        errors=tuple(_field(one["loc"], one["msg"], one["type"]) for one in found[:50]),
    )


def _field(place: Sequence[int | str], message: str, kind: str) -> FieldProblem:
    name = str(place[-1]) if place else "arguments"
    fixes = {"missing": f"add {name}", "extra_forbidden": f"remove {name}, or correct its name"}
    return FieldProblem(
        field="/".join(map(str, place)),
        message=message.removeprefix("Value error, "),
        fix=fixes.get(kind, f"correct {name}; the tool's input schema says what fits"),
        code=kind,
    )
