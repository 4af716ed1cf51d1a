"""The dashboard's row about suggestions."""

from typing import Final

from ops.grafana.panel import RATE, Panel, Query, Row

SUGGESTIONS: Final = Row(
    "Suggestions",
    (
        Panel(
            "Answers",
            "Questions per second, by endpoint.",
            (
                Query(
                    f"sum by (endpoint) (rate(hive_suggestion_duration_seconds_count{RATE}))",
                    "{{endpoint}}",
                ),
            ),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Time to an answer, p99",
            "Inside the service, by endpoint.",
            (
                Query(
                    "histogram_quantile(0.99, sum by (endpoint, le) "
                    f"(rate(hive_suggestion_duration_seconds_bucket{RATE})))",
                    "{{endpoint}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Offered unasked",
            "Workflows per second that sessions began, or that alerts ask for.",
            (Query(f"sum by (why) (rate(hive_suggestions_offered_total{RATE}))", "{{why}}"),),
            unit="ops",
        ),
        Panel(
            "Feedback",
            "What became of suggestions, per second: of workflows and of commands, by verdict.",
            (
                Query(
                    f"sum by (kind, verdict) (rate(hive_suggestion_feedback_total{RATE}))",
                    "{{kind}} {{verdict}}",
                ),
            ),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Templates",
            "Those that can be suggested.",
            (Query("max(hive_suggestion_templates)", "templates"),),
        ),
    ),
)
