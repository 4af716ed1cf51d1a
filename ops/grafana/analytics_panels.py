"""What the dashboard of analytics shows: how workflows do, over days.

Series know kinds of commands and hosts, and no template, step, user or line; `hv analytics` does.
`$command` is the commands that are chosen at the top; `$__range` is the time that is shown.
"""

from typing import Final

from ops.grafana.panel import Panel, Query, Row, Shape

_OVER: Final = "[$__range]"
_HOUR: Final = "[1h]"
_KNOWN: Final = 'status=~"completed|completed_with_errors|failed"'
_COMMAND: Final = 'command=~"$command"'


def _count(title: str, about: str, metric: str) -> Panel:
    """How many in the time that is shown."""
    query = Query(f"sum(increase({metric}{_OVER}))")
    return Panel(title, about, (query,), shape=Shape.STAT, width=4)


def _hourly(metric: str, by: str) -> tuple[Query, ...]:
    return (Query(f"sum by ({by}) (increase({metric}{_HOUR}))", f"{{{{{by}}}}}"),)


def _quantiles(metric: str) -> tuple[Query, ...]:
    rate = f"sum by (le) (rate({metric}_bucket{_HOUR}))"
    return tuple(
        Query(f"histogram_quantile({q}, {rate})", name)
        for q, name in ((0.5, "median"), (0.9, "90 %"), (0.99, "99 %"))
    )


SUMMARY: Final = Row(
    "In the time that is shown",
    (
        _count("Runs", "Executions that came to an end.", "hive_executions_ended_total"),
        Panel(
            "Success",
            "Completed runs of those that were not cancelled; `with errors` is none.",
            (
                Query(
                    f'sum(increase(hive_executions_ended_total{{status="completed"}}{_OVER})) '
                    f"/ (sum(increase(hive_executions_ended_total{{{_KNOWN}}}{_OVER})) > 0)"
                ),
            ),
            unit="percentunit",
            shape=Shape.STAT,
            width=4,
        ),
        Panel(
            "Time saved, last 30 days",
            "People's time that completed runs saved: an estimate between two bounds. "
            "`hv analytics` tells what it rests on.",
            (
                Query('max(hive_time_saved_seconds{bound="least"})', "at least"),
                Query('max(hive_time_saved_seconds{bound="most"})', "at most"),
            ),
            unit="s",
            shape=Shape.STAT,
            width=8,
        ),
        _count("Rollbacks", "Rollbacks that came to their end.", "hive_rollbacks_ended_total"),
        Panel(
            "Suggestions taken",
            "Accepted and edited suggestions of those that somebody answered.",
            (
                Query(
                    "sum(increase(hive_suggestion_feedback_total"
                    f'{{verdict=~"accepted|edited"}}{_OVER})) '
                    f"/ (sum(increase(hive_suggestion_feedback_total{_OVER})) > 0)"
                ),
            ),
            unit="percentunit",
            shape=Shape.STAT,
            width=4,
        ),
    ),
)

RUNS: Final = Row(
    "Runs",
    (
        Panel(
            "Runs by how they ended",
            "Executions that ended in the hour before.",
            _hourly("hive_executions_ended_total", "status"),
            stacked=True,
        ),
        Panel(
            "Success by the hour",
            "Completed runs of those that were not cancelled.",
            (
                Query(
                    f'sum(increase(hive_executions_ended_total{{status="completed"}}{_HOUR})) '
                    f"/ (sum(increase(hive_executions_ended_total{{{_KNOWN}}}{_HOUR})) > 0)",
                    "success",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Durations of runs",
            "From creation to the end, waiting for people included.",
            _quantiles("hive_execution_duration_seconds"),
            unit="s",
        ),
        Panel(
            "What happened at gates",
            "Approvals in the hour before; many `expired`: people are asked too late.",
            _hourly("hive_approvals_total", "event"),
            stacked=True,
        ),
        Panel(
            "Time saved",
            "Of the 30 days before each moment, between two bounds.",
            (Query("max by (bound) (hive_time_saved_seconds)", "at {{bound}}"),),
            unit="s",
        ),
    ),
)

STEPS: Final = Row(
    "Steps: where they fail, and where time goes",
    (
        Panel(
            "Attempts by how they ended",
            "Attempts at steps in the hour before; `retrying` is followed by another one.",
            _hourly("hive_steps_ended_total", "outcome"),
            stacked=True,
        ),
        Panel(
            "Durations of steps",
            "From an agent's claim to the end.",
            _quantiles("hive_step_duration_seconds"),
            unit="s",
        ),
        Panel(
            "Commands that fail most",
            "The ten kinds of commands with the most failures and timeouts in the time that is "
            "shown. Which steps: `hv analytics --about steps --order failures`.",
            (
                Query(
                    "topk(10, sum by (command) (increase(hive_commands_ended_total"
                    f'{{outcome=~"failed|timed_out",{_COMMAND}}}{_OVER})))'
                ),
            ),
            shape=Shape.TABLE,
        ),
        Panel(
            "Share of commands that fail",
            "Failures and timeouts of those that ended in the hour before, by kind of command.",
            (
                Query(
                    "sum by (command) (increase(hive_commands_ended_total"
                    f'{{outcome=~"failed|timed_out",{_COMMAND}}}{_HOUR})) '
                    "/ (sum by (command) (increase(hive_commands_ended_total"
                    f"{{{_COMMAND}}}{_HOUR})) > 0)",
                    "{{command}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Hot spots",
            "The ten kinds of commands that worked longest in the time that is shown. Which steps: "
            "`hv analytics --about steps`.",
            (
                Query(
                    "topk(10, sum by (command) (increase(hive_command_duration_seconds_sum"
                    f"{{{_COMMAND}}}{_OVER})))"
                ),
            ),
            unit="s",
            shape=Shape.TABLE,
        ),
    ),
)

AGENTS: Final = Row(
    "Agents",
    (
        Panel(
            "Work by agent",
            "Commands that ended at each executor in the hour before.",
            _hourly("hive_commands_ended_total", "instance"),
            stacked=True,
        ),
        Panel(
            "Failures by agent",
            "Share of the commands of each executor that failed or timed out. Beside others at the "
            "same steps: `hv analytics --about agents`.",
            (
                Query(
                    "sum by (instance) (increase(hive_commands_ended_total"
                    f'{{outcome=~"failed|timed_out"}}{_HOUR})) '
                    f"/ (sum by (instance) (increase(hive_commands_ended_total{_HOUR})) > 0)",
                    "{{instance}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Mean time of a command",
            "Of the commands that each executor ran in the hour before; other work takes another "
            "time.",
            (
                Query(
                    f"sum by (instance) (increase(hive_command_duration_seconds_sum{_HOUR})) "
                    "/ (sum by (instance) (increase(hive_command_duration_seconds_count"
                    f"{_HOUR})) > 0)",
                    "{{instance}}",
                ),
            ),
            unit="s",
        ),
    ),
)

ROLLBACKS: Final = Row(
    "Rollbacks",
    (
        Panel(
            "Rollbacks by how they ended",
            "In the hour before; of incomplete and failed ones something remains for people.",
            _hourly("hive_rollbacks_ended_total", "status"),
            stacked=True,
        ),
        Panel(
            "What was undone",
            "What was to be undone in the hour before: undone and verified, or left.",
            _hourly("hive_rollback_items_total", "outcome"),
            stacked=True,
        ),
    ),
)

SUGGESTED: Final = Row(
    "Suggestions",
    (
        Panel(
            "Offered unasked",
            "Workflows that sessions began or alerts asked for, in the hour before.",
            _hourly("hive_suggestions_offered_total", "why"),
            stacked=True,
        ),
        Panel(
            "What became of them",
            "Verdicts in the hour before, asked for or not; what nobody answers is in none.",
            (
                Query(
                    f"sum by (kind, verdict) (increase(hive_suggestion_feedback_total{_HOUR}))",
                    "{{kind}} {{verdict}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Proposals of workflows",
            "Workflows that mining found in what people run, by what was decided about them.",
            (Query("max by (standing) (hive_proposals)", "{{standing}}"),),
        ),
    ),
)

ANALYTICS: Final = (SUMMARY, RUNS, STEPS, AGENTS, ROLLBACKS, SUGGESTED)
