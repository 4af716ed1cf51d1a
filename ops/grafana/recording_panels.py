"""The dashboard's row about commands that come to be recorded."""

from typing import Final

from ops.grafana.panel import RATE, Panel, Query, Row

RECORDING: Final = Row(
    "Recording",
    (
        Panel(
            "Commands that came",
            "Per second, as gateways took them; those of users who opted out are left out.",
            (Query(f"sum by (outcome) (rate(hive_commands_received_total{RATE}))", "{{outcome}}"),),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Secrets taken out",
            "Commands per second of which the gateway took a secret out, beyond what clients did.",
            (Query(f"sum(rate(hive_commands_masked_total{RATE}))", "masked"),),
            unit="ops",
        ),
        Panel(
            "Refused",
            "Requests to record per second that were refused, by why; what found the "
            "record unavailable is sent again by clients.",
            (Query(f"sum by (reason) (rate(hive_recording_refused_total{RATE}))", "{{reason}}"),),
            unit="ops",
            stacked=True,
        ),
    ),
)
