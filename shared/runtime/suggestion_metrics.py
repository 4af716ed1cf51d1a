"""The metrics of the suggestion service."""

from __future__ import annotations

from typing import Final

from shared.runtime.metric import Kind, Label, Metric, Role

ENDPOINTS: Final = ("suggest", "autocomplete", "notice")

_C, _G, _H, _SU = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Role.SUGGESTION

DURATION: Final = Metric(
    "hive_suggestion_duration_seconds",
    _H,
    _SU,
    "From a question to its answer, inside the service; a text that is new is encoded first.",
    (Label("endpoint", ENDPOINTS),),
    (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
OFFERED: Final = Metric(
    "hive_suggestions_offered_total",
    _C,
    _SU,
    "Workflows that were suggested unasked: a session began them (`steps`), or an alert came in.",
    (Label("why", ("steps", "alert")),),
)
TEMPLATES: Final = Metric(
    "hive_suggestion_templates",
    _G,
    _SU,
    "Templates that can be suggested; 0 while they have not been read.",
)
TABLE: Final = (DURATION, OFFERED, TEMPLATES)
