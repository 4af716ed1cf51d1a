"""The dashboard's row about what is learned."""

from typing import Final

from ops.grafana.panel import RATE, Panel, Query, Row

LEARNING: Final = Row(
    "Learning",
    (
        Panel(
            "Learning services",
            "How many work; one should.",
            (Query("sum(hive_learning_active_services)", "work"),),
        ),
        Panel(
            "The record",
            "Items per second that came: new ones, and those that were kept already.",
            (Query(f"sum by (outcome) (rate(hive_record_items_total{RATE}))", "{{outcome}}"),),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Runs recorded",
            "Ended executions that were added to the record, per second.",
            (Query(f"sum(rate(hive_runs_recorded_total{RATE}))", "runs"),),
            unit="ops",
        ),
        Panel(
            "Learned",
            "Items per second that each model was given; skipped ones it failed at.",
            (
                Query(f"sum by (model) (rate(hive_learned_items_total{RATE}))", "{{model}}"),
                Query(
                    f"sum by (model) (rate(hive_learning_skipped_items_total{RATE}))",
                    "{{model}} skipped",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Behind",
            "Items that are kept and that a model has not been given yet.",
            (Query("max by (model) (hive_learning_behind_items)", "{{model}}"),),
        ),
        Panel(
            "Behind for",
            "For how long a model has not held all that is kept.",
            (Query("max by (model) (hive_learning_behind_seconds)", "{{model}}"),),
            unit="s",
            warn=60,
            bad=600,
        ),
        Panel(
            "Age of snapshots",
            "Since when there is the newest snapshot of a model; what follows it is folded again "
            "after a restart.",
            (
                Query(
                    "time() - max by (model) (hive_model_snapshot_timestamp_seconds > 0)",
                    "{{model}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Size of snapshots",
            "Bytes of the newest snapshot of each model.",
            (Query("max by (model) (hive_model_snapshot_bytes)", "{{model}}"),),
            unit="bytes",
        ),
        Panel(
            "Age of bases",
            "Since when there is the newest base of a model: nothing goes by age before every "
            "model has one that holds it.",
            (
                Query(
                    "time() - max by (model) (hive_model_base_timestamp_seconds > 0)", "{{model}}"
                ),
            ),
            unit="s",
        ),
        Panel(
            "Never seen",
            "Items that had gone by age before a model began: it knows nothing of them.",
            (Query("max by (model) (hive_model_missing_items)", "{{model}}"),),
        ),
        Panel(
            "Being rebuilt for",
            "For how long a model has been rebuilt by now; what is written of it stands meanwhile.",
            (Query("max by (model) (hive_learning_rebuilding_seconds)", "{{model}}"),),
            unit="s",
        ),
        Panel(
            "Rows written",
            "Tables of analytics, views of outcomes and memories per second.",
            (
                Query(
                    f"sum by (writer) (rate(hive_learning_written_rows_total{RATE}))",
                    "{{writer}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Time of writing, p95",
            "Of rounds in which something was written, computing included.",
            (
                Query(
                    "histogram_quantile(0.95, sum by (writer, le) "
                    f"(rate(hive_learning_write_seconds_bucket{RATE})))",
                    "{{writer}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Written last",
            "Since when gateways see what was learned; and for how long writing has failed.",
            (
                Query(
                    "time() - max by (writer) (hive_learning_written_timestamp_seconds > 0)",
                    "{{writer}}",
                ),
                Query(
                    "max by (writer) (hive_learning_write_failing_seconds)", "{{writer}} fails for"
                ),
            ),
            unit="s",
            warn=60,
            bad=600,
        ),
        Panel(
            "Rebuilds",
            "Rebuilds that began, by why.",
            (Query("sum by (reason) (increase(hive_learning_rebuilds_total[15m]))", "{{reason}}"),),
        ),
        Panel(
            "Removed from the record",
            "Items per second that somebody ordered to be forgotten, and old ones.",
            (
                Query(f"sum(rate(hive_record_forgotten_items_total{RATE}))", "forgotten"),
                Query(f"sum(rate(hive_record_expired_items_total{RATE}))", "old"),
            ),
            unit="ops",
        ),
        Panel(
            "Processor for learning",
            "Cores that folding, saving and deriving take.",
            (Query(f"sum(rate(hive_learning_busy_seconds_total{RATE}))", "cores"),),
        ),
        Panel(
            "Mining",
            "How often the record was mined for workflows, or that failed.",
            (Query("sum by (outcome) (increase(hive_mining_total[1h]))", "{{outcome}}"),),
        ),
        Panel(
            "Mined",
            "Commands that were mined last.",
            (Query("max(hive_mining_commands)", "commands"),),
        ),
        Panel(
            "Time of mining",
            "How long it took last, since when that was, and for how long it has failed.",
            (
                Query("max(hive_mining_duration_seconds)", "took"),
                Query("time() - max(hive_mining_timestamp_seconds > 0)", "since"),
                Query("max(hive_mining_failing_seconds)", "fails for"),
            ),
            unit="s",
        ),
        Panel(
            "Proposals",
            "Workflows that were proposed, by what was decided about them.",
            (Query("max by (standing) (hive_proposals)", "{{standing}}"),),
        ),
        Panel(
            "Proposals that change",
            "Found, withdrawn, and gone with a user who was forgotten.",
            (Query("sum by (change) (increase(hive_mining_proposals_total[1h]))", "{{change}}"),),
        ),
    ),
)
