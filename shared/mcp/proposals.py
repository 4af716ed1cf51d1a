"""The tool about workflows that were found in what was run."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.api.proposals import AcceptedWorkflow, FoundWorkflows
from shared.mcp.api import GatewayApi, segment
from shared.mcp.arguments import Arguments, Cursor, Limit
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report
from shared.ports.proposals import Standing, StoredProposal
from shared.workflow.definition import Template

PROPOSALS: Final = "/api/v1/proposals"


class FindWorkflows(Arguments):
    """What to do with found workflows: `list` them, `show` one, `accept` one as a template (as it
    is proposed, under another `template_id`, or edited), or `reject` one."""

    action: Literal["list", "show", "accept", "reject"] = "list"
    id: str = Field("", max_length=100, description="With all but `list`: which.")
    template_id: str | None = Field(None, description="With `accept`: another id for it.")
    template: Template | None = Field(None, description="With `accept`: the edited template.")
    reason: str = Field("", max_length=1_000, description="With `reject`: why.")
    standing: Standing | None = Field(None, description="With `list`: only those.")
    cursor: Cursor = None
    limit: Limit = 20

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.action != "list" and not self.id:
            raise ValueError(f"`{self.action}` needs the `id` of a proposal")
        return self


class WorkflowsFound(BaseModel):
    """What was asked for; the others are absent."""

    model_config = ConfigDict(frozen=True)

    proposals: FoundWorkflows | None = None
    proposal: StoredProposal | None = None
    accepted: AcceptedWorkflow | None = None


async def _found(api: GatewayApi, given: FindWorkflows, _report: Report) -> WorkflowsFound:
    path = f"{PROPOSALS}/{segment(given.id)}" if given.id else PROPOSALS
    match given.action:
        case "list":
            query = {"standing": given.standing, "cursor": given.cursor, "limit": given.limit}
            return WorkflowsFound(proposals=await api.get(PROPOSALS, FoundWorkflows, query))
        case "show":
            return WorkflowsFound(proposal=await api.get(path, StoredProposal))
        case "accept":
            body = _accepting(given)
            accepted = await api.post(f"{path}/accept", AcceptedWorkflow, body)
            return WorkflowsFound(accepted=accepted)
        case "reject":
            rejected = await api.post(f"{path}/reject", StoredProposal, {"reason": given.reason})
            return WorkflowsFound(proposal=rejected)


def _accepting(given: FindWorkflows) -> dict[str, Any]:
    if given.template is not None:
        edited = given.template.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {"template": edited}
    return {"id": given.template_id} if given.template_id else {}


TOOLS: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "workflow_proposals",
        "Look at found workflows",
        "Lists workflows that were found in what people and agents ran by hand, with what speaks "
        "for each; accepts one as a template, or rejects it so that it does not come back.",
        FindWorkflows,
        WorkflowsFound,
        _found,
        destructive=True,
    ),
)
