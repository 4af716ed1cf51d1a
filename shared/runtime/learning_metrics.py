"""The metrics of the learning service."""

from __future__ import annotations

from typing import Final

from shared.runtime.metric import Kind, Label, Metric, Role

REBUILDS: Final = ("start", "forget", "order")

_C, _G, _LE = Kind.COUNTER, Kind.GAUGE, Role.LEARNING
_MODEL: Final = Label("model", open_set="the models that the service keeps")

ACTIVE: Final = Metric(
    "hive_learning_active_services",
    _G,
    _LE,
    "1 for the learning service that works, 0 for one that stands by; together it should be 1.",
)
KEPT: Final = Metric(
    "hive_record_items_total",
    _C,
    _LE,
    "Items of the record that came: `new` ones are kept, `known` ones were kept already.",
    (Label("outcome", ("new", "known")),),
)
FORGOTTEN: Final = Metric(
    "hive_record_forgotten_items_total",
    _C,
    _LE,
    "Items that were removed because somebody asked for them to be forgotten.",
)
EXPIRED: Final = Metric(
    "hive_record_expired_items_total", _C, _LE, "Items that were removed because they were old."
)
RUNS: Final = Metric(
    "hive_runs_recorded_total",
    _C,
    _LE,
    "Ended executions that were added to the record, as far as the service can tell.",
)
LEARNED: Final = Metric(
    "hive_learned_items_total",
    _C,
    _LE,
    "Items that a model was given; it may be given the same ones again when it is rebuilt.",
    (_MODEL,),
)
SKIPPED: Final = Metric(
    "hive_learning_skipped_items_total",
    _C,
    _LE,
    "Items that a model failed at, and that it did not learn from. The log has the error.",
    (_MODEL,),
)
BEHIND_ITEMS: Final = Metric(
    "hive_learning_behind_items",
    _G,
    _LE,
    "Items that are kept and that a model has not been given yet.",
    (_MODEL,),
)
BEHIND_TIME: Final = Metric(
    "hive_learning_behind_seconds",
    _G,
    _LE,
    "For how long a model has not held all that is kept; 0 while it does, or is being rebuilt.",
    (_MODEL,),
)
REBUILT: Final = Metric(
    "hive_learning_rebuilds_total",
    _C,
    _LE,
    "Rebuilds of models that began: at a `start` without a snapshot that can be used, to `forget`, "
    "or by `order`.",
    (Label("reason", REBUILDS),),
)
SNAPSHOT_AT: Final = Metric(
    "hive_model_snapshot_timestamp_seconds",
    _G,
    _LE,
    "When the newest snapshot of a model was made, in seconds since 1970; 0 where there is none.",
    (_MODEL,),
)
SNAPSHOT_BYTES: Final = Metric(
    "hive_model_snapshot_bytes", _G, _LE, "Bytes of the newest snapshot of a model.", (_MODEL,)
)
BASE_AT: Final = Metric(
    "hive_model_base_timestamp_seconds",
    _G,
    _LE,
    "When the newest base of a model was made, in seconds since 1970; 0 where none is known. "
    "Nothing goes by age before every model has one that holds it.",
    (_MODEL,),
)
MISSING: Final = Metric(
    "hive_model_missing_items",
    _G,
    _LE,
    "Items that had gone by age before a model began, and that it has never seen.",
    (_MODEL,),
)
REBUILDING: Final = Metric(
    "hive_learning_rebuilding_seconds",
    _G,
    _LE,
    "For how long a model has been rebuilt by now; 0 while it is not. What it wrote before stays "
    "as it was meanwhile.",
    (_MODEL,),
)
BUSY: Final = Metric(
    "hive_learning_busy_seconds_total",
    _C,
    _LE,
    "Processor time of folding, of saving and of deriving runs.",
)

TABLE: Final[tuple[Metric, ...]] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Metric)
)
