"""The dashboard's row about what is kept before steps."""

from typing import Final

from ops.grafana.panel import EXECUTOR, RATE, Panel, Query, Row, quantiles

CAPTURES: Final = Row(
    "Captures",
    (
        Panel(
            "Kept before steps",
            "Captures per second; `failed` and `too_large` ones kept their steps from beginning.",
            (
                Query(
                    f"sum by (outcome) (rate(hive_captures_total{EXECUTOR}{RATE}))",
                    "{{outcome}}",
                ),
            ),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Bytes kept before steps",
            "Bytes of files per second, in clear.",
            (Query(f"sum(rate(hive_captured_bytes_total{EXECUTOR}{RATE}))", "kept"),),
            unit="Bps",
        ),
        Panel(
            "Time of a capture",
            "What a step waits until what it changes is kept.",
            quantiles("hive_capture_duration_seconds"),
            unit="s",
            warn=1,
        ),
        Panel(
            "Room for captures",
            "How full the store is of what was kept before steps; once it is full, steps that need "
            "it do not begin.",
            (
                Query(
                    "max by (part) (hive_capture_store_bytes) "
                    "/ (max by (part) (hive_capture_store_limit_bytes) > 0)",
                    "{{part}}",
                ),
            ),
            unit="percentunit",
            warn=0.8,
            bad=0.95,
        ),
        Panel(
            "Captures removed",
            "Steps that nothing can be put back of any more, per second.",
            (Query("sum(rate(hive_captures_forgotten_total[$__rate_interval]))", "removed"),),
        ),
    ),
)
