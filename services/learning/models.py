"""The models that this service keeps: one line each; `shared.learning.fold` says what one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.learning.fold import Fold
from shared.learning.next_command_fold import NextCommandFold
from shared.outcomes.failures import FailureModel
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import SuccessModel
from shared.outcomes.trials import TrialModel

MODELS: Final[tuple[Callable[[], Fold], ...]] = (
    NextCommandFold,
    SuccessModel,
    DurationModel,
    FailureModel,
    TrialModel,
)  # fmt: skip
