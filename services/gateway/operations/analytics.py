"""Analytics: questions answered from tables that the learning service counted. Nothing is counted
here; a question reads a few tables for each hour, day or month that makes up its range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.gateway import problems
from services.gateway.operations.analytics_figures import (
    approval_figures,
    rollback_figures,
    run_figures,
    suggestion_figures,
    time_saved,
)
from services.gateway.operations.analytics_lines import (
    DETAIL_LIMIT,
    Order,
    agent_failures,
    agent_lines,
    failure_lines,
    keys_of,
    ranked,
    step_lines,
    template_lines,
    version_lines,
)
from services.gateway.operations.analytics_range import (
    Asked,
    Looked,
    Tables,
    Wanted,
    looked_at,
    read,
)
from services.gateway.parts import Parts
from shared.analytics.counting import ALL
from shared.analytics.periods import DAY_MS, Level, Span, period_of
from shared.analytics.rows import Key, Row, Sums
from shared.analytics.saving import handling_of
from shared.contracts.api.analytics import (
    AgentDetail,
    AgentLines,
    Overview,
    RollbackAnalytics,
    RollbackLine,
    RollbackSlice,
    RunSlice,
    StepLines,
    SuggestionAnalytics,
    SuggestionLine,
    SuggestionSlice,
    TemplateDetail,
    TemplateLines,
)

HANDLING_MS: Final = 62 * DAY_MS
"""Before the end of a range: the months from which the handling time is taken begin here."""


class AnalyticsOperations:
    """Answers questions about what was run."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.analytics
        self._templates = parts.templates
        self._clock = parts.clock

    async def overview(self, asked: Asked) -> Overview:
        """Everything, a category or a template. Raises 422 for a template that there is not."""
        if asked.template and asked.category:
            raise problems.invalid_field(
                "category", "goes not with `template`", "leave one of both out"
            )
        looked = await self._look(asked)
        tables = await read(self._store, looked, _for_overview(asked, looked))
        found = _overview(asked, looked, tables)
        if not found.runs.runs:
            await self._check_template(asked)
        return found

    async def templates(self, asked: Asked, limit: int) -> TemplateLines:
        """Templates that ran, those with most runs first."""
        looked, sums = await self._sums(asked, "h", Wanted("templates"))
        keys = ranked(sums, _fitting(sums, asked), "runs")
        lines = template_lines(sums, keys[:limit])
        return TemplateLines(range=looked.range, items=lines, more=_more(keys, limit))

    async def template(self, template_id: str, asked: Asked) -> TemplateDetail:
        """One template, closely. Raises 404 for one that is not there and never ran."""
        asked = asked.of_template(template_id)
        looked = await self._look(asked)
        closely = Wanted("template", template_id)
        tables = await read(self._store, looked, [closely, *_for_overview(asked, looked)])
        overview = _overview(asked, looked, tables)
        if not overview.runs.runs and await self._is_unknown(template_id):
            raise problems.not_found("template", template_id)
        sums = tables.sums(closely)
        steps = step_lines(
            sums,
            keys_of(sums, "step"),
            "time",
            DETAIL_LIMIT,
            lambda key: ("", template_id, *key[1:]),
        )
        return TemplateDetail(
            **{name: getattr(overview, name) for name in Overview.model_fields},
            versions=version_lines(sums),
            steps=steps,
            agents=agent_lines(sums, keys_of(sums, "agent"))[:DETAIL_LIMIT],
            failures=failure_lines(sums),
        )

    async def steps(self, asked: Asked, order: Order, limit: int) -> StepLines:
        """Steps by the time they take, or by their failures."""
        looked, sums = await self._sums(asked, "d", Wanted("steps"))
        keys = _fitting(sums, asked)
        lines = step_lines(sums, keys, order, limit, lambda key: key)
        return StepLines(range=looked.range, order=order, items=lines, more=_more(keys, limit))

    async def agents(self, asked: Asked, limit: int) -> AgentLines:
        """Who did how much, how well and how fast; of a template where that is asked for."""
        looked = await self._look(asked, "d")
        if asked.template:
            wanted = Wanted("template", asked.template)
            sums = (await read(self._store, looked, [wanted])).sums(wanted)
            lines = agent_lines(sums, keys_of(sums, "agent"))
            if not lines:
                await self._check_template(asked)
        else:
            worked, speeds = Wanted("agents"), Wanted("speeds")
            tables = await read(self._store, looked, [worked, speeds])
            sums = tables.sums(worked)
            lines = agent_lines(sums, list(sums), tables.sums(speeds))
        return AgentLines(range=looked.range, items=lines[:limit], more=_more(lines, limit))

    async def agent(self, name: str, asked: Asked) -> AgentDetail:
        """One agent, closely. Raises 404 for one that did nothing in the range."""
        looked = await self._look(asked, "d")
        worked, speeds, closely = Wanted("agents"), Wanted("speeds"), Wanted("agent", name)
        tables = await read(self._store, looked, [worked, speeds, closely])
        sums = tables.sums(worked)
        lines = agent_lines(sums, list(sums), tables.sums(speeds))
        line = next((one for one in lines if one.agent == name), None)
        if line is None:
            fix = "GET /api/v1/analytics/agents lists who worked in a range."
            raise problems.not_found("work of an agent", name, fix)
        own = tables.sums(closely)
        steps = step_lines(
            own, keys_of(own, "step"), "time", DETAIL_LIMIT, lambda key: ("", *key[1:])
        )
        return AgentDetail(range=looked.range, line=line, steps=steps, failures=agent_failures(own))

    async def rollbacks(self, asked: Asked, limit: int) -> RollbackAnalytics:
        """What came of rollbacks, by time and by template."""
        looked = await self._look(asked, "d")
        parts = await self._slices(looked, "rollbacks")
        whole = Sums.of(parts)
        keys = ranked(whole, _fitting(whole, asked), "rollbacks")
        if not keys:
            await self._check_template(asked)
        series = tuple(
            RollbackSlice(
                from_ms=span.from_ms,
                to_ms=span.to_ms,
                **rollback_figures(sums.total(_fitting(sums, asked))).model_dump(
                    include={"over", "rolled_back", "incomplete", "failed"}
                ),
            )
            for span, sums in zip(looked.slices, parts, strict=True)
        )
        items = tuple(
            RollbackLine(
                category=key[0], template_id=key[-1], rollbacks=rollback_figures(whole.row(key))
            )
            for key in keys[:limit]
        )
        return RollbackAnalytics(
            range=looked.range,
            rollbacks=rollback_figures(whole.total(keys)),
            series=series,
            items=items,
            more=_more(keys, limit),
        )

    async def suggestions(self, asked: Asked, limit: int) -> SuggestionAnalytics:
        """What became of suggestions, by time and by what was suggested."""
        looked = await self._look(asked, "d")
        parts = await self._slices(looked, "suggestions")
        whole = Sums.of(parts)
        keys = ranked(whole, _suggested(whole, asked), "accepted", "edited", "dismissed")
        if not keys:
            await self._check_template(asked)
        series = tuple(
            SuggestionSlice(
                from_ms=span.from_ms,
                to_ms=span.to_ms,
                **suggestion_figures(sums.total(_suggested(sums, asked))).model_dump(
                    include={"accepted", "edited", "dismissed"}
                ),
            )
            for span, sums in zip(looked.slices, parts, strict=True)
        )
        items = tuple(
            SuggestionLine(
                kind="command" if key[0] == "command" else "workflow",
                template_id=key[-1],
                suggestions=suggestion_figures(whole.row(key)),
            )
            for key in keys[:limit]
        )
        return SuggestionAnalytics(
            range=looked.range,
            suggestions=suggestion_figures(whole.total(keys)),
            series=series,
            items=items,
            more=_more(keys, limit),
        )

    async def _look(self, asked: Asked, finest: Level = "h") -> Looked:
        counted = await self._store.counted()
        return looked_at(asked, self._clock.now_ms(), counted, finest)

    async def _sums(self, asked: Asked, finest: Level, wanted: Wanted) -> tuple[Looked, Sums]:
        looked = await self._look(asked, finest)
        sums = (await read(self._store, looked, [wanted])).sums(wanted)
        if not _fitting(sums, asked):
            await self._check_template(asked)
        return looked, sums

    async def _slices(self, looked: Looked, view: Any) -> Sequence[Sums]:
        wanted = [Wanted(view, "", span) for span in looked.slices]
        tables = await read(self._store, looked, wanted)
        return [tables.sums(one) for one in wanted]

    async def _check_template(self, asked: Asked) -> None:
        if asked.template and await self._is_unknown(asked.template):
            raise problems.invalid_field(
                "template", "is no template", "GET /api/v1/workflows/templates lists them"
            )

    async def _is_unknown(self, template_id: str) -> bool:
        found = await self._templates.find(template_id)
        return found is None and not await self._templates.versions(template_id)


def _for_overview(asked: Asked, looked: Looked) -> Iterable[Wanted]:
    yield from (Wanted("totals", _scope(asked), span) for span in looked.slices)
    yield Wanted("totals", "", _handling(looked))


def _overview(asked: Asked, looked: Looked, tables: Tables) -> Overview:
    scope, key = _scope(asked), (ALL,)
    rows = [tables.sums(Wanted("totals", scope, span)).row(key) for span in looked.slices]
    whole = Row()
    for row in rows:
        whole.merge(row)
    handling, gaps = handling_of(tables.sums(Wanted("totals", "", _handling(looked))).row(key))
    return Overview(
        range=looked.range,
        category=asked.category,
        template_id=asked.template,
        runs=run_figures(whole),
        approvals=approval_figures(whole),
        rollbacks=rollback_figures(whole),
        suggestions=suggestion_figures(whole),
        saved=time_saved(whole, handling, gaps),
        series=tuple(map(_run_slice, looked.slices, rows)),
    )


def _run_slice(span: Span, row: Row) -> RunSlice:
    figures = run_figures(row)
    took = figures.durations
    return RunSlice(
        from_ms=span.from_ms,
        to_ms=span.to_ms,
        runs=figures.runs,
        completed=figures.completed,
        with_errors=figures.with_errors,
        failed=figures.failed,
        cancelled=figures.cancelled,
        p50_ms=took.p50_ms if took else None,
        p90_ms=took.p90_ms if took else None,
    )


def _scope(asked: Asked) -> str:
    if asked.template:
        return f"t:{asked.template}"
    return f"c:{asked.category}" if asked.category else ""


def _handling(looked: Looked) -> Span:
    """Whole months up to the end of the range."""
    first = period_of(looked.span.to_ms - HANDLING_MS, "m").start_ms
    return Span(first, period_of(max(looked.span.to_ms - 1, 0), "m").end_ms)


def _fitting(sums: Sums, asked: Asked) -> list[Key]:
    """Keys that begin with a category and a template, and are asked for."""
    return [
        key
        for key in sums
        if (not asked.category or key[0] == asked.category)
        and (not asked.template or key[1:2] == (asked.template,))
    ]


def _suggested(sums: Sums, asked: Asked) -> list[Key]:
    return [key for key in sums if not asked.template or key == ("workflow", asked.template)]


def _more(found: Sequence[Any], limit: int) -> int:
    return max(len(found) - limit, 0)
