"""Analytics as text: headlines, sparklines, tables. Only rich renderables; nothing is printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType
from rich.text import Text

from services.cli.rendering import duration, moment, table

if TYPE_CHECKING:
    from shared.contracts.api.analytics import (
        AgentDetail,
        AgentLine,
        AttemptFigures,
        DurationView,
        Overview,
        Range,
        RollbackAnalytics,
        RollbackFigures,
        RunFigures,
        RunSlice,
        ShareView,
        StepLine,
        SuggestionAnalytics,
        SuggestionFigures,
        TemplateDetail,
        TemplateLine,
    )

BARS: Final = "▁▂▃▄▅▆▇█"
NOTHING: Final = "·"
"""Stands where nothing happened, which is not the lowest bar."""
NO_RUNS: Final = "no runs yet"
SPARK_WIDTH: Final = 60
"""Most bars of a sparkline; of more, neighbours are joined."""
HALF: Final = 0.5


def overview_lines(found: Overview) -> Iterator[RenderableType]:
    """What happened in short: headline, series, and what else there is to say."""
    yield _headline(found)
    yield from _series(found.series)
    for line in (
        _approvals(found),
        _rollbacks(found.rollbacks),
        _suggestions(found.suggestions),
        _saved(found),
    ):
        if line:
            yield Text(line)


def template_table(lines: Sequence[TemplateLine], more: int) -> Iterator[RenderableType]:
    """Templates beside each other."""
    if not lines:
        return
    yield _title("Templates")
    columns = ("TEMPLATE", "RUNS", "SUCCESS", "FAILED", "CANCELLED", "P50", "P90", "CATEGORY")
    yield table(
        columns,
        (
            (
                one.template_id,
                one.runs.runs,
                share(one.runs.success),
                one.runs.failed or "",
                one.runs.cancelled or "",
                *_quantiles(one.runs.durations),
                one.category,
            )
            for one in lines
        ),
    )
    yield from _left_out(more)


def step_table(
    lines: Sequence[StepLine], more: int = 0, *, whose: bool = True
) -> Iterator[RenderableType]:
    """Steps, with their parts of time and failures."""
    if not lines:
        return
    yield _title("Steps")
    columns = ("STEP", "TIME", "OF TIME", "ATTEMPTS", "SUCCESS", "LOST", "P50", "P90", "COMMAND")
    yield table(
        columns,
        (
            (
                f"{one.template_id}.{one.step}" if whose and one.template_id else one.step,
                duration(one.attempts.busy_ms),
                percent(one.time_share),
                *_attempts(one.attempts),
                one.command,
            )
            for one in lines
        ),
    )
    yield from _left_out(more)


def agent_table(lines: Sequence[AgentLine], more: int = 0) -> Iterator[RenderableType]:
    """Agents beside each other."""
    if not lines:
        return
    yield _title("Agents")
    columns = ("AGENT", "WORKED", "OF WORK", "ATTEMPTS", "SUCCESS", "LOST", "P50", "P90", "SPEED")
    yield table(
        columns,
        (
            (
                one.agent,
                duration(one.attempts.busy_ms),
                percent(one.work_share),
                *_attempts(one.attempts),
                speed(one),
            )
            for one in lines
        ),
    )
    yield from _left_out(more)


def template_lines(found: TemplateDetail) -> Iterator[RenderableType]:
    """One template, closely."""
    yield from overview_lines(found)
    if len(found.versions) > 1:
        yield _title("Versions")
        yield table(
            ("VERSION", "RUNS", "SUCCESS", "FAILED", "P50", "P90"),
            (
                (
                    one.version,
                    one.runs.runs,
                    share(one.runs.success),
                    one.runs.failed or "",
                    *_quantiles(one.runs.durations),
                )
                for one in found.versions
            ),
        )
    yield from step_table(found.steps, whose=False)
    if found.failures:
        yield _title("Failures")
        columns = ("STEP", "CODE", "RUNS THAT FAILED", "ATTEMPTS IN OTHER RUNS")
        rows = ((one.step, one.code, one.runs, one.recovered) for one in found.failures)
        yield table(columns, rows)
    yield from agent_table(found.agents)


def agent_lines(found: AgentDetail) -> Iterator[RenderableType]:
    """One agent, closely."""
    yield _dim(_range(found.range))
    yield from agent_table([found.line])
    yield from step_table(found.steps)
    if found.failures:
        yield _title("Failures")
        yield table(("CODE", "ATTEMPTS"), ((one.code, one.attempts) for one in found.failures))


def rollback_lines(found: RollbackAnalytics) -> Iterator[RenderableType]:
    """Rollbacks."""
    yield _dim(_range(found.range))
    yield Text(_rollbacks(found.rollbacks) or "Nothing was rolled back.")
    if found.items:
        yield _spark("rollbacks", [one.over for one in found.series])
        columns = ("TEMPLATE", "OVER", "ROLLED BACK", "INCOMPLETE", "FAILED", "BY POLICY", "P50")
        yield table(
            columns,
            (
                (
                    one.template_id,
                    one.rollbacks.over,
                    share(one.rollbacks.success),
                    one.rollbacks.incomplete or "",
                    one.rollbacks.failed or "",
                    one.rollbacks.by_policy or "",
                    duration(one.rollbacks.durations.p50_ms if one.rollbacks.durations else None),
                )
                for one in found.items
            ),
        )
    yield from _left_out(found.more)


def suggestion_lines(found: SuggestionAnalytics) -> Iterator[RenderableType]:
    """Suggestions."""
    yield _dim(_range(found.range))
    yield Text(_suggestions(found.suggestions) or "Nobody answered a suggestion.")
    if found.items:
        answered = [one.accepted + one.edited + one.dismissed for one in found.series]
        yield _spark("answers", answered)
        columns = ("SUGGESTED", "TAKEN", "ACCEPTED", "EDITED", "DISMISSED")
        yield table(
            columns,
            (
                (
                    one.template_id or "(commands)",
                    share(one.suggestions.taken),
                    one.suggestions.accepted or "",
                    one.suggestions.edited or "",
                    one.suggestions.dismissed or "",
                )
                for one in found.items
            ),
        )
    yield from _left_out(found.more)


def share(found: ShareView | None) -> str:
    """A share with its interval; of nothing it is said that there were none."""
    if found is None:
        return NO_RUNS
    return f"{percent(found.share)} ({100 * found.low:.0f}–{100 * found.high:.0f})"


def percent(part: float | None) -> str:
    """A part in percent; empty when there is none."""
    return "" if part is None else f"{100 * part:.3g} %"


def speed(line: AgentLine) -> str:
    """How fast the agent is beside the others."""
    found = line.speed
    if found is None:
        return ""
    if abs(found.ratio - 1) < 0.05:
        return f"as others (of {found.attempts})"
    times = 1 / found.ratio if found.ratio < 1 else found.ratio
    word = "faster" if found.ratio < 1 else "slower"
    return f"{times:.2g}x {word} (of {found.attempts})"


def sparkline(values: Sequence[float | None]) -> str:
    """Bars between nothing and the greatest; one for each value, or for several neighbours."""
    joined = _joined(values)
    greatest = max((value for value in joined if value), default=0.0)
    return "".join(
        BARS[min(int(value / greatest * len(BARS)), len(BARS) - 1)] if value else NOTHING
        for value in joined
    )


def _joined(values: Sequence[float | None]) -> list[float]:
    size = -(-len(values) // SPARK_WIDTH) or 1
    known = [value or 0.0 for value in values]
    return [sum(known[start : start + size]) for start in range(0, len(known), size)]


def _headline(found: Overview) -> Text:
    runs = found.runs
    text = Text(found.template_id or found.category or "Everything", style="bold")
    text.append(f"  {_range(found.range)}\n", style="dim")
    if not runs.runs:
        return text.append(NO_RUNS)
    text.append(f"{runs.runs} runs, {share(runs.success)} succeeded")
    text.append(_counted(runs))
    if runs.durations is not None:
        took = runs.durations
        text.append(
            f"; they took {duration(took.p50_ms)} (p90 {duration(took.p90_ms)}, "
            f"p99 {duration(took.p99_ms)})"
        )
    return text


def _counted(runs: RunFigures) -> str:
    counted = (
        (runs.with_errors, "with errors"),
        (runs.failed, "failed"),
        (runs.cancelled, "cancelled"),
        (runs.retries, "retries"),
    )
    return "".join(f", {times} {word}" for times, word in counted if times)


def _series(series: Sequence[RunSlice]) -> Iterator[Text]:
    if not any(one.runs for one in series):
        return
    yield _spark("runs", [one.runs for one in series])
    if any(one.failed for one in series):
        yield _spark("failed", [one.failed for one in series], "red")
    if len(series) <= SPARK_WIDTH:
        yield _spark("p50", [one.p50_ms for one in series])


def _spark(name: str, values: Sequence[float | None], style: str = "cyan") -> Text:
    return Text.assemble((f"{name:>9}  ", "dim"), (sparkline(values), style))


def _approvals(found: Overview) -> str:
    asked = found.approvals
    if not asked.asked:
        return ""
    waited = f"; people took {duration(asked.waits.p50_ms)} (p50)" if asked.waits else ""
    said = ", ".join(
        f"{times} {word}"
        for times, word in (
            (asked.granted, "granted"),
            (asked.rejected, "rejected"),
            (asked.expired, "expired"),
        )
        if times
    )
    return f"Approvals: {asked.asked} asked" + (f", {said}" if said else "") + waited


def _rollbacks(found: RollbackFigures) -> str:
    if not found.over:
        return ""
    said = ", ".join(
        f"{times} {word}"
        for times, word in (
            (found.rolled_back, "rolled back"),
            (found.incomplete, "incomplete"),
            (found.failed, "failed"),
        )
        if times
    )
    return f"Rollbacks: {found.over} over, {said}"


def _suggestions(found: SuggestionFigures) -> str:
    if found.taken is None:
        return ""
    return f"Suggestions: {found.taken.of} answered, {share(found.taken)} taken"


def _saved(found: Overview) -> str:
    saved = found.saved
    if not saved.most_ms:
        return ""
    least, most = duration(saved.least_ms), duration(saved.most_ms)
    measured = f"{saved.measured_gaps} measured gaps" if saved.measured_gaps else "an assumption"
    handling = duration(saved.handling_ms)
    return (
        f"Time saved, an estimate: {least} to {most} ({handling} for each command by hand, "
        f"from {measured})"
    )


def _attempts(found: AttemptFigures) -> tuple[str | int, ...]:
    judged = share(found.success) if found.success is not None else ""
    return (found.attempts, judged, found.lost or "", *_quantiles(found.durations))


def _quantiles(found: DurationView | None) -> tuple[str, str]:
    return (duration(found.p50_ms), duration(found.p90_ms)) if found is not None else ("", "")


def _range(found: Range) -> str:
    text = f"{moment(found.from_ms)[:16]} to {moment(found.to_ms)[:16]}"
    return f"{text}, by {found.by}" if found.by else text


def _left_out(more: int) -> Iterable[Text]:
    if more:
        yield _dim(f"{more} more; --limit shows them")


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _dim(text: str) -> Text:
    return Text(text, style="dim")
