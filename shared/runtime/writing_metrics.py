"""The metrics of what a learning service writes for gateways to read, and of time saved."""

from __future__ import annotations

from typing import Final

from shared.runtime.metric import Kind, Label, Metric, Role

WRITERS: Final = ("tables", "outcomes", "memories")
BOUNDS: Final = ("least", "most")

_C, _G, _H, _LE = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Role.LEARNING
_WRITER: Final = Label("writer", WRITERS)

ROWS: Final = Metric(
    "hive_learning_written_rows_total",
    _C,
    _LE,
    "What was written for gateways to read: `tables` of analytics, views of `outcomes` "
    "(predictions, failures, agents), `memories` of executions.",
    (_WRITER,),
)
TOOK: Final = Metric(
    "hive_learning_write_seconds",
    _H,
    _LE,
    "How long a round took in which something was written, computing included.",
    (_WRITER,),
    (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0),
)
WRITTEN_AT: Final = Metric(
    "hive_learning_written_timestamp_seconds",
    _G,
    _LE,
    "When all that was learned was written last, in seconds since 1970; 0: not since the service "
    "started. It stands while a model is being rebuilt.",
    (_WRITER,),
)
FAILING: Final = Metric(
    "hive_learning_write_failing_seconds",
    _G,
    _LE,
    "For how long writing has failed, however often it was tried again; 0 while it does not.",
    (_WRITER,),
)
SAVED: Final = Metric(
    "hive_time_saved_seconds",
    _G,
    _LE,
    "Estimate of people's time that the completed runs of the last 30 days saved, between two "
    "bounds; a 0 says that nothing ran, or that it was not worked out yet.",
    (Label("bound", BOUNDS),),
)

TABLE: Final = (ROWS, TOOK, WRITTEN_AT, FAILING, SAVED)
