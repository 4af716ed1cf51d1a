"""From an outcome to what the journal is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from services.executor.commands.base import (
    Cancelled,
    Completed,
    Deferred,
    Failed,
    Outcome,
    StopProof,
    TimedOut,
)
from services.executor.runner.identity import Held
from services.executor.runner.redaction import Redaction
from shared.workflow.messages import (
    AttemptDeferred,
    AttemptFinished,
    Failure,
    Proof,
)

LAST_WORDS = 300
"""Characters of the last line of standard error that a failure's message has."""
_ENDED_BADLY = ("unexpected_exit", "killed_by_signal")
_SHUTDOWN = Failure(code="agent_shutdown", message="the agent was shut down")


class Reporter:
    """Makes reports of one agent."""

    def __init__(self, agent: str, host: str, output_limit_bytes: int) -> None:
        self._agent = agent
        self._host = host
        self._limit = output_limit_bytes

    def report(
        self, held: Held, outcome: Outcome, redaction: Redaction, times_ms: tuple[int, int]
    ) -> AttemptFinished | AttemptDeferred:
        """The message for the journal; what is secret is sealed, and outputs are bounded.

        `times_ms` are start and end, in milliseconds since the epoch.
        """
        if isinstance(outcome, Deferred):
            return self._deferred(held, outcome, redaction)
        output = redaction.sealed(outcome.output)
        if isinstance(outcome, Failed):
            said = redaction.masked(outcome.message) + _last_words(outcome, redaction)
            outcome = replace(outcome, message=said)
        size = len(to_json(output)) if output else 2
        if size > self._limit:
            message = f"the output takes {size} bytes as JSON, more than {self._limit}"
            outcome, output, size = Failed("output_too_large", message), {}, 2
        return AttemptFinished(
            **self._who(held),
            **_what(held, outcome, redaction),
            captured=held.captured,
            output=output,
            output_bytes=size,
            started_at_ms=times_ms[0],
            finished_at_ms=times_ms[1],
        )

    def _deferred(self, held: Held, outcome: Deferred, redaction: Redaction) -> AttemptDeferred:
        wake_at_ms = None if outcome.wake_at_s is None else round(outcome.wake_at_s * 1000)
        return AttemptDeferred(
            **self._who(held),
            token=outcome.token,
            wake_at_ms=wake_at_ms,
            captured=held.captured,
            output=redaction.sealed(outcome.output),
        )

    def _who(self, held: Held) -> dict[str, Any]:
        task = held.task
        return {
            "step": task.step,
            "attempt": task.attempt,
            "leg": task.leg,
            "agent": self._agent,
            "host": self._host,
        }


def _last_words(outcome: Failed, redaction: Redaction) -> str:
    """The last line that a program wrote to standard error before it failed: it mostly says why.
    Nothing where that may not be shown, or was cut off, so that its end is not known."""
    output = outcome.output
    text = output.get("stderr")
    cut = bool(output.get("stderr_truncated"))
    if outcome.code not in _ENDED_BADLY or cut or redaction.hides("stderr"):
        return ""
    lines = text.strip().splitlines() if isinstance(text, str) else []
    words = redaction.masked(lines[-1]).strip() if lines else ""
    return f": {words[:LAST_WORDS]}" if words else ""


def _what(
    held: Held, outcome: Completed | Failed | TimedOut | Cancelled, redaction: Redaction
) -> dict[str, Any]:
    match outcome:
        case Completed():
            return {"outcome": "succeeded"}
        case Failed():
            failure = Failure(
                code=outcome.code, message=outcome.message, retryable=outcome.retryable
            )
            proof = None if outcome.proof is None else _proof(outcome.proof, redaction)
            return {"outcome": "failed", "failure": failure, "proof": proof}
        case TimedOut():
            message = f"did not end within {held.task.timeout_s:g} s"
            failure = Failure(code="timed_out", message=message)
            return {
                "outcome": "timed_out",
                "failure": failure,
                "proof": _proof(outcome.proof, redaction),
            }
        case Cancelled():
            failure_or_none = _SHUTDOWN if held.shutting_down else None
            return {
                "outcome": "cancelled",
                "failure": failure_or_none,
                "proof": _proof(outcome.proof, redaction),
            }


def _proof(proof: StopProof, redaction: Redaction) -> Proof:
    return Proof(
        gone=proof.gone,
        pids=proof.pids,
        reason=redaction.masked(proof.reason),
        signals=proof.signals,
        exit=proof.exit,
    )
