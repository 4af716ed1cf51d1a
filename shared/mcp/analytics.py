"""The tool about analytics: what was run, how well, how long, and where it fails."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
from shared.mcp.api import GatewayApi, segment
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report

ANALYTICS: Final = "/api/v1/analytics"
ABOUT: Final[dict[str, type[BaseModel]]] = {
    "overview": Overview,
    "templates": TemplateLines,
    "template": TemplateDetail,
    "steps": StepLines,
    "agents": AgentLines,
    "agent": AgentDetail,
    "rollbacks": RollbackAnalytics,
    "suggestions": SuggestionAnalytics,
}
FILTERS: Final[dict[str, tuple[str, ...]]] = {
    "overview": ("by", "category", "template"),
    "templates": ("category", "limit"),
    "template": ("by",),
    "steps": ("category", "template", "order", "limit"),
    "agents": ("template", "limit"),
    "agent": (),
    "rollbacks": ("by", "category", "template", "limit"),
    "suggestions": ("by", "template", "limit"),
}
"""Which filters a question takes, beside the range."""

Moment = Annotated[
    str | None,
    Field(
        max_length=40,
        description="A date, a time of ISO 8601, epoch milliseconds, or so long ago (`7d`, `12h`).",
    ),
]
Named = Annotated[str | None, Field(max_length=200)]


class AskAnalytics(BaseModel):
    """What to look at, and over which range; default: the last 30 days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: Literal[
        "overview",
        "templates",
        "template",
        "steps",
        "agents",
        "agent",
        "rollbacks",
        "suggestions",
    ] = "overview"
    since: Moment = None
    until: Moment = None
    by: By | None = Field(None, description="How a series over time is divided.")
    category: Named = None
    template: Named = None
    agent: Named = Field(None, description="With `about: agent`.")
    order: Literal["time", "failures"] | None = Field(
        None, description="With `about: steps`: what makes a step hot."
    )
    limit: int | None = Field(None, ge=1, le=500)

    @model_validator(mode="after")
    def _names_what_it_asks(self) -> Self:
        given = {
            name
            for name in ("by", "category", "template", "agent", "order", "limit")
            if getattr(self, name) is not None
        }
        own = {self.about} & {"template", "agent"}
        if own - given:
            raise ValueError(f"`about: {self.about}` needs `{self.about}`: which one")
        for name in sorted(given - own - set(FILTERS[self.about])):
            raise ValueError(f"`{name}` does not go with `about: {self.about}`")
        return self


class Analytics(BaseModel):
    """What was asked for; the others are absent."""

    model_config = ConfigDict(frozen=True)

    overview: Overview | None = None
    templates: TemplateLines | None = None
    template: TemplateDetail | None = None
    steps: StepLines | None = None
    agents: AgentLines | None = None
    agent: AgentDetail | None = None
    rollbacks: RollbackAnalytics | None = None
    suggestions: SuggestionAnalytics | None = None


async def look(api: GatewayApi, given: AskAnalytics, _report: Report) -> Analytics:
    """Ask the gateway."""
    query: dict[str, Any] = {name: getattr(given, name) for name in FILTERS[given.about]}
    query |= {"from": given.since, "to": given.until}
    paths = {
        "template": f"templates/{segment(given.template or '')}",
        "agent": f"agents/{segment(given.agent or '')}",
    }
    path = f"{ANALYTICS}/{paths.get(given.about, given.about)}"
    found: Any = await api.get(path, ABOUT[given.about], query)
    return Analytics(**{str(given.about): found})


TABLE: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "workflow_analytics",
        "Look at figures of what was run",
        "Tells how workflows do: runs, success with its interval, durations, hot steps, agents "
        "beside each other, rollbacks, suggestions, people's time saved; by template, category "
        "and time. A share is null where there were no runs yet.",
        AskAnalytics,
        Analytics,
        look,
        reads_only=True,
    ),
)
