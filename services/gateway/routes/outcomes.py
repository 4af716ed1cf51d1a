"""`/api/v1/predictions`, `/failures`, `/tuning`, `/insights`: what is learned of runs."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.gateway import problems
from services.gateway.access import Author, Gate, Reader, note
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.api.outcomes import (
    AgentPage,
    DismissBody,
    FailurePage,
    InsightPage,
    MatchBody,
    Matched,
    ProposalPage,
    RevertBody,
)
from shared.outcomes.predicting import Prediction
from shared.outcomes.views import AgentView, InsightKind, ProposalView, SignatureView, Status

router = APIRouter(prefix="/api/v1", tags=["outcomes"])

Parameters = Annotated[
    list[str] | None,
    Query(
        alias="parameter",
        max_length=100,
        description="`name=value`, again for each; a value is JSON or, if it is none, text.",
    ),
]


@router.get("/predictions/{template_id}")
async def predict_run(
    gate: Gate,
    _reader: Reader,
    template_id: str,
    parameter: Parameters = None,
    agent: Annotated[str, Query(max_length=200, description="Where it is to run.")] = "",
) -> Prediction:
    """How likely a run is to succeed, how long it takes, and what that is known from. Without any
    run `standing` is `no runs yet`, and the chance is that of what the template leans on."""
    return await gate.outcomes.predict(template_id, _parameters(parameter or []), agent)


@router.get("/failures")
async def list_failures(
    gate: Gate, _reader: Reader, cursor: Cursor = None, limit: Limit = 50
) -> FailurePage:
    """Failures as they are known, those that occurred last first: pattern, where and when they
    occur, and what was done before runs passed again."""
    return await gate.outcomes.failures(_after(cursor), limit)


@router.get("/failures/{failure_id}")
async def get_failure(gate: Gate, _reader: Reader, failure_id: str) -> SignatureView:
    """One of them."""
    return await gate.outcomes.failure(failure_id)


@router.post("/failures/match")
async def match_failure(gate: Gate, _reader: Reader, body: MatchBody) -> Matched:
    """The known failure that a message is an example of. The message is not kept."""
    return await gate.outcomes.match(body)


@router.get("/tuning")
async def list_proposals(
    gate: Gate,
    _reader: Reader,
    status: Annotated[Status | None, Query(description="Only those.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ProposalPage:
    """Changes of timeouts, tries, batches and agents that runs suggest, with the expected gain, and
    what became of those that were applied."""
    return await gate.outcomes.proposals(status, _after(cursor), limit)


@router.get("/tuning/{proposal_id}")
async def get_proposal(gate: Gate, _reader: Reader, proposal_id: str) -> ProposalView:
    """One of them: the expected gain, what it rests on, how its trial stands."""
    return await gate.outcomes.proposal(proposal_id)


@router.post("/tuning/{proposal_id}/revert")
async def revert_proposal(
    gate: Gate,
    author: Author,
    request: Request,
    proposal_id: str,
    body: RevertBody | None = None,
) -> ProposalView:
    """Take back a change that is tried or kept, by a further version with the old value. The
    setting is pinned then: it is not changed again, whatever runs suggest, for 90 days."""
    reason = (body or RevertBody()).reason
    note(request, proposal=proposal_id, reason=reason)
    return await gate.outcomes.revert(proposal_id, reason, author)


@router.post("/tuning/{proposal_id}/apply")
async def apply_proposal(
    gate: Gate, author: Author, request: Request, proposal_id: str
) -> ProposalView:
    """Make it the next version of its template. It is tried as an experiment, and taken back by a
    further version if runs of it turn out worse."""
    note(request, proposal=proposal_id)
    return await gate.outcomes.apply(proposal_id, author)


@router.post("/tuning/{proposal_id}/dismiss")
async def dismiss_proposal(
    gate: Gate,
    author: Author,
    request: Request,
    proposal_id: str,
    body: DismissBody | None = None,
) -> ProposalView:
    """Say that it is not wanted. It is not proposed again for this version."""
    reason = (body or DismissBody()).reason
    note(request, proposal=proposal_id, reason=reason)
    return await gate.outcomes.dismiss(proposal_id, reason, author)


@router.get("/insights")
async def list_insights(
    gate: Gate,
    _reader: Reader,
    kind: Annotated[InsightKind | None, Query(description="Only those.")] = None,
    agent: Annotated[str, Query(max_length=200, description="Only about this agent.")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> InsightPage:
    """What was learned lately, the newest first. Each is a memory of the collective, too."""
    return await gate.outcomes.insights(kind, agent, _after(cursor), limit)


@router.get("/insights/agents")
async def list_agent_experience(gate: Gate, _reader: Reader, limit: Limit = 50) -> AgentPage:
    """How agents compare: how many times as many failures each has as others have at the same
    steps, the worst first."""
    return await gate.outcomes.agents(limit)


@router.get("/insights/agents/{agent}")
async def get_agent_experience(gate: Gate, _reader: Reader, agent: str) -> AgentView:
    """How one of them compares."""
    return await gate.outcomes.agent(agent)


def _after(cursor: str | None) -> tuple[float, str] | None:
    found = time_and_id(cursor)
    return (float(found[0]), found[1]) if found is not None else None


def _parameters(given: list[str]) -> dict[str, Any]:
    """The values by name. Raises 422."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not name or not equals:
            raise problems.invalid_field(
                "parameter", "is not name=value", "send parameter=name=value, again for each"
            )
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
