"""The metrics of recording: what people and agents ran, as it enters at the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.runtime.metric import Kind, Label, Metric, Role

PATH: Final = "/api/v1/commands"
REASONS: Final[Mapping[int, str]] = {
    400: "invalid",
    401: "forbidden",
    403: "forbidden",
    413: "too_large",
    415: "invalid",
    422: "invalid",
    429: "rate",
    500: "internal",
    503: "unavailable",
}
"""Why commands were not taken, by the status of the answer."""
VERDICTS: Final = ("accepted", "dismissed", "edited")
SUGGESTED: Final = ("workflow", "command")

_C, _GA = Kind.COUNTER, Role.GATEWAY

COMMANDS: Final = Metric(
    "hive_commands_received_total",
    _C,
    _GA,
    "Commands that came to be recorded: `accepted` ones are durable on the bus (which of them were "
    "known already is in `hive_record_items_total`), `left_out` ones are of users who opted out.",
    (Label("outcome", ("accepted", "left_out")),),
)
MASKED: Final = Metric(
    "hive_commands_masked_total",
    _C,
    _GA,
    "Commands of which the gateway took a secret out; what clients took out before is not in it.",
)
REFUSED: Final = Metric(
    "hive_recording_refused_total",
    _C,
    _GA,
    "Requests to record commands of which none was taken for sure: by a key that may not, too many "
    "(`rate`), or while NATS or MongoDB was away (`unavailable`; clients send those again).",
    (Label("reason", tuple(dict.fromkeys(REASONS.values()))),),
)
FEEDBACK: Final = Metric(
    "hive_suggestion_feedback_total",
    _C,
    _GA,
    "What became of suggestions, as far as people and agents say; the same said twice counts twice "
    "here, and once in analytics.",
    (Label("kind", SUGGESTED), Label("verdict", VERDICTS)),
)

TABLE: Final = (COMMANDS, MASKED, REFUSED, FEEDBACK)
