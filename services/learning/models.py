"""The models that this service keeps: one line each; `shared.learning.fold` says what one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from services.learning.settings import LearningSettings
from shared.analytics.fold import Analytics, Keep
from shared.learning.fold import Fold
from shared.learning.next_command_fold import NextCommandFold
from shared.outcomes.failures import FailureModel
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import SuccessModel
from shared.outcomes.trials import TrialModel
from shared.suggest.experience import ExperienceFold
from shared.suggest.feedback import FeedbackFold
from shared.suggest.sessions import SessionsFold

MODELS: Final[tuple[Callable[[], Fold], ...]] = (
    NextCommandFold,
    SuccessModel,
    DurationModel,
    FailureModel,
    TrialModel,
    Analytics,
    ExperienceFold,
    FeedbackFold,
    SessionsFold,
)  # fmt: skip


def models_of(settings: LearningSettings) -> Sequence[Callable[[], Fold]]:
    """The same, as they are set."""
    keep = Keep(
        settings.analytics_hours_days, settings.analytics_days_days, settings.analytics_months_days
    )
    return [partial(Analytics, keep) if make is Analytics else make for make in MODELS]
