"""Every metric of the system in one table: `TABLE`.

The law of a metric:

* Its name begins with `hive_` and ends with its unit (`_seconds`, `_bytes`, `_messages`, …); a
  counter ends with `_total`.
* Every label has a bounded set of values. A value outside the set counts as `other`, so no input
  from outside can grow the number of time series.
* The help text says what one more means to an operator.

Services use the table through the classes of `shared.runtime.meters`; the reference page, the
dashboard's test and the alert rules' test read it as data.
"""

from __future__ import annotations

from typing import Final

from shared.contracts.subjects import EVENTS, JOURNAL_STREAMS, LOGS, PARTITIONS, TASKS
from shared.ports.backlog import OPEN
from shared.runtime import (
    learning_metrics,
    mining_metrics,
    recording_metrics,
    suggestion_metrics,
    writing_metrics,
)
from shared.runtime.metric import Kind, Label, Metric, Role

STEP_OUTCOMES: Final = ("completed", "failed", "retrying", "lost", "skipped", "cancelled")
EXECUTION_ENDS: Final = ("completed", "completed_with_errors", "failed", "cancelled")
ROLLBACK_ENDS: Final = ("rolled_back", "rollback_incomplete", "rollback_failed")
APPROVAL_EVENTS: Final = (
    "requested",
    "granted",
    "rejected",
    "expired",
    "escalated",
    "voided",
    "refused",
)
SCHEDULE_OUTCOMES: Final = ("started", "missed", "overlapped", "queued", "dropped", "refused")
TRIGGER_OUTCOMES: Final = (
    "received",
    "matched",
    "unmatched",
    "deduplicated",
    "waited",
    "debounced",
    "throttled",
    "looped",
    "failed",
    "ignored",
    "started",
)
OPEN_STATUSES: Final = tuple(status.value for status in OPEN)
COMMAND_OUTCOMES: Final = ("succeeded", "failed", "timed_out", "cancelled", "deferred")
RUN_VALIDATIONS: Final = ("passed", "approval", "refused")
CAPTURE_OUTCOMES: Final = ("kept", "found", "failed", "too_large")
CAPTURE_PARTS: Final = ("manifests", "contents")
ERROR_KINDS: Final = (
    "bad_input",
    "nats",
    "mongo",
    "timeout",
    "poison",
    "corrupt_state",
    "internal",
)
POOL_KINDS: Final = ("any", "cap", "host")
STREAMS: Final = (*(f"JOURNAL_{n}" for n in range(JOURNAL_STREAMS)), TASKS, EVENTS, LOGS)
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
DELIVERY_OUTCOMES: Final = ("delivered", "retrying", "dead")
LIVE_LEVELS: Final = ("strict", "paranoid")
SEVERITIES: Final = ("error", "warning", "info")

_PARTITION: Final = Label("partition", tuple(str(n) for n in range(PARTITIONS)))
_STREAM: Final = Label("stream", STREAMS)
_CAPTURE_PART: Final = Label("part", CAPTURE_PARTS)
_COMMAND: Final = Label("command", open_set="the names in the command registry")
_METHOD: Final = Label("method", METHODS)
_ROUTE: Final = Label("route", open_set="the gateway's route templates; `other` where none matched")

_FAST_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_QUEUE_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
_WORK_S: Final = (0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_HTTP_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)

_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_ALL, _CO, _RU, _GA = Role.EVERY, Role.COORDINATOR, Role.RUNNER, Role.GATEWAY
_RB: Final = Role.ROLLBACK

BUILD_INFO: Final = Metric(
    "hive_build_info",
    _G,
    _ALL,
    "Always 1; the labels tell which service and version runs.",
    (Label("service", open_set="one value"), Label("version", open_set="one value")),
)
ERRORS: Final = Metric(
    "hive_errors_total",
    _C,
    _ALL,
    "Errors that were handled or reported, by kind. A steady rate of `nats` or `mongo` means that "
    "a server is away; `internal` is always a defect.",
    (Label("kind", ERROR_KINDS),),
)

STEPS_ENDED: Final = Metric(
    "hive_steps_ended_total",
    _C,
    _CO,
    "Attempts at steps that came to an end, by outcome; `retrying` is followed by another attempt.",
    (Label("outcome", STEP_OUTCOMES),),
)
STEP_DURATION: Final = Metric(
    "hive_step_duration_seconds",
    _H,
    _CO,
    "From an agent's claim of a step to its end.",
    buckets=_WORK_S,
)
STEP_QUEUE: Final = Metric(
    "hive_step_queue_seconds",
    _H,
    _CO,
    "From the scheduling of a step to an agent's claim: how long work waits for hands.",
    buckets=_QUEUE_S,
)
EXECUTIONS_STARTED: Final = Metric(
    "hive_executions_started_total", _C, _CO, "Executions that were created."
)
EXECUTIONS_ENDED: Final = Metric(
    "hive_executions_ended_total",
    _C,
    _CO,
    "Executions that reached a final status.",
    (Label("status", EXECUTION_ENDS),),
)
ROLLBACKS: Final = Metric(
    "hive_rollbacks_ended_total",
    _C,
    _CO,
    "Rollbacks that came to their end. Of `rollback_incomplete` and `rollback_failed` something "
    "remains that a person has to look at.",
    (Label("status", ROLLBACK_ENDS),),
)
EXECUTION_DURATION: Final = Metric(
    "hive_execution_duration_seconds",
    _H,
    _CO,
    "From the creation of an execution to its final status, waiting for people included.",
    buckets=_WORK_S,
)
APPROVALS: Final = Metric(
    "hive_approvals_total",
    _C,
    _CO,
    "What happened at gates. Many `expired`: people are not asked where they look, or too late; "
    "`refused`: answers that did not count.",
    (Label("event", APPROVAL_EVENTS),),
)
SCHEDULE_FIRINGS: Final = Metric(
    "hive_schedule_firings_total",
    _C,
    _CO,
    "What became of the moments of schedules. `refused`: no template, or parameters that do not "
    "fit it; `missed`: nothing was there to start it in time.",
    (Label("outcome", SCHEDULE_OUTCOMES),),
)
TRIGGER_EVENTS: Final = Metric(
    "hive_trigger_events_total",
    _C,
    _CO,
    "Events that rules were given, and what became of them; one event counts as `received`, "
    "perhaps as `matched`, and once for its end. Many `looped`: workflows trigger themselves.",
    (Label("outcome", TRIGGER_OUTCOMES),),
)
BATCH: Final = Metric(
    "hive_coordinator_batch_messages",
    _H,
    _CO,
    "Journal messages that one turn of a coordinator took. Near the upper bound: it is behind.",
    buckets=_BATCH,
)
TURN: Final = Metric(
    "hive_coordinator_turn_seconds",
    _H,
    _CO,
    "One turn: folding a batch and deciding, without waiting for servers.",
    buckets=_FAST_S,
)
COMMIT: Final = Metric(
    "hive_coordinator_commit_seconds",
    _H,
    _CO,
    "Until the decisions of a turn were durable on NATS.",
    buckets=_FAST_S,
)
FLUSH: Final = Metric(
    "hive_coordinator_flush_seconds",
    _H,
    _CO,
    "Until the changed states and their history were durable in MongoDB; the journal is "
    "acknowledged after that.",
    buckets=_FAST_S,
)
PARTITION_OWNED: Final = Metric(
    "hive_partition_owned",
    _G,
    _CO,
    "1 while this coordinator owns the partition. Over all coordinators each must sum to 1.",
    (_PARTITION,),
)
ARCHIVED: Final = Metric(
    "hive_archived_executions_total",
    _C,
    _CO,
    "An ended execution was moved into the archive.",
)
ARCHIVE_DELETED: Final = Metric(
    "hive_archive_deleted_executions_total",
    _C,
    _CO,
    "An archived execution was deleted for good, at the end of its retention.",
)
ARCHIVE_SIZE: Final = Metric(
    "hive_archive_executions",
    _G,
    _CO,
    "Archived executions, about, as of the last round of housekeeping; all coordinators see the "
    "same, and only the one that keeps house tells it.",
)
CAPTURES_BYTES: Final = Metric(
    "hive_capture_store_bytes",
    _G,
    _CO,
    "Bytes of captures as stored, as of the last round of housekeeping; 0 where another "
    "coordinator keeps house.",
    (_CAPTURE_PART,),
)
CAPTURES_LIMIT: Final = Metric(
    "hive_capture_store_limit_bytes",
    _G,
    _CO,
    "Bytes of captures that there is room for: once they are used, steps that need a capture do "
    "not begin. 0 where another coordinator keeps house.",
    (_CAPTURE_PART,),
)
CAPTURES_GONE: Final = Metric(
    "hive_captures_forgotten_total",
    _C,
    _CO,
    "What was kept before one step was removed, at the end of its time: it cannot be put back.",
)
HOUSEKEEPING_AT: Final = Metric(
    "hive_housekeeping_round_timestamp_seconds",
    _G,
    _CO,
    "When this coordinator last finished a round of housekeeping, 0 where another one keeps house.",
)
JOURNAL_LAG: Final = Metric(
    "hive_journal_lag_messages",
    _G,
    _CO,
    "Messages of the partition that are taken or waiting, but not yet acknowledged; 0 where "
    "another coordinator owns it.",
    (_PARTITION,),
)
EFFECTS_PENDING: Final = Metric(
    "hive_effects_pending",
    _G,
    _CO,
    "Tasks, timers and events that were decided and are not yet durable.",
)
QUARANTINED: Final = Metric(
    "hive_quarantined_messages_total",
    _C,
    _CO,
    "Journal messages that could not be applied and were put aside with their reason.",
)
QUARANTINE: Final = Metric(
    "hive_quarantine_messages",
    _G,
    _CO,
    "Journal messages in the collection `quarantine`: each is a decision that was not taken, until "
    "somebody has looked at it and removed it. Not a number while MongoDB is away.",
)
EXECUTIONS_OPEN: Final = Metric(
    "hive_executions_open",
    _G,
    _CO,
    "Executions that have not ended, by status, as stored. Not a number while MongoDB is away.",
    (Label("status", OPEN_STATUSES),),
)
EXECUTION_OLDEST: Final = Metric(
    "hive_execution_oldest_seconds",
    _G,
    _CO,
    "Age of the oldest execution of a status since it was created; 0 where there is none. Old and "
    "`pending`: it never started. Old and `waiting`: somebody was not asked, or forgot.",
    (Label("status", OPEN_STATUSES),),
)
ROLLBACK_WAITS: Final = Metric(
    "hive_rollback_waits_seconds",
    _G,
    _CO,
    "How long the rollback has waited that waits longest for an answer of a rollback service; 0 "
    "where none waits. It grows where no such service runs. Not a number while MongoDB is away.",
)
STREAM_MESSAGES: Final = Metric(
    "hive_stream_messages", _G, _CO, "Messages stored in a JetStream stream.", (_STREAM,)
)
STREAM_BYTES: Final = Metric(
    "hive_stream_bytes", _G, _CO, "Bytes stored in a JetStream stream.", (_STREAM,)
)
TASK_QUEUE: Final = Metric(
    "hive_task_queue_messages",
    _G,
    _CO,
    "Tasks that no runner has taken yet, by kind of pool (any agent, a capability, one host).",
    (Label("pool", POOL_KINDS),),
)
AGENTS_LIVE: Final = Metric(
    "hive_agents_live", _G, _CO, "Agents that announced themselves within the time to live."
)

SLOTS: Final = Metric("hive_runner_slots", _G, _RU, "Commands this runner may run at once.")
RUNNING: Final = Metric("hive_runner_running", _G, _RU, "Commands this runner runs now.")
COMMANDS_ENDED: Final = Metric(
    "hive_commands_ended_total",
    _C,
    _RU,
    "Commands that ended on this runner, by outcome.",
    (_COMMAND, Label("outcome", COMMAND_OUTCOMES)),
)
COMMAND_DURATION: Final = Metric(
    "hive_command_duration_seconds",
    _H,
    _RU,
    "How long a command ran on this runner.",
    (_COMMAND,),
    _WORK_S,
)
CAPTURED: Final = Metric(
    "hive_captures_total",
    _C,
    _RU,
    "An attempt that changes something was about to begin: what was there was `kept`, or `found` "
    "kept before an earlier attempt; `failed` and `too_large` kept the attempt from beginning.",
    (Label("outcome", CAPTURE_OUTCOMES),),
)
CAPTURED_BYTES: Final = Metric(
    "hive_captured_bytes_total", _C, _RU, "One byte of a file was kept before it was changed."
)
CAPTURE_DURATION: Final = Metric(
    "hive_capture_duration_seconds",
    _H,
    _RU,
    "How long an attempt waited until what it is about to change was kept.",
    buckets=_FAST_S,
)
RUNNER_LOST: Final = Metric(
    "hive_runner_lost_total",
    _C,
    _RU,
    "Attempts that came back to this runner after another had started them: reported as lost.",
)

REQUESTS: Final = Metric(
    "hive_http_requests_total",
    _C,
    _GA,
    "Answered requests, by route template, method and class of status.",
    (_ROUTE, _METHOD, Label("status", STATUS_CLASSES)),
)
REQUEST_DURATION: Final = Metric(
    "hive_http_request_duration_seconds",
    _H,
    _GA,
    "From the arrival of a request to the end of its answer.",
    (_ROUTE, _METHOD),
    _HTTP_S,
)
WEBSOCKETS: Final = Metric("hive_websockets_open", _G, _GA, "WebSocket connections that are open.")
WEBHOOK_DELIVERIES: Final = Metric(
    "hive_webhook_deliveries_total",
    _C,
    _GA,
    "Attempts to deliver a webhook; `retrying` is tried again, `dead` has used up its attempts.",
    (Label("outcome", DELIVERY_OUTCOMES),),
)

VALIDATION_DURATION: Final = Metric(
    "hive_validation_duration_seconds",
    _H,
    Role.VALIDATOR,
    "From a question about a run to its answer; `paranoid` simulates, and asks hosts to connect.",
    (Label("level", LIVE_LEVELS),),
    _HTTP_S,
)
VALIDATION_FINDINGS: Final = Metric(
    "hive_validation_findings_total",
    _C,
    Role.VALIDATOR,
    "What was found in the live system, by severity; many `error`: runs are asked for that cannot "
    "succeed.",
    (Label("severity", SEVERITIES),),
)
ROLLBACK_PLANS: Final = Metric(
    "hive_rollback_plans_total",
    _C,
    _RB,
    "Plans that were asked for. Of one that was `refused` its rollback failed, and says why.",
    (Label("outcome", ("made", "refused")),),
)
RUNS_VALIDATED: Final = Metric(
    "hive_runs_validated_total",
    _C,
    _GA,
    "Runs of schedules and rules, and calls, that were looked at when their time had come: "
    "`refused` ones failed before anything had run, those of `approval` ask people.",
    (Label("outcome", RUN_VALIDATIONS),),
)
ROLLBACK_GIVEN_UP: Final = Metric(
    "hive_rollback_given_up_total",
    _C,
    _RB,
    "Orders that failed each time by a defect, and were given up: no plan was made (`plan`), or "
    "nobody knows what was undone (`account`). The log has the error.",
    (Label("work", ("plan", "account")),),
)
ROLLBACK_ITEMS: Final = Metric(
    "hive_rollback_items_total",
    _C,
    _RB,
    "What was to be undone: `undone`, and verified, or `left`, and in the runbook.",
    (Label("outcome", ("undone", "left")),),
)

TABLE: Final[tuple[Metric, ...]] = (
    *(value for value in tuple(globals().values()) if isinstance(value, Metric)),
    *recording_metrics.TABLE,
    *learning_metrics.TABLE,
    *mining_metrics.TABLE,
    *writing_metrics.TABLE,
    *suggestion_metrics.TABLE,
)
"""All of the above, in their order, those of the other tables: none can be forgotten."""
