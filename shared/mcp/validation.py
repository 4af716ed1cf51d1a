"""The tool that looks at a workflow before it runs."""

from __future__ import annotations

from shared.contracts.api.validation import ValidateBody, ValidationReport
from shared.mcp.api import GatewayApi
from shared.mcp.waiting import Report


class ValidateWorkflow(ValidateBody):
    """A definition, or a stored template; with `parameters` it is about that run of it."""


async def validate(api: GatewayApi, given: ValidateWorkflow, _report: Report) -> ValidationReport:
    """Everything that is found."""
    body = given.model_dump(mode="json", exclude_none=True)
    return await api.post("/api/v1/workflows/validate", ValidationReport, body)
