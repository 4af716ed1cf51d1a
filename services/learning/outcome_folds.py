"""What the models of outcomes have learned since it was looked at last, as views.

Everything here runs in the thread that folds, a slice at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self, TypeVar

from shared.learning.fold import Fold
from shared.outcomes.failures import FailureModel
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import SuccessModel, Touched
from shared.outcomes.trials import TrialModel
from shared.outcomes.tuning import Evidence
from shared.outcomes.viewing import (
    agent_view,
    category_view,
    command_view,
    signature_view,
    template_view,
)
from shared.outcomes.views import View

F = TypeVar("F")

OUTCOME_MODELS: Final = frozenset(
    one.name for one in (SuccessModel, DurationModel, FailureModel, TrialModel)
)
OTHER: Final = ""
"""Stands for every category that was never run."""


@dataclass(frozen=True, slots=True)
class OutcomeFolds:
    """The four models."""

    success: SuccessModel
    durations: DurationModel
    failures: FailureModel
    trials: TrialModel

    @classmethod
    def among(cls, folds: Sequence[Fold]) -> Self | None:
        """The four of these; None where one is not there."""
        success, durations = _one(folds, SuccessModel), _one(folds, DurationModel)
        failures, trials = _one(folds, FailureModel), _one(folds, TrialModel)
        if success is None or durations is None or failures is None or trials is None:
            return None
        return cls(success, durations, failures, trials)

    def evidence(self, now_ms: int) -> Evidence:
        """What is believed at a moment."""
        return Evidence(self.success, self.durations, self.trials, now_ms)


@dataclass(slots=True)
class Changes:
    """What is to be written anew."""

    touched: Touched = field(default_factory=Touched)
    signatures: dict[int, None] = field(default_factory=dict)
    dropped: dict[str, None] = field(default_factory=dict)
    """Ids of signatures that are gone."""

    @property
    def is_empty(self) -> bool:
        """True when nothing was learned."""
        return not self.touched.templates and not self.signatures and not self.dropped

    @classmethod
    def taken(cls, folds: OutcomeFolds) -> Self:
        """What has changed since it was taken last."""
        success, failures = folds.success, folds.failures
        made = cls(success.touched, failures.touched, failures.gone)
        success.touched, failures.touched, failures.gone = Touched(), {}, {}
        return made

    @classmethod
    def everything(cls, folds: OutcomeFolds) -> Self:
        """All that is known."""
        cls.taken(folds)
        success = folds.success
        touched = Touched(
            templates=dict.fromkeys(success.templates),
            categories=dict.fromkeys(one.category for one in success.templates.values()),
            commands=dict.fromkeys(one.command for one in success.steps.values()),
            agents=dict.fromkeys(success.agents),
        )
        return cls(touched, dict.fromkeys(folds.failures.signatures))

    def gone(self, folds: OutcomeFolds) -> list[str]:
        """The ids of signatures that were dropped, and have not come again."""
        known = {one.id for one in folds.failures.signatures.values()} if self.dropped else set()
        return [one for one in self.dropped if one not in known]

    def views(self, folds: OutcomeFolds, now_ms: int) -> Iterator[View]:
        """The views, one after the other."""
        evidence, touched = folds.evidence(now_ms), self.touched
        for template_id in touched.templates:
            yield from _if_any(template_view(template_id, evidence))
        for category in {**touched.categories, OTHER: None}:
            yield category_view(category, evidence)
        for command in touched.commands:
            yield command_view(command, evidence)
        for agent in touched.agents:
            yield from _if_any(agent_view(agent, evidence))
        for number in self.signatures:
            signature = folds.failures.signatures.get(number)
            if signature is not None:
                yield signature_view(signature, folds.failures)


def _if_any(view: View | None) -> Iterator[View]:
    if view is not None:
        yield view


def _one(folds: Sequence[Fold], kind: type[F]) -> F | None:
    return next((one for one in folds if isinstance(one, kind)), None)
