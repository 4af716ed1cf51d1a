"""What the learning service says of itself, and what it is asked to do."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from shared.contracts.collective import Contract
from shared.learning.line_glob import GLOB_LIMIT


class ModelStatus(Contract):
    """How a model stands. Times are epoch milliseconds, 0 for never."""

    name: str
    version: int
    place: int = Field(description="Up to which place of the record it holds.")
    items: int = Field(description="Items that it has been given.")
    behind: int = Field(description="Items that are kept and that it has not been given yet.")
    skipped: int = Field(description="Items that it failed at.")
    missing: int = Field(
        0, description="Items that had gone by age before it could learn from them."
    )
    rebuilding: Literal["", "start", "forget", "order"] = Field(
        description="Why it is being rebuilt; empty where it is not."
    )
    snapshot_at_ms: int
    snapshot_bytes: int


class BackfillStatus(Contract):
    """How the last backfill stands, or ended."""

    running: bool = False
    looked_at: int = Field(0, description="Executions that were looked at.")
    of: int = Field(0, description="About how many there are.")
    runs: int = Field(0, description="Runs that were added to the record.")
    items: int = Field(0, description="Items that were added, commands of steps among them.")
    failed: int = Field(0, description="Executions that could not be told in short.")
    error: str = ""


class LearningStatus(Contract):
    """How the learning service that works stands."""

    owner: str = Field(description="Which process it is.")
    active_since_ms: int
    kept: int = Field(description="Items of the record that are kept.")
    last_place: int = Field(description="The last place of the record that was kept.")
    busy_s: float = Field(description="Processor time that learning took since it works.")
    models: tuple[ModelStatus, ...]
    backfill: BackfillStatus = BackfillStatus()


MEANT_LINES_LIMIT: Final = 200
"""Lines that one pattern may mean where they are to be forgotten: each is an order of its own, and
the intake looks through what is on its way for each of them."""
MEANT_EXAMPLES_LIMIT: Final = 5


class MeantLinesQuestion(Contract):
    """Which lines of a user, as they are kept, does a pattern mean?"""

    user: str = Field(min_length=1, max_length=200)
    pattern: str = Field(min_length=1, max_length=GLOB_LIMIT)


class MeantLines(Contract):
    """What a pattern means of what is kept."""

    lines: tuple[str, ...] = Field(
        max_length=MEANT_LINES_LIMIT, description="Digests of different lines, first kept first."
    )
    items: int = Field(description="Commands and feedback with those lines.")
    more: bool = Field(False, description="There are more lines than that; they are not counted.")
    examples: tuple[str, ...] = Field((), max_length=MEANT_EXAMPLES_LIMIT)


class RebuildOrder(Contract):
    """Rebuild a model from the record; without a name all of them."""

    model: str = Field("", max_length=100, examples=["next-command"])


class BackfillOrder(Contract):
    """Add the runs of executions that the record does not know."""
