"""The models that suggestions come from: folds over the record, all held in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from services.suggestion.hiding import Hidden
from shared.learning.fold import Fold
from shared.learning.next_command_fold import NextCommandFold
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import SuccessModel
from shared.suggest.experience import ExperienceFold
from shared.suggest.feedback import FeedbackFold
from shared.suggest.sessions import SessionsFold


@dataclass
class Models:
    """One of each. A model that must be rebuilt is replaced as a whole."""

    commands: NextCommandFold = field(default_factory=NextCommandFold)
    experience: ExperienceFold = field(default_factory=ExperienceFold)
    feedback: FeedbackFold = field(default_factory=FeedbackFold)
    sessions: SessionsFold = field(default_factory=SessionsFold)
    success: SuccessModel = field(default_factory=SuccessModel)
    durations: DurationModel = field(default_factory=DurationModel)
    hidden: Hidden = field(default_factory=Hidden)
    """Lines that the model of commands still holds and that are to be forgotten."""

    @property
    def folds(self) -> dict[str, Fold]:
        """By the names of the fields."""
        return {name: getattr(self, name) for name in MAKERS}


MAKERS: dict[str, Callable[[], Fold]] = {
    "commands": NextCommandFold,
    "experience": ExperienceFold,
    "feedback": FeedbackFold,
    "sessions": SessionsFold,
    "success": SuccessModel,
    "durations": DurationModel,
}
"""What makes an empty model for each field."""
