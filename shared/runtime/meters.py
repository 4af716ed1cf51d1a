"""The metrics of `shared.runtime.metrics` as objects that a service counts with.

`new_registry` makes a registry of its own for each service (and each test); the meter classes
register their part of the table with it. Labelled children are bound once, so that counting costs a
dictionary lookup and an addition: about a microsecond on the hot path.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase

from shared.contracts.subjects import PARTITIONS
from shared.runtime import metrics as m
from shared.runtime.metric import OTHER, Label, Metric
from shared.workflow.events import AnyEvent, StepEnded, StepStarted
from shared.workflow.state import ExecutionState

MAX_CHILDREN: Final = 2_000
"""Most combinations of label values that one metric binds; further ones count as `other`."""

BORN_LIMIT: Final = 200
"""Most combinations of label values that are there before they happen."""

_EXECUTION_END_TYPES: Final = frozenset(f"execution.{status}" for status in m.EXECUTION_ENDS)

# A counter's time of birth would be one more series for each; nothing here asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

_Child = TypeVar("_Child", bound=MetricWrapperBase)


class _Observer(Protocol):
    def observe(self, amount: float, /) -> None: ...


class Labelled(Generic[_Child]):
    """A metric's children by label values: `steps_ended("failed").inc()`.

    Up to BORN_LIMIT children are bound when it is made, so that every series exists from the start
    with the value 0 (a counter that appears with its first error hides that error from `rate`).
    """

    def __init__(
        self, parent: _Child, labels: tuple[Label, ...], allowed: Mapping[str, Iterable[str]]
    ) -> None:
        """`allowed` gives the values of labels whose set is open in the table, by label name."""
        self._parent = parent
        given = [tuple(label.values or allowed[label.name]) for label in labels]
        self._allowed = tuple(map(frozenset, given))
        self._children: dict[tuple[str, ...], _Child] = {}
        if math.prod(map(len, given)) <= BORN_LIMIT:
            for values in itertools.product(*given):
                self(*values)

    def __call__(self, *values: str) -> _Child:
        """The child of these values; each value outside its set is replaced by `other`."""
        child = self._children.get(values)
        return self._bind(values) if child is None else child

    def _bind(self, values: tuple[str, ...]) -> _Child:
        bounded = tuple(
            value if value in allowed else OTHER
            for value, allowed in zip(values, self._allowed, strict=True)
        )
        if len(self._children) >= MAX_CHILDREN:
            bounded = (OTHER,) * len(values)
        child = self._parent.labels(*bounded)
        if bounded == values:
            self._children[values] = child
        return child


def new_registry(service: str, version: str) -> CollectorRegistry:
    """A registry with the process's own metrics (CPU, memory, files, GC) and `hive_build_info`."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    _gauge(m.BUILD_INFO, registry).labels(service, version).set(1)
    return registry


class ErrorMeter:
    """Errors by kind; each service has one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._errors = Labelled(_counter(m.ERRORS, registry), m.ERRORS.labels, {})

    def count(self, kind: str) -> None:
        """Count one error; `kind` is one of `metrics.ERROR_KINDS`."""
        self._errors(kind).inc()


class CoordinatorMeter:
    """What a coordinator counts, `errors` included. Durations in seconds."""

    def __init__(self, registry: CollectorRegistry, errors: ErrorMeter) -> None:
        self.errors = errors
        steps = Labelled(_counter(m.STEPS_ENDED, registry), m.STEPS_ENDED.labels, {})
        ends = Labelled(_counter(m.EXECUTIONS_ENDED, registry), m.EXECUTIONS_ENDED.labels, {})
        rollbacks = Labelled(_counter(m.ROLLBACKS, registry), m.ROLLBACKS.labels, {})
        gates = Labelled(_counter(m.APPROVALS, registry), m.APPROVALS.labels, {})
        self._by_event: dict[str, Callable[[], None]] = {
            "execution.created": _counter(m.EXECUTIONS_STARTED, registry).inc,
            **{f"approval.{event}": gates(event).inc for event in m.APPROVAL_EVENTS},
            **{f"step.{outcome}": steps(outcome).inc for outcome in m.STEP_OUTCOMES},
            **{f"execution.{status}": ends(status).inc for status in m.EXECUTION_ENDS},
            **{f"execution.{status}": rollbacks(status).inc for status in m.ROLLBACK_ENDS},
        }
        firings = Labelled(_counter(m.SCHEDULE_FIRINGS, registry), m.SCHEDULE_FIRINGS.labels, {})
        events = Labelled(_counter(m.TRIGGER_EVENTS, registry), m.TRIGGER_EVENTS.labels, {})
        self._automated = {"sc": firings, "tr": events}
        self.step_duration = _histogram(m.STEP_DURATION, registry)
        self.step_queue = _histogram(m.STEP_QUEUE, registry)
        self.execution_duration = _histogram(m.EXECUTION_DURATION, registry)
        self.batch = _histogram(m.BATCH, registry)
        self.turn = _histogram(m.TURN, registry)
        self.commit = _histogram(m.COMMIT, registry)
        self.flush = _histogram(m.FLUSH, registry)
        self.effects_pending = _gauge(m.EFFECTS_PENDING, registry)
        self.quarantined = _counter(m.QUARANTINED, registry)
        self.agents_live = _gauge(m.AGENTS_LIVE, registry)
        self._owned = _by_partition(m.PARTITION_OWNED, registry)
        self._lag = _by_partition(m.JOURNAL_LAG, registry)
        self._stream_messages = Labelled(
            _gauge(m.STREAM_MESSAGES, registry), m.STREAM_MESSAGES.labels, {}
        )
        self._stream_bytes = Labelled(_gauge(m.STREAM_BYTES, registry), m.STREAM_BYTES.labels, {})
        self._queues = Labelled(_gauge(m.TASK_QUEUE, registry), m.TASK_QUEUE.labels, {})

    def automated(self, kind: str, outcome: str, count: int) -> None:
        """Count what became of moments of schedules, or of events of rules; `kind` is how their
        ids begin."""
        self._automated[kind](outcome).inc(count)

    def decided(
        self,
        before: ExecutionState | None,
        after: ExecutionState,
        events: Iterable[AnyEvent],
        at_ms: int,
    ) -> None:
        """Count and time the events of one decision, taken at journal time `at_ms`.

        A journal that is replayed after a crash counts again, in the new process.
        """
        for event in events:
            self.event(event.type)
            if isinstance(event, StepStarted):
                waiting = before.steps.get(event.step) if before is not None else None
                if waiting is not None and waiting.scheduled_at_ms:
                    self.step_queue.observe(max(0, at_ms - waiting.scheduled_at_ms) / 1000)
            elif isinstance(event, StepEnded):
                if event.started_at_ms:
                    took_ms = event.finished_at_ms - event.started_at_ms
                    self.step_duration.observe(max(0, took_ms) / 1000)
            elif event.type in _EXECUTION_END_TYPES:
                self.execution_duration.observe(max(0, at_ms - after.created_at_ms) / 1000)

    def event(self, event_type: str) -> None:
        """Count a decided event: starts and ends of executions, ends of steps; others are free."""
        count = self._by_event.get(event_type)
        if count is not None:
            count()

    def hold(self, partitions: Collection[int]) -> None:
        """Say which partitions this coordinator owns now; the others have no lag here."""
        for partition, owned in enumerate(self._owned):
            owned.set(int(partition in partitions))
            if partition not in partitions:
                self._lag[partition].set(0)

    def lag(self, partition: int, messages: int) -> None:
        """Set how many messages of an owned partition are not acknowledged."""
        self._lag[partition].set(messages)

    def stream(self, name: str, messages: int, size_bytes: int) -> None:
        """Set the size of a stream, as sampled."""
        self._stream_messages(name).set(messages)
        self._stream_bytes(name).set(size_bytes)

    def queue(self, pool_kind: str, messages: int) -> None:
        """Set how many tasks wait in pools of a kind (`any`, `cap`, `host`), as sampled."""
        self._queues(pool_kind).set(messages)


class BacklogMeter:
    """What has not come to its end, as sampled from the store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.quarantined = _gauge(m.QUARANTINE, registry)
        self.rollback_waits = _gauge(m.ROLLBACK_WAITS, registry)
        self._open = Labelled(_gauge(m.EXECUTIONS_OPEN, registry), m.EXECUTIONS_OPEN.labels, {})
        self._age = Labelled(_gauge(m.EXECUTION_OLDEST, registry), m.EXECUTION_OLDEST.labels, {})

    def open(self, status: str, count: float, oldest_s: float) -> None:
        """Set how many executions have this status, and the age of the oldest."""
        self._open(status).set(count)
        self._age(status).set(oldest_s)

    def unknown(self) -> None:
        """Nobody knows now."""
        self.quarantined.set(math.nan)
        self.rollback_waits.set(math.nan)
        for status in m.OPEN_STATUSES:
            self.open(status, math.nan, math.nan)


class HousekeepingMeter:
    """What housekeeping counts, `errors` included."""

    def __init__(self, registry: CollectorRegistry, errors: ErrorMeter) -> None:
        self.errors = errors
        self.archived = _counter(m.ARCHIVED, registry)
        self.deleted = _counter(m.ARCHIVE_DELETED, registry)
        self.captures_forgotten = _counter(m.CAPTURES_GONE, registry)
        self._capture_bytes = Labelled(
            _gauge(m.CAPTURES_BYTES, registry), m.CAPTURES_BYTES.labels, {}
        )
        self._capture_limit = Labelled(
            _gauge(m.CAPTURES_LIMIT, registry), m.CAPTURES_LIMIT.labels, {}
        )
        self._size = _gauge(m.ARCHIVE_SIZE, registry)
        self._round = _gauge(m.HOUSEKEEPING_AT, registry)

    def round(self, archived: int, at_ms: int) -> None:
        """A round is over: so many executions are in the archive."""
        self._size.set(archived)
        self._round.set(at_ms / 1000)

    def captures(self, part: str, stored_bytes: int, limit_bytes: int) -> None:
        """So much is kept of what was there before steps, of so much that may be; `part` is one of
        `metrics.CAPTURE_PARTS`."""
        self._capture_bytes(part).set(stored_bytes)
        self._capture_limit(part).set(limit_bytes)

    def elsewhere(self) -> None:
        """Another coordinator keeps house."""
        for part in m.CAPTURE_PARTS:
            self.captures(part, 0, 0)
        self._size.set(0)
        self._round.set(0)


class CaptureMeter:
    """What a runner counts of what it keeps before steps."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._captures = Labelled(_counter(m.CAPTURED, registry), m.CAPTURED.labels, {})
        self.bytes = _counter(m.CAPTURED_BYTES, registry)
        self.duration = _histogram(m.CAPTURE_DURATION, registry)

    def count(self, outcome: str) -> None:
        """Count one capture; `outcome` is one of `metrics.CAPTURE_OUTCOMES`."""
        self._captures(outcome).inc()


class RollbackMeter:
    """What a rollback service counts: answers to orders of the engine, and items by what became of
    them."""

    def __init__(self, registry: CollectorRegistry, errors: ErrorMeter) -> None:
        self.errors = errors
        plans = Labelled(_counter(m.ROLLBACK_PLANS, registry), m.ROLLBACK_PLANS.labels, {})
        items = Labelled(_counter(m.ROLLBACK_ITEMS, registry), m.ROLLBACK_ITEMS.labels, {})
        given_up = _counter(m.ROLLBACK_GIVEN_UP, registry)
        self._plans, self._items = plans, items
        self._given_up = Labelled(given_up, m.ROLLBACK_GIVEN_UP.labels, {})

    def given_up(self, work: str) -> None:
        """Count an order that failed each time; `work` is `plan` or `account`."""
        self._given_up(work).inc()

    def planned(self, *, made: bool, left: int) -> None:
        """Count a plan, and what it cannot undo."""
        self._plans("made" if made else "refused").inc()
        self._items("left").inc(left)

    def accounted(self, undone: int, left: int) -> None:
        """Count what a rollback undid, and what it could not."""
        self._items("undone").inc(undone)
        self._items("left").inc(left)


class RunnerMeter:
    """What a runner counts, `errors` included. `commands` are the names in its registry."""

    def __init__(
        self, registry: CollectorRegistry, errors: ErrorMeter, commands: Iterable[str], slots: int
    ) -> None:
        self.errors = errors
        names = {"command": tuple(commands)}
        self._ended = Labelled(_counter(m.COMMANDS_ENDED, registry), m.COMMANDS_ENDED.labels, names)
        self._duration = Labelled(
            _histogram(m.COMMAND_DURATION, registry), m.COMMAND_DURATION.labels, names
        )
        self.running = _gauge(m.RUNNING, registry)
        self.lost = _counter(m.RUNNER_LOST, registry)
        self.captures = CaptureMeter(registry)
        _gauge(m.SLOTS, registry).set(slots)

    def ended(self, command: str, outcome: str, seconds: float) -> None:
        """Count a command that ended; `outcome` is one of `metrics.COMMAND_OUTCOMES`."""
        self._ended(command, outcome).inc()
        self._duration(command).observe(seconds)


class GatewayMeter:
    """What the gateway counts. `routes` are its route templates."""

    def __init__(self, registry: CollectorRegistry, routes: Iterable[str]) -> None:
        names = {"route": tuple(routes)}
        self._requests = Labelled(_counter(m.REQUESTS, registry), m.REQUESTS.labels, names)
        self._duration = Labelled(
            _histogram(m.REQUEST_DURATION, registry), m.REQUEST_DURATION.labels, names
        )
        self._deliveries = Labelled(
            _counter(m.WEBHOOK_DELIVERIES, registry), m.WEBHOOK_DELIVERIES.labels, {}
        )
        self._runs = Labelled(_counter(m.RUNS_VALIDATED, registry), m.RUNS_VALIDATED.labels, {})
        self.websockets = _gauge(m.WEBSOCKETS, registry)

    def run_validated(self, outcome: str) -> None:
        """Count a run of a schedule, a rule or a call; `outcome` is one of
        `metrics.RUN_VALIDATIONS`."""
        self._runs(outcome).inc()

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is its template, `None` where none matched."""
        template = route or OTHER
        self._requests(template, method, f"{status // 100}xx").inc()
        self._duration(template, method).observe(seconds)

    def delivery(self, outcome: str) -> None:
        """Count one attempt at a webhook; `outcome` is one of `metrics.DELIVERY_OUTCOMES`."""
        self._deliveries(outcome).inc()


class ValidatorMeter:
    """What a validator counts, `errors` included."""

    def __init__(self, registry: CollectorRegistry, errors: ErrorMeter) -> None:
        self.errors = errors
        self._duration = Labelled(
            _histogram(m.VALIDATION_DURATION, registry), m.VALIDATION_DURATION.labels, {}
        )
        self._findings = Labelled(
            _counter(m.VALIDATION_FINDINGS, registry), m.VALIDATION_FINDINGS.labels, {}
        )

    def looked(self, level: str, seconds: float) -> None:
        """A question was answered; `level` is one of `metrics.LIVE_LEVELS`."""
        self._duration(level).observe(seconds)

    def found(self, severity: str) -> None:
        """Something was found; `severity` is one of `metrics.SEVERITIES`."""
        self._findings(severity).inc()


@contextmanager
def timed(histogram: _Observer) -> Iterator[None]:
    """Observe how long a `with` block takes, also when it raises."""
    started = time.perf_counter()
    try:
        yield
    finally:
        histogram.observe(time.perf_counter() - started)


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, _names(metric), registry=registry)


def _gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.help, _names(metric), registry=registry)


def _histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(
        metric.name, metric.help, _names(metric), registry=registry, buckets=metric.buckets
    )


def _names(metric: Metric) -> tuple[str, ...]:
    return tuple(label.name for label in metric.labels)


def _by_partition(metric: Metric, registry: CollectorRegistry) -> tuple[Gauge, ...]:
    gauge = _gauge(metric, registry)
    return tuple(gauge.labels(str(partition)) for partition in range(PARTITIONS))
