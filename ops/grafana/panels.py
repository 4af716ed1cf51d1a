"""What the dashboard shows: rows of panels, each a question to Prometheus in words and PromQL.

`$instance` is the executors chosen at the top of the dashboard, `$command` the commands;
`$__rate_interval` is filled in by Grafana. Units are Grafana's names. Thresholds are the same as in
`ops/prometheus/alerts.yml` where an alert exists.
"""

from typing import Final

from ops.grafana.capture_panels import CAPTURES
from ops.grafana.learning_panels import LEARNING
from ops.grafana.panel import EXECUTOR, RATE, Panel, Query, Row, Shape, quantiles
from ops.grafana.recording_panels import RECORDING
from ops.grafana.suggestion_panels import SUGGESTIONS

OVERVIEW: Final = Row(
    "Overview",
    (
        Panel(
            "Executions, last hour",
            "Executions that were created.",
            (Query("sum(increase(hive_executions_started_total[1h]))"),),
            shape=Shape.STAT,
            width=4,
        ),
        Panel(
            "Steps",
            "Attempts at steps that ended, per second.",
            (Query(f"sum(rate(hive_steps_ended_total{RATE}))"),),
            unit="ops",
            shape=Shape.STAT,
            width=4,
        ),
        Panel(
            "Executions failed, last 15 min",
            "Share of the executions that ended with a failure.",
            (
                Query(
                    'sum(increase(hive_executions_ended_total{status="failed"}[15m])) '
                    "/ (sum(increase(hive_executions_ended_total[15m])) > 0)"
                ),
            ),
            unit="percentunit",
            shape=Shape.STAT,
            width=4,
            warn=0.05,
            bad=0.2,
        ),
        Panel(
            "Live agents",
            "Agents that announced themselves within the time to live.",
            (Query("max(hive_agents_live)"),),
            shape=Shape.STAT,
            width=4,
            warn=1,
            bad=0,
        ),
        Panel(
            "Partitions with an owner",
            "All 16 must have one; an execution of a partition without owner stands still.",
            (Query("count(sum by (partition) (hive_partition_owned) > 0)"),),
            shape=Shape.STAT,
            width=4,
            warn=15,
            bad=12,
        ),
        Panel(
            "In quarantine",
            "Journal messages that could not be applied, until somebody has looked at them.",
            (Query("max(hive_quarantine_messages)"),),
            shape=Shape.STAT,
            width=4,
            warn=0.5,
            bad=1,
        ),
        Panel(
            "Open executions",
            "Executions that have not ended, by status.",
            (Query("max by (status) (hive_executions_open)", "{{status}}"),),
            width=12,
            stacked=True,
        ),
        Panel(
            "Oldest open execution",
            "Age of the oldest execution by status; 0 where there is none.",
            (Query("max by (status) (hive_execution_oldest_seconds)", "{{status}}"),),
            unit="s",
            width=12,
        ),
        Panel(
            "Executions",
            "Executions started, and ended by status, per second.",
            (
                Query(f"sum(rate(hive_executions_started_total{RATE}))", "started"),
                Query(f"sum by (status) (rate(hive_executions_ended_total{RATE}))", "{{status}}"),
            ),
            unit="ops",
        ),
        Panel(
            "Steps by outcome",
            "Attempts at steps that ended, per second, by outcome.",
            (Query(f"sum by (outcome) (rate(hive_steps_ended_total{RATE}))", "{{outcome}}"),),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Approvals",
            "What happened at gates, in the last hour: asked, granted, rejected, expired, refused.",
            (Query("sum by (event) (increase(hive_approvals_total[1h]))", "{{event}}"),),
        ),
        Panel(
            "Errors by kind",
            "Handled and reported errors per second, over all services.",
            (Query(f"sum by (kind) (rate(hive_errors_total{RATE}))", "{{kind}}"),),
            unit="ops",
            warn=0.1,
            bad=1,
        ),
    ),
)

ENGINE: Final = Row(
    "Engine",
    (
        Panel(
            "Journal lag by partition",
            "Messages not acknowledged yet. It rises when MongoDB is slow or an owner died.",
            (
                Query(
                    f"max by (partition) (hive_journal_lag_messages{EXECUTOR})",
                    "partition {{partition}}",
                ),
            ),
            warn=1000,
            bad=5000,
        ),
        Panel(
            "Partitions by coordinator",
            "How the partitions are shared.",
            (Query(f"sum by (instance) (hive_partition_owned{EXECUTOR})", "{{instance}}"),),
            stacked=True,
        ),
        Panel(
            "Time of an execution",
            "From creation to final status, waiting for people included.",
            quantiles("hive_execution_duration_seconds", EXECUTOR),
            unit="s",
        ),
        Panel(
            "Time of a turn",
            "Folding a batch and deciding; nothing is waited for.",
            quantiles("hive_coordinator_turn_seconds", EXECUTOR),
            unit="s",
        ),
        Panel(
            "Time of a commit",
            "Until decisions are durable on NATS.",
            quantiles("hive_coordinator_commit_seconds", EXECUTOR),
            unit="s",
        ),
        Panel(
            "Time of a flush",
            "Until states are durable in MongoDB.",
            quantiles("hive_coordinator_flush_seconds", EXECUTOR),
            unit="s",
            warn=0.5,
            bad=1,
        ),
        Panel(
            "Batch size",
            "Messages per turn: near 1 when idle, in the hundreds when busy.",
            (
                Query(
                    f"sum(rate(hive_coordinator_batch_messages_sum{EXECUTOR}{RATE})) "
                    f"/ sum(rate(hive_coordinator_batch_messages_count{EXECUTOR}{RATE}))",
                    "mean",
                ),
            ),
        ),
        Panel(
            "Effects on their way",
            "Decided tasks, timers and events that are not durable yet.",
            (Query(f"sum by (instance) (hive_effects_pending{EXECUTOR})", "{{instance}}"),),
        ),
        Panel(
            "Size of the streams",
            "Bytes stored by JetStream. The journals should stay small.",
            (Query("max by (stream) (hive_stream_bytes)", "{{stream}}"),),
            unit="bytes",
        ),
        Panel(
            "Messages in the journal",
            "Bounded by what is in flight: what came in the last half minute, and timers.",
            (
                Query('max(hive_stream_messages{stream=~"JOURNAL_.*"})', "stored"),
                Query(
                    "30 * sum(rate(hive_coordinator_batch_messages_sum[$__rate_interval]))",
                    "half a minute",
                ),
            ),
        ),
        Panel(
            "Moments of schedules",
            "What became of them: `refused` and `missed` ask for a look at `hv schedules`.",
            (
                Query(
                    "sum by (outcome) (rate(hive_schedule_firings_total[$__rate_interval]))",
                    "{{outcome}}",
                ),
            ),
        ),
        Panel(
            "Events of triggers",
            "What rules made of them: `failed` and `looped` ask for a look at `hv triggers`.",
            (
                Query(
                    "sum by (outcome) (rate(hive_trigger_events_total[$__rate_interval]))",
                    "{{outcome}}",
                ),
            ),
        ),
        Panel(
            "Archive",
            "Executions in the archive, as of the last round of housekeeping.",
            (Query("max(hive_archive_executions)", "archived"),),
        ),
        Panel(
            "Moved to the archive, and out of it",
            "Ended executions that were archived, and archived ones that were deleted for good.",
            (
                Query("sum(rate(hive_archived_executions_total[$__rate_interval]))", "archived"),
                Query(
                    "sum(rate(hive_archive_deleted_executions_total[$__rate_interval]))", "deleted"
                ),
            ),
        ),
    ),
)

AGENTS: Final = Row(
    "Agents",
    (
        Panel(
            "Slots in use",
            "Commands that run, and the most that may run at once.",
            (
                Query(f"sum(hive_runner_running{EXECUTOR})", "running"),
                Query(f"sum(hive_runner_slots{EXECUTOR})", "slots"),
            ),
        ),
        Panel(
            "Waiting for an agent",
            "From the scheduling of a step to an agent's claim.",
            quantiles("hive_step_queue_seconds"),
            unit="s",
            warn=5,
            bad=30,
        ),
        Panel(
            "Tasks in the queues",
            "Tasks that no runner has taken, by kind of pool.",
            (Query("max by (pool) (hive_task_queue_messages)", "{{pool}}"),),
            warn=100,
            bad=1000,
            stacked=True,
        ),
        Panel(
            "Commands by name",
            "Commands that ended, per second.",
            (
                Query(
                    "sum by (command) (rate(hive_commands_ended_total"
                    f'{{instance=~"$instance", command=~"$command"}}{RATE}))',
                    "{{command}}",
                ),
            ),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Time of a command (95 %)",
            "How long commands run, by name.",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, command) (rate("
                    'hive_command_duration_seconds_bucket{instance=~"$instance", '
                    f'command=~"$command"}}{RATE})))',
                    "{{command}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Commands that did not succeed",
            "Failed, timed out and cancelled commands per second.",
            (
                Query(
                    "sum by (command, outcome) (rate(hive_commands_ended_total"
                    '{outcome!~"succeeded|deferred", instance=~"$instance", '
                    f'command=~"$command"}}{RATE}))',
                    "{{command}} {{outcome}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Lost attempts, last hour",
            "Attempts whose worker died midway.",
            (Query("sum(increase(hive_runner_lost_total[1h]))"),),
            shape=Shape.STAT,
            width=6,
            warn=0.5,
            bad=1,
        ),
        Panel(
            "Time of a step",
            "From an agent's claim to the end of the step.",
            quantiles("hive_step_duration_seconds"),
            unit="s",
            width=18,
        ),
    ),
)

GATEWAY: Final = Row(
    "Gateway",
    (
        Panel(
            "Requests by status",
            "Answered requests per second.",
            (Query(f"sum by (status) (rate(hive_http_requests_total{RATE}))", "{{status}}"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "Server errors",
            "Share of the requests that were answered with a server error.",
            (
                Query(
                    f'(sum(rate(hive_http_requests_total{{status="5xx"}}{RATE})) or vector(0)) '
                    f"/ sum(rate(hive_http_requests_total{RATE}))",
                    "5xx",
                ),
            ),
            unit="percentunit",
            warn=0.01,
            bad=0.05,
        ),
        Panel(
            "Time of an answer (95 %)",
            "The slowest ten routes.",
            (
                Query(
                    "topk(10, histogram_quantile(0.95, sum by (le, route) (rate("
                    f"hive_http_request_duration_seconds_bucket{RATE}))))",
                    "{{route}}",
                ),
            ),
            unit="s",
            warn=1,
            bad=2,
        ),
        Panel(
            "WebSockets",
            "Connections that are open.",
            (Query("sum(hive_websockets_open)", "open"),),
        ),
        Panel(
            "Webhook deliveries",
            "Attempts per second, by outcome; `dead` ones need a person.",
            (
                Query(
                    f"sum by (outcome) (rate(hive_webhook_deliveries_total{RATE}))",
                    "{{outcome}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Busiest routes, last 15 min",
            "Requests by route and method.",
            (Query("topk(15, sum by (route, method) (increase(hive_http_requests_total[15m])))"),),
            shape=Shape.TABLE,
        ),
    ),
)

VALIDATION: Final = Row(
    "Validation",
    (
        Panel(
            "Time of a look (95 %)",
            "How long the validator takes to look at a run in the live system, by level.",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, level) (rate("
                    f"hive_validation_duration_seconds_bucket{RATE})))",
                    "{{level}}",
                ),
            ),
            unit="s",
            warn=2,
            bad=10,
        ),
        Panel(
            "Findings",
            "What was found in the live system, by severity.",
            (
                Query(
                    f"sum by (severity) (rate(hive_validation_findings_total{RATE}))",
                    "{{severity}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Runs of the engine",
            "Runs of schedules, rules and calls by what validation made of them.",
            (Query("sum by (outcome) (increase(hive_runs_validated_total[15m]))", "{{outcome}}"),),
        ),
    ),
)

ROLLBACKS: Final = Row(
    "Rollbacks",
    (
        Panel(
            "Rollbacks",
            "Rollbacks that ended, by how. Of incomplete and failed ones something remains.",
            (Query("sum by (status) (increase(hive_rollbacks_ended_total[15m]))", "{{status}}"),),
        ),
        Panel(
            "What was undone",
            "Steps and instances that were undone, and those that remain.",
            (Query("sum by (outcome) (increase(hive_rollback_items_total[15m]))", "{{outcome}}"),),
        ),
        Panel(
            "Plans",
            "Plans that were made; of a refused one its rollback failed.",
            (Query("sum by (outcome) (increase(hive_rollback_plans_total[15m]))", "{{outcome}}"),),
        ),
        Panel(
            "Waiting for a rollback service",
            "How long the rollback has waited that waits longest; it grows where no service runs.",
            (Query("max(hive_rollback_waits_seconds)", "longest"),),
            unit="s",
        ),
        Panel(
            "Given up",
            "What could not be worked out, however often it was tried: a defect, and in the log.",
            (Query("sum by (work) (increase(hive_rollback_given_up_total[15m]))", "{{work}}"),),
        ),
    ),
)

PROCESSES: Final = Row(
    "Processes",
    (
        Panel(
            "Processor",
            "Cores in use by each service.",
            (
                Query(
                    f"sum by (job, instance) (rate(process_cpu_seconds_total{RATE}))",
                    "{{job}} {{instance}}",
                ),
            ),
        ),
        Panel(
            "Memory",
            "Resident memory of each service.",
            (
                Query(
                    "sum by (job, instance) (process_resident_memory_bytes)", "{{job}} {{instance}}"
                ),
            ),
            unit="bytes",
        ),
        Panel(
            "What runs",
            "Service, version and address of every process.",
            (Query("max by (service, version, instance) (hive_build_info)"),),
            shape=Shape.TABLE,
        ),
    ),
)

ROWS: Final = (
    OVERVIEW,
    ENGINE,
    ROLLBACKS,
    AGENTS,
    CAPTURES,
    GATEWAY,
    VALIDATION,
    RECORDING,
    LEARNING,
    SUGGESTIONS,
    PROCESSES,
)
