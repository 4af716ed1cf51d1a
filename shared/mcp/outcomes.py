"""The tools about what is learned of runs: chances, known failures, tuning, insights."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.api.outcomes import (
    FailurePage,
    InsightPage,
    MatchBody,
    Matched,
    ProposalPage,
)
from shared.mcp.api import GatewayApi, segment
from shared.mcp.arguments import Arguments, Cursor, Limit
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report
from shared.outcomes.predicting import Prediction
from shared.outcomes.views import InsightKind, ProposalView, SignatureView, Status

API: Final = "/api/v1"


class PredictRun(Arguments):
    """Of which template, with which parameters, on which agent."""

    template_id: Annotated[str, Field(min_length=1, max_length=64)]
    parameters: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="Those that are left out are the template's defaults."
    )
    agent: str = Field("", max_length=200, description="Where it is to run, if that is known.")


class LookUpFailures(Arguments):
    """A failure's `message` (and `code`) to look for, the `id` of one, or none of these: a list."""

    message: str = Field("", max_length=2_000)
    code: str = Field("", max_length=100, description="As the step's failure has it.")
    id: str = Field("", max_length=100)
    cursor: Cursor = None
    limit: Limit = 20

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.id and self.message:
            raise ValueError("give `id` or `message`, not both")
        return self


class FailuresFound(BaseModel):
    """What was asked for; the others are absent."""

    model_config = ConfigDict(frozen=True)

    matched: Matched | None = None
    failure: SignatureView | None = None
    list: FailurePage | None = None


class Tune(Arguments):
    """What to do with proposals. `list` lists them, `show` tells one, `apply` makes one the next
    version of its template, `dismiss` says that it is not wanted, `revert` takes back what was
    applied and pins the setting."""

    action: Literal["list", "show", "apply", "dismiss", "revert"] = "list"
    id: str = Field("", max_length=300, description="Of all but `list`: which.")
    reason: str = Field("", max_length=1_000)
    status: Status | None = Field(None, description="With `list`: only those.")
    cursor: Cursor = None
    limit: Limit = 20

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.action != "list" and not self.id:
            raise ValueError(f"`{self.action}` needs the `id` of a proposal")
        return self


class Tuned(BaseModel):
    """What was asked for; the other is absent."""

    model_config = ConfigDict(frozen=True)

    proposals: ProposalPage | None = None
    proposal: ProposalView | None = None


class ListInsights(Arguments):
    """Of which kind; none: all."""

    kind: InsightKind | None = None
    cursor: Cursor = None
    limit: Limit = 20


async def _predict(api: GatewayApi, given: PredictRun, _report: Report) -> Prediction:
    values = [f"{name}={json.dumps(value)}" for name, value in given.parameters.items()]
    query: dict[str, Any] = {"parameter": values, "agent": given.agent}
    return await api.get(f"{API}/predictions/{segment(given.template_id)}", Prediction, query)


async def _failures(api: GatewayApi, given: LookUpFailures, _report: Report) -> FailuresFound:
    if given.message:
        body = MatchBody(message=given.message, code=given.code).model_dump()
        return FailuresFound(matched=await api.post(f"{API}/failures/match", Matched, body))
    if given.id:
        path = f"{API}/failures/{segment(given.id)}"
        return FailuresFound(failure=await api.get(path, SignatureView))
    query = {"cursor": given.cursor, "limit": given.limit}
    return FailuresFound(list=await api.get(f"{API}/failures", FailurePage, query))


async def _tune(api: GatewayApi, given: Tune, _report: Report) -> Tuned:
    if given.action == "list":
        query = {"status": given.status, "cursor": given.cursor, "limit": given.limit}
        return Tuned(proposals=await api.get(f"{API}/tuning", ProposalPage, query))
    path = f"{API}/tuning/{segment(given.id)}"
    if given.action == "show":
        return Tuned(proposal=await api.get(path, ProposalView))
    body = {} if given.action == "apply" else {"reason": given.reason}
    return Tuned(proposal=await api.post(f"{path}/{given.action}", ProposalView, body))


async def _insights(api: GatewayApi, given: ListInsights, _report: Report) -> InsightPage:
    return await api.get(f"{API}/insights", InsightPage, given.model_dump())


TOOLS: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "workflow_predict",
        "Predict a run",
        "Says how likely a workflow is to succeed with these parameters, how long it takes, and "
        "from how many runs that is known; `no runs yet` where it is only what is alike.",
        PredictRun,
        Prediction,
        _predict,
        reads_only=True,
    ),
    Tool(
        "workflow_failures",
        "Look up failures",
        "Finds the known failure that an error message is an example of, and what was done before "
        "runs passed again; without a message it lists known failures.",
        LookUpFailures,
        FailuresFound,
        _failures,
        reads_only=True,
    ),
    Tool(
        "workflow_tuning",
        "Tune workflows",
        "Lists changes of timeouts, tries, batches and agents that runs suggest, with the expected "
        "gain and what became of those that were tried; applies, dismisses or takes back one.",
        Tune,
        Tuned,
        _tune,
        destructive=True,
    ),
    Tool(
        "workflow_insights",
        "List insights",
        "Lists what was learned lately: what succeeds, what fails and what resolved it, what was "
        "tuned, which workflows were found.",
        ListInsights,
        InsightPage,
        _insights,
        reads_only=True,
    ),
)
