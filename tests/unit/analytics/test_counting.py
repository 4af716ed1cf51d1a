"""What one item adds: outcomes, durations, work of agents, rollbacks, suggestions."""

from __future__ import annotations

from shared.learning.records import RunApproval
from tests.unit.analytics.items import (
    NOON_MS,
    attempt,
    feedback,
    folded,
    rollback,
    row,
    run,
    tables,
)


def test_a_run_counts_by_how_it_ended() -> None:
    """Each status is a count of its own; durations are those of runs that came to their end."""
    fold = folded(
        [
            run("a", 4_000),
            run("b", 2_000, status="completed_with_errors"),
            run("c", 1_000, status="failed", failure_code="exit_code", failed_step="check"),
            run("d", 9_000, status="cancelled"),
        ]
    )
    counted = row(fold, "totals", "")
    assert {name: counted.counts[name] for name in ("runs", "completed", "with_errors")} == {
        "runs": 4,
        "completed": 1,
        "with_errors": 1,
    }
    assert (counted.counts["failed"], counted.counts["cancelled"]) == (1, 1)
    assert counted.spans["run"].total_ms == 6_000
    failures = row(fold, "template", "disk_check", "failure", "check", "exit_code")
    assert failures.counts == {"runs": 1}


def test_a_run_is_found_by_category_template_and_version() -> None:
    """It counts in the scopes of its category and template, and under its version."""
    fold = folded([run()])
    assert row(fold, "totals", "c:maintenance").counts["runs"] == 1
    assert row(fold, "totals", "t:disk_check").counts["runs"] == 1
    assert row(fold, "templates", "", "maintenance", "disk_check").counts["runs"] == 1
    assert row(fold, "template", "disk_check", "version", "1.0.0").counts["runs"] == 1


def test_attempts_are_work_of_steps_and_agents() -> None:
    """Each counts with its time; how long a step takes is told of completed ones."""
    attempts = (
        attempt(ms=300, outcome="failed", code="exit_code"),
        attempt(ms=500),
        attempt("notify", 100, agent="agent-b", outcome="lost"),
    )
    fold = folded([run(attempts=attempts)])
    step = row(fold, "steps", "", "maintenance", "disk_check", "check", "shell")
    assert step.counts == {"attempts": 2, "completed": 1, "failed": 1, "busy_ms": 800}
    assert step.spans["attempt"].total_ms == 500
    assert row(fold, "agents", "", "agent-a").counts["busy_ms"] == 800
    assert row(fold, "agents", "", "agent-b").counts["lost"] == 1
    assert row(fold, "agent", "agent-a", "failure", "exit_code").counts == {"attempts": 1}
    recovered = row(fold, "template", "disk_check", "failure", "check", "exit_code")
    assert recovered.counts == {"recovered": 1}
    assert row(fold, "totals", "").counts["retries"] == 1


def test_instances_of_a_loop_are_no_retries() -> None:
    """Only a second attempt of the same instance is one."""
    attempts = tuple(attempt(instance=str(number)) for number in range(3))
    assert "retries" not in row(folded([run(attempts=attempts)]), "totals", "").counts


def test_what_undoes_another_run_is_work_and_no_run() -> None:
    """It counts for its agents; its template's steps are made for it and are not told."""
    fold = folded([run(template_id="rollback.ex_1", rollback_of="ex_1")])
    assert row(fold, "totals", "").counts == {}
    assert row(fold, "agents", "", "agent-a").counts["undoing"] == 1
    assert not any("rollback.ex_1" in name + text for name, text in tables(fold).items())


def test_rollbacks_count_by_what_came_of_them() -> None:
    """With how long they took from being asked for, and whether a policy asked."""
    fold = folded([rollback(), rollback(id="ex_2.1", status="rollback_incomplete", by="engine")])
    counted = row(fold, "rollbacks", "", "maintenance", "disk_check")
    assert counted.counts == {"rollbacks": 2, "rolled_back": 1, "incomplete": 1, "by_policy": 1}
    assert counted.spans["rollback"].total_ms == 6_000
    assert row(fold, "totals", "t:disk_check").counts["rollbacks"] == 2


def test_how_long_people_were_waited_for() -> None:
    """From asking to the answer; a gate that was never answered is asked, and waited for nobody."""
    approvals = (
        RunApproval(gate="workflow", status="granted", asked_at_ms=NOON_MS, closed_at_ms=NOON_MS),
        RunApproval(gate="check", status="requested", asked_at_ms=NOON_MS),
    )
    counted = row(folded([run(approvals=approvals)]), "totals", "")
    assert (counted.counts["asked"], counted.counts["granted"]) == (2, 1)
    assert counted.spans["approval"].count == 1


def test_suggestions_count_without_anybodys_lines() -> None:
    """Workflows count by template, commands together: their lines are nowhere."""
    secret = "mysql -p hunter2"
    fold = folded(
        [feedback(), feedback("dismissed", id="f2", kind="command", suggested=secret)],
    )
    assert row(fold, "suggestions", "", "workflow", "disk_check").counts == {"accepted": 1}
    assert row(fold, "suggestions", "", "command", "").counts == {"dismissed": 1}
    assert row(fold, "totals", "t:disk_check").counts == {"accepted": 1}
    assert not any("hunter2" in name + text for name, text in tables(fold).items())


def test_clocks_that_differ_count_no_time() -> None:
    """An attempt that ended before it began, or has no times, was busy for nothing."""
    attempts = (attempt(ms=-50), attempt(started_at_ms=0))
    agent = row(folded([run(attempts=attempts)]), "agents", "", "agent-a")
    assert agent.counts == {"attempts": 2, "completed": 2}
    assert agent.spans == {}
