"""What is remembered of an execution that has ended: a text that people search for.

One memory for each execution, by an id that follows from the execution's: what is remembered again
is there already. It says what ran, for whom, how it ended and how long it took, and points to the
execution. Values and messages go through the filter of secrets once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from shared.contracts.collective import TAGS_LIMIT, Memory, Origin
from shared.learning.records import RunRecord, Scalar
from shared.learning.secret_filter import MASK, without_secrets

CATEGORY: Final = "execution"
AUTHOR: Final = "learning"
IMPORTANCE: Final = {
    "failed": 0.6,
    "completed_with_errors": 0.5,
    "cancelled": 0.3,
    "completed": 0.2,
}
"""What went wrong is what people look for; below what people themselves keep (0.5 by default)."""
PARAMETERS_LIMIT: Final = 20
STEPS_LIMIT: Final = 30
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_WORDS: Final = {
    "completed": "completed",
    "completed_with_errors": "completed with errors",
    "failed": "failed",
    "cancelled": "was cancelled",
}


def memory_id(execution_id: str) -> str:
    """The id of the memory of an execution."""
    return f"run.{execution_id}"


def memory_of(run: RunRecord, keep_ms: int) -> Memory:
    """What is remembered of a run, for so long."""
    return Memory(
        id=memory_id(run.id),
        content="\n".join(_lines(run)),
        category=CATEGORY,
        tags=tuple(dict.fromkeys(filter(_SLUG.fullmatch, _tags(run))))[:TAGS_LIMIT],
        importance=IMPORTANCE[run.status],
        created_at_ms=run.at_ms,
        expires_at_ms=run.at_ms + keep_ms,
        author=AUTHOR,
        origin=Origin(execution_id=run.id),
    )


def _lines(run: RunRecord) -> Iterator[str]:
    took = run.at_ms - (run.started_at_ms or run.created_at_ms)
    asked = f" for {run.by}" if run.by else ""
    cause = f" ({run.cause})" if run.cause and run.cause != "user" else ""
    words = run.template_id.replace("_", " ")  # as people search for it
    yield (
        f"{words} ({run.template_id} {run.template_version}) {_WORDS[run.status]} after "
        f"{_span(took)}{asked}{cause}: {run.id}"
    )
    if run.status == "failed" or run.failure_code:
        where = f"step {run.failed_step}: " if run.failed_step else ""
        message = without_secrets(run.failure_message)
        yield f"Failure: {where}{run.failure_code} {message}".rstrip()
    if run.rollback_of:
        yield f"It undid what {run.rollback_of} did."
    if run.resumed_from:
        yield f"It is a re-run of {run.resumed_from}."
    given = list(run.parameters.items())[:PARAMETERS_LIMIT]
    if given:
        said = (f"{name}={value if _is_plain(name, value) else MASK}" for name, value in given)
        yield f"Parameters: {', '.join(said)}"
    if run.steps:
        shown = [f"{one.step} {one.status}" for one in run.steps[:STEPS_LIMIT]]
        yield f"Steps: {', '.join(shown)}"
    agents = sorted({attempt.agent for attempt in run.attempts if attempt.agent})
    if agents:
        yield f"Agents: {', '.join(agents[:STEPS_LIMIT])}"


def _tags(run: RunRecord) -> Iterator[str]:
    yield from ("run", run.template_id, run.category, run.status, run.failure_code)
    yield run.failed_step
    for name, value in run.parameters.items():
        if isinstance(value, str) and _is_plain(name, value):
            yield value.lower()


def _is_plain(name: str, value: Scalar) -> bool:
    """Whether nothing secret is found in a value, by its name or by what it looks like."""
    forms = (str(value), f'{name}="{value}"')
    scheme = str(value).lower().startswith(("bearer ", "basic ", "token "))
    return not scheme and all(text == without_secrets(text) for text in forms)


def _span(ms: int) -> str:
    seconds = max(ms, 0) / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
