"""`/api/v1/analytics`: figures of what was run, from tables that are counted beforehand."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from services.gateway.access import Gate, Reader
from services.gateway.operations.analytics_range import Asked
from shared.contracts.api.analytics import (
    AgentDetail,
    AgentLines,
    By,
    Overview,
    RollbackAnalytics,
    StepLines,
    SuggestionAnalytics,
    TemplateDetail,
    TemplateLines,
)

router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])

MAX_LINES = 500

From = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=40,
        description="Since when: a date or time (UTC), epoch milliseconds, or so long ago (`7d`). "
        "Default: 30 days before `to`.",
    ),
]
To = Annotated[
    str | None, Query(max_length=40, description="Until when, in the same forms. Default: now.")
]
Divided = Annotated[By | None, Query(description="How a series is divided; default: what suits.")]
Category = Annotated[str | None, Query(max_length=200, description="Only of this category.")]
OfTemplate = Annotated[str | None, Query(max_length=200, description="Only of this template.")]
Lines = Annotated[int, Query(ge=1, le=MAX_LINES, description="Most lines in the answer.")]


def _range(begin: From = None, to: To = None) -> Asked:
    return Asked(begin, to)


def _of_templates(
    begin: From = None, to: To = None, category: Category = None, template: OfTemplate = None
) -> Asked:
    return Asked(begin, to, None, category, template)


InRange = Annotated[Asked, Depends(_range)]
OfTemplates = Annotated[Asked, Depends(_of_templates)]


@router.get("/overview")
async def get_analytics_overview(
    gate: Gate, _reader: Reader, asked: OfTemplates, by: Divided = None
) -> Overview:
    """Runs, approvals, rollbacks, suggestions and time saved; of everything, a category or a
    template, with a series over time."""
    return await gate.analytics.overview(asked.divided(by))


@router.get("/templates")
async def list_template_analytics(
    gate: Gate, _reader: Reader, asked: InRange, category: Category = None, limit: Lines = 100
) -> TemplateLines:
    """Templates that ran, those with most runs first."""
    return await gate.analytics.templates(asked.of_category(category), limit)


@router.get("/templates/{template_id}")
async def get_template_analytics(
    gate: Gate, _reader: Reader, template_id: str, asked: InRange, by: Divided = None
) -> TemplateDetail:
    """One template: its versions, steps, agents and failures. These are of whole days."""
    return await gate.analytics.template(template_id, asked.divided(by))


@router.get("/steps")
async def list_step_analytics(
    gate: Gate,
    _reader: Reader,
    asked: OfTemplates,
    order: Annotated[
        Literal["time", "failures"], Query(description="What makes a step hot.")
    ] = "time",
    limit: Lines = 50,
) -> StepLines:
    """Where time goes, or where it fails. Of whole days."""
    return await gate.analytics.steps(asked, order, limit)


@router.get("/agents")
async def list_agent_analytics(
    gate: Gate, _reader: Reader, asked: InRange, template: OfTemplate = None, limit: Lines = 100
) -> AgentLines:
    """Who did how much, how well, and how fast beside others at the same steps. Of whole days."""
    return await gate.analytics.agents(asked.of_template(template), limit)


@router.get("/agents/{agent}")
async def get_agent_analytics(
    gate: Gate, _reader: Reader, agent: str, asked: InRange
) -> AgentDetail:
    """One agent: what it worked at, and what it failed with. Of whole days."""
    return await gate.analytics.agent(agent, asked)


@router.get("/rollbacks")
async def get_rollback_analytics(
    gate: Gate, _reader: Reader, asked: OfTemplates, by: Divided = None, limit: Lines = 100
) -> RollbackAnalytics:
    """What came of rollbacks, by time and by template. Of whole days."""
    return await gate.analytics.rollbacks(asked.divided(by), limit)


@router.get("/suggestions")
async def get_suggestion_analytics(
    gate: Gate,
    _reader: Reader,
    asked: InRange,
    by: Divided = None,
    template: OfTemplate = None,
    limit: Lines = 100,
) -> SuggestionAnalytics:
    """What became of suggestions, by time and by what was suggested. Of whole days."""
    return await gate.analytics.suggestions(asked.of_template(template).divided(by), limit)
