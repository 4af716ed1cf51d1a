"""The record: everything that is learned from, in one order.

Five kinds of items: a *command* that a person or an agent ran, a *run* (an execution that has
ended, in short), a *rollback* that is over, *feedback* on a suggestion, and an order to *forget*.
Every model is a fold over the record, so whoever folds the same items in the same order holds the
same model.

Nothing secret is in it: what filters secrets stands before the record, and values that are sealed
or declared sensitive never enter it. Times are epoch milliseconds.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

LINE_LIMIT: Final = 4_000
"""Characters of a recorded command."""
MESSAGE_LIMIT: Final = 500
"""Characters of a failure's message in a run."""
VALUE_LIMIT: Final = 200
"""Characters of a parameter's value in a run; longer ones are left out."""
ATTEMPTS_LIMIT: Final = 1_000
"""Attempts of a run that are kept, those that failed first."""
TEXT_LIMIT: Final = 4_000
"""Characters of the text that a suggestion was asked for."""

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

Id = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(max_length=200)]
Scalar = bool | int | float | Annotated[str, Field(max_length=VALUE_LIMIT)]


class RecordItem(BaseModel):
    """Base: frozen, and nothing that is not declared. `id` is unique over all items of its type:
    an item that comes again counts once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    at_ms: int = Field(ge=0)


class RecordedCommand(RecordItem):
    """A command line that was run, where, and how it ended (`exit` None: unknown)."""

    type: Literal["command"] = "command"
    user: Id
    command: str = Field(min_length=1, max_length=LINE_LIMIT)
    session: Name = ""
    cwd: str = Field("", max_length=1_000)
    host: Name = ""
    osuser: Name = ""
    shell: Name = ""
    exit: int | None = None
    duration_ms: int | None = Field(None, ge=0)
    more_lines: bool = Field(False, description="It had more lines than the one that is kept.")
    source: Literal["shell", "agent", "step", "import", "api"] = "api"


class RunAttempt(BaseModel):
    """One attempt at a step that has ended. Times are 0 where unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    """The step's id, without its instance."""
    instance: str = ""
    attempt: int = 1
    command: str = ""
    agent: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0
    outcome: Literal["completed", "failed", "lost"]
    code: str = ""
    """The failure's code."""
    message: str = Field("", max_length=MESSAGE_LIMIT)
    retryable: bool = True


class RunStep(BaseModel):
    """How a step ended, over all its instances."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    command: str = ""
    status: str
    reason: str = ""
    instances: int = 0
    attempts: int = 0


class RunApproval(BaseModel):
    """A gate of a run that people were asked at, in its newest round; what a re-run kept from an
    earlier run is left out. `closed_at_ms` is 0 where the run ended before it was answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    """`workflow` for the gate before everything, else the step's id, without its instance."""
    status: Literal["requested", "granted", "rejected", "expired", "voided"]
    asked_at_ms: int
    closed_at_ms: int = 0


class RunRecord(RecordItem):
    """An execution that has ended. `id` is the execution's; `at_ms` is when it ended."""

    type: Literal["run"] = "run"
    template_id: str
    template_version: str
    category: str = ""
    status: Literal["completed", "completed_with_errors", "failed", "cancelled"]
    by: Name = ""
    """Who asked for it."""
    cause: Name = ""
    """What started it: `user`, `agent`, `schedule`, `trigger`, `execution`, …"""
    created_at_ms: int
    started_at_ms: int = 0
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    """Those that are scalar, short, and neither secret nor sensitive."""
    steps: tuple[RunStep, ...] = ()
    attempts: tuple[RunAttempt, ...] = Field((), max_length=ATTEMPTS_LIMIT)
    approvals: tuple[RunApproval, ...] = Field((), max_length=ATTEMPTS_LIMIT)
    failed_step: str = ""
    failure_code: str = ""
    failure_message: str = Field("", max_length=MESSAGE_LIMIT)
    rollback_of: str = ""
    """The execution that this one rolled back; empty for others."""
    resumed_from: str = ""
    """The execution that this one is a re-run of."""


class RollbackRecord(RecordItem):
    """A rollback that is over. `id` is `<execution>.<number>`; `at_ms` is when it was over. The
    template is that of the execution that was rolled back."""

    type: Literal["rollback"] = "rollback"
    execution_id: Id
    number: int = Field(ge=1)
    template_id: str
    template_version: str
    category: str = ""
    status: Literal["rolled_back", "rollback_incomplete", "rollback_failed"]
    strategy: Name = ""
    by: Name = ""
    """Who asked for it; `engine` where a policy did."""
    asked_at_ms: int = 0
    undone: int = 0
    """Steps of which something was undone."""
    left: int = 0
    """What remains."""


class Feedback(RecordItem):
    """What became of a suggestion."""

    type: Literal["feedback"] = "feedback"
    user: Id
    suggestion_id: Id
    verdict: Literal["accepted", "dismissed", "edited"]
    kind: Literal["workflow", "command"]
    suggested: str = Field("", max_length=LINE_LIMIT)
    """The template's id, or the line."""
    chosen: str = Field("", max_length=LINE_LIMIT)
    """What was taken instead; empty where none was."""
    text: str = Field("", max_length=TEXT_LIMIT)
    """What the suggestion was asked for, if it was asked with a text."""
    nothing_fits: bool = False
    """The user says that the text asks for no workflow at all."""
    execution_id: Name = ""


class Forget(RecordItem):
    """An order to forget what was learned: of a `user`, of a `command` line, or of that line by
    that user. What was recorded before it is gone from the record, too.

    Of the line only a digest is kept, so that an order does not hold what it makes forgotten."""

    type: Literal["forget"] = "forget"
    by: Id
    user: Name = ""
    command: str = Field("", max_length=LINE_LIMIT)
    """The line; it becomes its `line_digest`."""

    @field_validator("command")
    @classmethod
    def _only_its_digest(cls, command: str) -> str:
        return command if not command or _DIGEST.fullmatch(command) else line_digest(command)

    def means(self, item: AnyRecord) -> bool:
        """Whether it names an item: a command with that line, or feedback on a suggestion where it
        was suggested or chosen. An order that names neither user nor line means nothing."""
        if isinstance(item, RecordedCommand):
            lines = [item.command]
        elif isinstance(item, Feedback):
            lines = [item.suggested, item.chosen]
        else:
            return False
        if not (self.user or self.command):
            return False
        its = not self.command or self.command in map(line_digest, lines)
        return its and self.user in {"", item.user}


def named_by(item: AnyRecord) -> tuple[str, tuple[str, ...]]:
    """What an order to forget finds an item by: its user, and its lines' digests; runs have nothing
    of it."""
    if isinstance(item, RecordedCommand):
        return item.user, (line_digest(item.command),)
    if isinstance(item, Feedback):
        lines = sorted({line for line in (item.suggested, item.chosen) if line})
        return item.user, tuple(map(line_digest, lines))
    return "", ()


def line_digest(line: str) -> str:
    """What an order to forget a line keeps of it."""
    return f"sha256:{sha256(line.encode('utf-8', 'surrogatepass')).hexdigest()}"


AnyRecord = Annotated[
    RecordedCommand | RunRecord | RollbackRecord | Feedback | Forget, Field(discriminator="type")
]
RECORD: Final[TypeAdapter[AnyRecord]] = TypeAdapter(AnyRecord)
"""Reads and writes an item of the record."""
