"""The model of the next command as a fold over the recorded commands."""

from __future__ import annotations

from typing import Final

from shared.learning import snapshot
from shared.learning.history import Recorded, Situation
from shared.learning.next_command import NextCommandModel
from shared.learning.options import LearningOptions
from shared.learning.records import AnyRecord, Forget, RecordedCommand

NAME: Final = "next-command"


class NextCommandFold:
    """Names and lines in one model; `model` is what predicts."""

    name = NAME
    version = snapshot.VERSION
    personal = True

    def __init__(self, options: LearningOptions | None = None):
        self.options = options or LearningOptions()
        self.model = NextCommandModel("line", self.options)

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - a fold's signature
        """Learn from a command; other items say nothing about the next one."""
        if isinstance(item, RecordedCommand):
            self.model.learn(recorded(item))

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - a fold's signature
        """Weights that all commands moved cannot be moved back: it must be rebuilt."""
        return False

    def save(self) -> bytes:
        """The model's snapshot."""
        return snapshot.save(self.model)

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`. Raises ValueError for anything else."""
        self.model = snapshot.load(data, self.options)


def recorded(item: RecordedCommand) -> Recorded:
    """A command of the record as the model learns it."""
    situation = Situation(item.user, item.session, item.cwd, item.host, item.osuser, item.shell)
    return Recorded(situation, item.command, item.exit, item.more_lines)
