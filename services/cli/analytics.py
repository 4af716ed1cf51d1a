"""`hv analytics`: how workflows do, as tables and sparklines, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from services.cli.options import AsJson, KeyFile, Url, complete_templates, open_gateway
from services.cli.outcome import CliError, print_json, told

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

    from services.cli.client import Gateway

ANALYTICS: Final = "/api/v1/analytics"
FEW: Final = 5
"""Steps and agents that are shown beside everything else."""


class About(StrEnum):
    """What to look at."""

    everything = "everything"
    templates = "templates"
    steps = "steps"
    agents = "agents"
    rollbacks = "rollbacks"
    suggestions = "suggestions"


class By(StrEnum):
    """How a series is divided."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"


class Order(StrEnum):
    """What makes a step hot."""

    time = "time"
    failures = "failures"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(analytics)


@told
def analytics(
    template: Annotated[
        str | None,
        typer.Argument(help="Only this template, closely.", autocompletion=complete_templates),
    ] = None,
    about: Annotated[About, typer.Option("--about", "-a", help="What to look at.")] = (
        About.everything
    ),
    agent: Annotated[str | None, typer.Option(help="One agent, closely.")] = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    since: Annotated[
        str, typer.Option(help="`12h`, `7d`, `4w` ago, or a date or time of UTC.")
    ] = "30d",
    until: Annotated[str | None, typer.Option(help="The same; default: now.")] = None,
    by: Annotated[By | None, typer.Option(help="How a series is divided.")] = None,
    order: Annotated[Order, typer.Option(help="What makes a step hot.")] = Order.time,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500)] = 20,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say how workflows do: runs, success, durations, hot steps, agents."""
    _check(template, about, agent, category)
    moments = {"from": since, "to": until}
    series = {"by": by.value if by else None}
    with open_gateway(url, key_file) as gateway:
        asked = _Asked(gateway, moments, series, template, category, order.value, limit)
        found = asked.of_agent(agent) if agent else asked.about(about)
    if as_json:
        print_json({name: one.model_dump(mode="json") for name, one in found.items()})
        return
    from services.cli import rendering

    console = rendering.console()
    lines = list(_lines(found))
    for line in lines or ["No runs yet in this range."]:
        console.print(line)


def _check(template: str | None, about: About, agent: str | None, category: str | None) -> None:
    if agent and (template or category or about is not About.everything):
        raise CliError("--agent stands alone: leave the template, --category and --about out.")
    if template and category:
        raise CliError("--category goes not with a template: it has one of its own.")
    if template and about is About.templates:
        raise CliError("--about templates compares all of them: leave the template out.")
    if category and about in (About.agents, About.suggestions):
        raise CliError(f"--category goes not with --about {about.value}.")


class _Asked:
    """The questions that answer one call."""

    def __init__(
        self,
        gateway: Gateway,
        moments: dict[str, Any],
        series: dict[str, Any],
        template: str | None,
        category: str | None,
        order: str,
        limit: int,
    ) -> None:
        self._gateway = gateway
        self._moments = moments
        self._series = series
        self._template = template
        self._category = category
        self._order = order
        self._limit = limit

    def of_agent(self, agent: str) -> dict[str, BaseModel]:
        """One agent."""
        from shared.contracts.api.analytics import AgentDetail

        return {"agent": self._get(f"agents/{quote(agent, safe='')}", AgentDetail)}

    def about(self, about: About) -> dict[str, BaseModel]:
        """What was asked about."""
        if about is not About.everything:
            return {about.value: self._one(about)}
        if self._template:
            from shared.contracts.api.analytics import TemplateDetail

            path = f"templates/{quote(self._template, safe='')}"
            return {"template": self._get(path, TemplateDetail, **self._series)}
        from shared.contracts.api.analytics import Overview

        category = {"category": self._category}
        found: dict[str, BaseModel] = {
            "overview": self._get("overview", Overview, **category, **self._series),
            "templates": self._one(About.templates),
            "steps": self._one(About.steps, FEW),
        }
        if not self._category:
            found["agents"] = self._one(About.agents, FEW)
        return found

    def _one(self, about: About, limit: int | None = None) -> BaseModel:
        from shared.contracts.api import analytics as models

        query: dict[str, Any] = {"limit": limit or self._limit}
        model: type[BaseModel]
        match about:
            case About.steps:
                model = models.StepLines
                query |= {"category": self._category, "template": self._template}
                query |= {"order": self._order}
            case About.agents:
                model, query = models.AgentLines, {**query, "template": self._template}
            case About.rollbacks:
                model = models.RollbackAnalytics
                query |= {"category": self._category, "template": self._template, **self._series}
            case About.suggestions:
                model = models.SuggestionAnalytics
                query |= {"template": self._template, **self._series}
            case _:
                model, query = models.TemplateLines, {**query, "category": self._category}
        return self._get(about.value, model, **query)

    def _get(self, path: str, model: type[BaseModel], **query: Any) -> BaseModel:
        return self._gateway.get(f"{ANALYTICS}/{path}", model, {**self._moments, **query})


def _lines(found: dict[str, BaseModel]) -> Iterable[RenderableType]:
    from services.cli import analytics_view as view
    from shared.contracts.api import analytics as models

    for one in found.values():
        match one:
            case models.TemplateDetail():
                yield from view.template_lines(one)
            case models.Overview():
                yield from view.overview_lines(one)
            case models.TemplateLines():
                yield from view.template_table(one.items, one.more)
            case models.StepLines():
                yield from view.step_table(one.items, one.more)
            case models.AgentLines():
                yield from view.agent_table(one.items, one.more)
            case models.AgentDetail():
                yield from view.agent_lines(one)
            case models.RollbackAnalytics():
                yield from view.rollback_lines(one)
            case models.SuggestionAnalytics():
                yield from view.suggestion_lines(one)
