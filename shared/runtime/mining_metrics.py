"""The metrics of mining, which the learning service does."""

from __future__ import annotations

from typing import Final

from shared.runtime.metric import Kind, Label, Metric, Role

CHANGES: Final = ("found", "withdrawn", "forgotten")
STANDINGS: Final = ("open", "accepted", "rejected")

_C, _G, _LE = Kind.COUNTER, Kind.GAUGE, Role.LEARNING

MINED: Final = Metric(
    "hive_mining_total",
    _C,
    _LE,
    "How often the record was mined for workflows, or that `failed`; the log has the error.",
    (Label("outcome", ("mined", "failed")),),
)
TOOK: Final = Metric("hive_mining_duration_seconds", _G, _LE, "How long the record was mined last.")
COMMANDS: Final = Metric("hive_mining_commands", _G, _LE, "Commands that were mined last.")
MINED_AT: Final = Metric(
    "hive_mining_timestamp_seconds",
    _G,
    _LE,
    "When the record was mined last, in seconds since 1970; 0: not since the service started.",
)
FAILING: Final = Metric(
    "hive_mining_failing_seconds",
    _G,
    _LE,
    "For how long mining has failed, however often it was tried again; 0 while it does not.",
)
CHANGED: Final = Metric(
    "hive_mining_proposals_total",
    _C,
    _LE,
    "Proposals that mining found, that it withdrew, and that went with a user who was forgotten.",
    (Label("change", CHANGES),),
)
STANDING: Final = Metric(
    "hive_proposals",
    _G,
    _LE,
    "Proposals of workflows, by what was decided about them.",
    (Label("standing", STANDINGS),),
)

TABLE: Final[tuple[Metric, ...]] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Metric)
)
