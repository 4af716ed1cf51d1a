"""What a gateway counts of recorded commands and of feedback."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from shared.runtime import recording_metrics as m
from shared.runtime.meters import Labelled
from shared.runtime.metric import OTHER, Metric


class RecordingMeter:
    """Commands by what became of them, requests that were refused, verdicts on suggestions. No
    label says who, or what was run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._commands = _counted(m.COMMANDS, registry)
        self._masked = Counter(m.MASKED.name, m.MASKED.help, registry=registry)
        self._refused = _counted(m.REFUSED, registry)
        self._feedback = _counted(m.FEEDBACK, registry)

    def accepted(self, commands: int, masked: int) -> None:
        """So many commands are on the bus; of so many of them a secret was taken out."""
        self._commands("accepted").inc(commands)
        self._masked.inc(masked)

    def left_out(self, commands: int) -> None:
        """So many commands are of a user who has opted out."""
        self._commands("left_out").inc(commands)

    def answered(self, method: str, path: str, status: int) -> None:
        """A request was answered; counts if it was one to record commands, and was refused."""
        if status >= 400 and (method, path) == ("POST", m.PATH):
            self._refused(m.REASONS.get(status, OTHER)).inc()

    def feedback(self, kind: str, verdict: str) -> None:
        """Feedback was kept; one of `recording_metrics.SUGGESTED` and `VERDICTS`."""
        self._feedback(kind, verdict).inc()


def _counted(metric: Metric, registry: CollectorRegistry) -> Labelled[Counter]:
    names = tuple(label.name for label in metric.labels)
    return Labelled(Counter(metric.name, metric.help, names, registry=registry), metric.labels, {})
