"""What one item of the record adds to which tables.

The law:

* A run counts when it has ended, at the moment at which it ended. What rolls another run back is
  work of agents, and no run of its own: what came of it counts as a rollback.
* `completed` is a success; `with_errors` is none. What people or a deadline stopped (`cancelled`)
  says nothing about success and is left out of rates, never out of counts.
* How long runs take is told of completed ones, how long a step takes of completed attempts: what
  broke off early was not quick.
* An attempt is counted by its outcome; one that was `lost` is a failure of nobody that is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, get_args

from shared.analytics.periods import Level, Period, period_of
from shared.analytics.rows import Row, Table
from shared.analytics.speeds import logarithm
from shared.analytics.views import LEVELS, Name, View
from shared.learning.records import Feedback, RollbackRecord, RunAttempt, RunRecord

ALL: Final = "all"
_STATUS: Final = {"completed_with_errors": "with_errors"}
_ROLLBACK: Final = {
    "rolled_back": "rolled_back",
    "rollback_incomplete": "incomplete",
    "rollback_failed": "rollback_failed",
}


class Tally:
    """What is to be added, in the tables of the shortest periods that each view has."""

    def __init__(self) -> None:
        self.tables: dict[Name, Table] = {}
        self._periods: Mapping[Level, Period] = {}
        self._now: dict[tuple[View, str], Table] = {}

    def begin(self, at_ms: int) -> None:
        """What is added from now on was at this moment."""
        hour = self._periods.get("h")
        if hour is None or not hour.start_ms <= at_ms < hour.end_ms:
            self._periods = {level: period_of(at_ms, level) for level in get_args(Level)}
            self._now = {}

    def row(self, view: View, scope: str, *key: str) -> Row:
        """A row of a table."""
        found = self._now.get((view, scope))
        if found is None:
            name = Name(view, scope, self._periods[LEVELS[view][0]])
            found = self._now[view, scope] = self.tables.setdefault(name, Table())
        return found.row(*key)

    def add_run(self, run: RunRecord) -> None:
        """Count a run that has ended, with its attempts."""
        if run.rollback_of:
            for attempt in run.attempts:
                self._add_work(run, attempt)
            return
        counted = _counted(run)
        for scope in ("", f"c:{run.category}", f"t:{run.template_id}"):
            self.row("totals", scope, ALL).merge(counted)
        self.row("templates", "", run.category, run.template_id).merge(counted)
        self.row("template", run.template_id, "version", run.template_version).merge(counted)
        if run.status == "failed":
            code = run.failure_code or "unknown"
            self.row("template", run.template_id, "failure", run.failed_step, code).count("runs")
        for attempt in run.attempts:
            self._add_attempt(run, attempt)
            self._add_work(run, attempt)

    def add_rollback(self, rollback: RollbackRecord) -> None:
        """Count a rollback that is over."""
        counted = Row()
        counted.count("rollbacks")
        counted.count(_ROLLBACK[rollback.status])
        counted.count("by_policy", rollback.by == "engine")
        if 0 < rollback.asked_at_ms <= rollback.at_ms:
            counted.span("rollback", rollback.at_ms - rollback.asked_at_ms)
        for scope in ("", f"c:{rollback.category}", f"t:{rollback.template_id}"):
            self.row("totals", scope, ALL).merge(counted)
        self.row("rollbacks", "", rollback.category, rollback.template_id).merge(counted)

    def add_feedback(self, feedback: Feedback) -> None:
        """Count what became of a suggestion. Lines of commands are people's own: none is kept."""
        is_workflow = feedback.kind == "workflow"
        template = feedback.suggested if is_workflow else ""
        for scope in ("", *([f"t:{template}"] if template else ())):
            self.row("totals", scope, ALL).count(feedback.verdict)
        self.row("suggestions", "", feedback.kind, template).count(feedback.verdict)

    def add_gap(self, ms: int) -> None:
        """Count how long a person took from the end of a command to the next one."""
        self.row("totals", "", ALL).span("gap", ms)

    def _add_attempt(self, run: RunRecord, attempt: RunAttempt) -> None:
        template, step, command = run.template_id, attempt.step, attempt.command
        _attempted(self.row("steps", "", run.category, template, step, command), attempt)
        _attempted(self.row("template", template, "step", step, command), attempt)
        if attempt.agent:
            _attempted(self.row("template", template, "agent", attempt.agent), attempt)
        if attempt.outcome == "failed" and run.status != "failed":
            code = attempt.code or "unknown"
            self.row("template", template, "failure", step, code).count("recovered")

    def _add_work(self, run: RunRecord, attempt: RunAttempt) -> None:
        agent, step = attempt.agent, attempt.step
        if not agent:
            return
        worked = self.row("agents", "", agent)
        _attempted(worked, attempt)
        worked.count("undoing", bool(run.rollback_of))
        template = run.template_id if not run.rollback_of else ""
        _counted_attempt(self.row("agent", agent, "step", template, step, attempt.command), attempt)
        if attempt.outcome == "failed":
            self.row("agent", agent, "failure", attempt.code or "unknown").count("attempts")
        if template and attempt.outcome == "completed" and _is_timed(attempt):
            cell = self.row("cells", "", agent, template, step)
            cell.count("n")
            cell.count("log", logarithm(attempt.ended_at_ms - attempt.started_at_ms))


def _counted(run: RunRecord) -> Row:
    row = Row()
    row.count("runs")
    row.count(_STATUS.get(run.status, run.status))
    row.count("reruns", bool(run.resumed_from))
    row.count("attempts", len(run.attempts))
    row.count("retries", _retries(run))
    began = run.started_at_ms or run.created_at_ms
    if run.status in ("completed", "completed_with_errors") and began <= run.at_ms:
        row.span("run", run.at_ms - began)
    for gate in run.approvals:
        row.count("asked")
        row.count(gate.status)
        if gate.closed_at_ms >= gate.asked_at_ms > 0:
            row.span("approval", gate.closed_at_ms - gate.asked_at_ms)
    if run.status in ("completed", "completed_with_errors"):
        _by_hand(row, run)
    return row


def _retries(run: RunRecord) -> int:
    """Attempts beyond the first one of each step, or instance of it."""
    tried = Counter((attempt.step, attempt.instance) for attempt in run.attempts)
    return tried.total() - len(tried)


def _by_hand(row: Row, run: RunRecord) -> None:
    """What people would have done instead: see `saving`."""
    done = [attempt for attempt in run.attempts if attempt.outcome == "completed"]
    row.count("acts", len(done))
    row.count("acts_ms", sum(_duration(attempt) for attempt in done))
    people = run.cause in ("user", "") and not run.rollback_of
    row.count("decisions", people + sum(gate.status == "granted" for gate in run.approvals))


def _attempted(row: Row, attempt: RunAttempt) -> None:
    _counted_attempt(row, attempt)
    if attempt.outcome == "completed" and _is_timed(attempt):
        row.span("attempt", attempt.ended_at_ms - attempt.started_at_ms)


def _counted_attempt(row: Row, attempt: RunAttempt) -> None:
    row.count("attempts")
    row.count(attempt.outcome)
    row.count("busy_ms", _duration(attempt))


def _is_timed(attempt: RunAttempt) -> bool:
    return 0 < attempt.started_at_ms <= attempt.ended_at_ms


def _duration(attempt: RunAttempt) -> int:
    return attempt.ended_at_ms - attempt.started_at_ms if _is_timed(attempt) else 0
