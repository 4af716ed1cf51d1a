"""What is learned of outcomes is written where gateways read it, tuned, and told.

The law:

1. Every few seconds, what the models learned since is written as views. After a start or a rebuild
   everything is; while a model is being rebuilt nothing is, so that nobody sees half of it.
2. Of each template that ran, proposals are made anew for its newest version, and experiments are
   judged. One that a person dismissed, or that was worse, is not proposed again for `AGAIN_MS`.
3. What a template lets be applied by itself is applied, one change at a time.
4. What is worth telling is told, once.

An outage ends a round; what was taken for it is taken anew with the next, by writing everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar

import structlog

from services.learning.outcome_folds import Changes, OutcomeFolds
from services.learning.rounds import rounds
from shared.collective.insights import InsightDesk
from shared.learning.fold import Fold
from shared.outcomes import insights
from shared.outcomes.tuning import proposals
from shared.outcomes.viewing import proposal_view
from shared.outcomes.views import (
    AgentView,
    InsightView,
    ProposalView,
    SignatureView,
    TemplateView,
    View,
)
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeViews
from shared.ports.templates import TemplateStore
from shared.runtime.writing_meter import OneWriter, unseen
from shared.tuning.desk import TUNING, NotNowError, TuningDesk
from shared.workflow.definition import Template

log = structlog.get_logger()

T = TypeVar("T")

EVERY_S: Final = 2.0
AFTER_ERROR_S: Final = 10.0
AT_ONCE: Final = 20
"""Views that are made in one slice: some ten milliseconds."""
AGAIN_MS: Final = 90 * 86_400_000
MOST_PROPOSALS: Final = 20_000


class Thread(Protocol):
    """Where what is long is computed, one after the other with folding."""

    async def run(self, work: Callable[[], T]) -> T:
        """Give what it gives."""
        ...


class OutcomeWriter:
    """Writes, tunes and tells. `folds` gives the models as they are now; None while one of them is
    being rebuilt."""

    def __init__(
        self,
        folds: Callable[[], Sequence[Fold] | None],
        views: OutcomeViews,
        templates: TemplateStore,
        tuning: TuningDesk,
        telling: InsightDesk,
        thread: Thread,
        clock: Clock,
        meter: OneWriter | None = None,
    ) -> None:
        self._meter = meter or unseen("outcomes")
        self._folds = folds
        self._views = views
        self._templates = templates
        self._tuning = tuning
        self._telling = telling
        self._thread = thread
        self._clock = clock
        self._written: OutcomeFolds | None = None
        """The models that all views are of."""

    async def run(self) -> None:
        """Write, for ever."""
        await rounds(
            self.round,
            EVERY_S,
            waits="what was learned of outcomes waits to be written",
            again_s=AFTER_ERROR_S,
            around=self._meter.round,
            failed=self._write_all,
        )

    def _write_all(self) -> None:
        """The next round writes everything: who knows what this one wrote."""
        self._written = None

    async def round(self) -> None:
        """Write what was learned since the last round."""
        found = self._folds()
        folds = OutcomeFolds.among(found) if found is not None else None
        if folds is None:
            return
        now_ms = self._clock.now_ms()
        all_of_it = folds != self._written
        take = Changes.everything if all_of_it else Changes.taken
        changes = await self._thread.run(lambda: take(folds))
        if changes.is_empty and not all_of_it:
            self._meter.wrote(0)
            return
        self._written = None
        if all_of_it:
            await self._forget_signatures(folds)
        rows, told = await self._write(folds, changes, now_ms)
        known = await self._proposals()
        for template_id in changes.touched.templates:
            told += await self._tune(folds, template_id, known.get(template_id, []), now_ms)
        for one in told:
            await self._telling.tell(one)
        self._written = folds
        self._meter.wrote(rows)

    async def _write(
        self, folds: OutcomeFolds, changes: Changes, now_ms: int
    ) -> tuple[int, list[InsightView]]:
        """Gives how many views were written, and what is worth telling of them."""
        rows = 0
        await self._views.remove(SignatureView, changes.gone(folds))
        rest = changes.views(folds, now_ms)
        told: list[InsightView] = []
        while views := await self._thread.run(lambda: list(islice(rest, AT_ONCE))):
            await self._views.put(views)
            rows += len(views)
            told += [one for view in views for one in _insights(view, now_ms)]
        return rows, told

    async def _forget_signatures(self, folds: OutcomeFolds) -> None:
        """Of another life of the model there may be some that this one does not know."""
        known = {one.id for one in folds.failures.signatures.values()}
        kept = await self._views.keys(SignatureView)
        await self._views.remove(SignatureView, [key for key in kept if key not in known])

    async def _tune(
        self, folds: OutcomeFolds, template_id: str, known: list[ProposalView], now_ms: int
    ) -> list[InsightView]:
        stored = await self._templates.find(template_id)
        if stored is None:
            return []
        template = stored.template
        made = await self._thread.run(lambda: _proposed(folds, template, now_ms))
        wanted = {one.id: one for one in made}
        changed: list[ProposalView] = []
        for one in known:
            changed += await self._look(folds, one, wanted, now_ms)
        for proposal in wanted.values():
            if await self._views.change(proposal, None):
                changed.append(proposal)
        policy = template.policies.tuning
        if policy in ("apply", "apply_with_agents"):
            await self._apply(template_id, policy == "apply_with_agents", now_ms)
        told = [insights.of_proposal(one, now_ms) for one in changed]
        return [one for one in told if one is not None]

    async def _look(
        self,
        folds: OutcomeFolds,
        known: ProposalView,
        wanted: dict[str, ProposalView],
        now_ms: int,
    ) -> list[ProposalView]:
        """What becomes of a proposal that is known; gives it if it has changed."""
        new = wanted.pop(known.id, None)
        if known.status == "applied":
            trial = known.experiment
            version = trial.version if trial is not None else ""
            counts = folds.trials.of_version(known.template_id, version)
            judged = await self._tuning.look(known, counts, now_ms)
            return [judged] if judged.status != known.status else []
        if known.status == "open" and new is None:
            await self._views.remove(ProposalView, [known.id])
        elif new is not None and _may_follow(known, new, now_ms):
            is_same = known.status == "open" and known.proposed == new.proposed
            if is_same:
                new = new.model_copy(update={"at_ms": known.at_ms})
            if await self._views.change(new, known.status) and not is_same:
                return [new]
        return []

    async def _apply(self, template_id: str, with_agents: bool, now_ms: int) -> None:
        """The best that may be applied; `with_agents`: another agent, too."""
        for one in (await self._proposals()).get(template_id, []):
            if one.status == "open" and (one.safe or with_agents):
                try:
                    await self._tuning.apply(one.id, TUNING, now_ms)
                except NotNowError as error:
                    log.info("tuning is not applied", proposal=one.id, reason=str(error))
                else:
                    log.info("tuning is applied", proposal=one.id)
                    return

    async def _proposals(self) -> dict[str, list[ProposalView]]:
        """All of them, by template."""
        found: dict[str, list[ProposalView]] = {}
        for one in await self._views.page(ProposalView, limit=MOST_PROPOSALS):
            found.setdefault(one.template_id, []).append(one)
        return found


def _proposed(folds: OutcomeFolds, template: Template, now_ms: int) -> list[ProposalView]:
    return [proposal_view(one, now_ms) for one in proposals(template, folds.evidence(now_ms))]


def _may_follow(known: ProposalView, new: ProposalView, now_ms: int) -> bool:
    """Whether a proposal takes the place of what became of the one before."""
    refused = known.status in ("dismissed", "reverted")
    refused = refused and (known.pinned or known.proposed == new.proposed)
    return not refused or now_ms - known.at_ms > AGAIN_MS


def _insights(view: View, now_ms: int) -> list[InsightView]:
    match view:
        case SignatureView():
            found = insights.of_failure(view, now_ms)
        case AgentView():
            found = insights.of_agent(view, now_ms)
        case TemplateView():
            return list(insights.of_template(view, now_ms))
        case _:
            return []
    return [found] if found is not None else []
