"""What is learned of outcomes: predictions, known failures, tuning, insights.

Everything is read from views that the learning service writes; only tuning changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from services.gateway import problems
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.commands.signatures import signatures
from shared.contracts.api.outcomes import (
    AgentPage,
    FailurePage,
    InsightPage,
    MatchBody,
    Matched,
    ProposalPage,
)
from shared.outcomes.lasting import DurationModel
from shared.outcomes.matching import KnownFailure, best_match, tokens_with, what_helped
from shared.outcomes.messages import masked
from shared.outcomes.predicting import Prediction, predict
from shared.outcomes.success import SuccessModel
from shared.outcomes.trials import TrialModel
from shared.outcomes.tuning import Evidence
from shared.outcomes.viewing import category_view
from shared.outcomes.views import (
    AgentView,
    CategoryView,
    InsightKind,
    InsightView,
    ProposalView,
    SignatureView,
    Status,
    TemplateView,
    View,
)
from shared.tuning.desk import NotNowError, TuningDesk, UnknownProposalError

V = TypeVar("V", bound=View)
After = tuple[float, str] | None

MAX_COMPARED: Final = 2_000
CODES: Final = 200
EVERY_OTHER: Final = "*"
"""The key of the view of categories that were never run."""


class OutcomeOperations:
    """Raises 404 for what is not there, 409 for what cannot be done as things stand."""

    def __init__(self, parts: Parts, templates: TemplateOperations) -> None:
        self._parts = parts
        self._views = parts.outcomes
        self._templates = templates
        self._desk = TuningDesk(parts.outcomes, parts.templates, signatures(parts.commands))

    async def predict(
        self, template_id: str, parameters: Mapping[str, Any], agent: str
    ) -> Prediction:
        """What to expect of a run of the newest version; parameters that are left out are the
        template's defaults."""
        template = (await self._templates.find(template_id)).template
        given = {n: p.default for n, p in template.parameters.items() if not p.is_required}
        known = await self._views.get(TemplateView, template_id)
        category = await self._category(template.category)
        on = await self._views.get(AgentView, agent) if agent else None
        return predict(template_id, known, category, {**given, **parameters}, on)

    async def failures(self, after: After, limit: int) -> FailurePage:
        """Known failures, those that occurred last first."""
        found = await self._views.page(SignatureView, after=after, limit=limit)
        return FailurePage(items=tuple(found), next_cursor=_cursor(found, limit))

    async def failure(self, signature_id: str) -> SignatureView:
        """One of them."""
        found = await self._views.get(SignatureView, signature_id)
        if found is None:
            hint = "GET /api/v1/failures lists what is known."
            raise problems.not_found("failure", signature_id, hint)
        return found

    async def match(self, body: MatchBody) -> Matched:
        """The known failure that a message is an example of."""
        known = await self.known(body.code, body.message)
        helped = what_helped(known.signature) if known is not None else ()
        return Matched(masked=masked(body.message), known=known, resolutions=helped)

    async def known(self, code: str, message: str) -> KnownFailure | None:
        """The signature that a failure matches; without a code, of any."""
        length = len(tokens_with(code, message))
        codes = [code] if code else await self._codes()
        found = []
        for one in codes:
            group = f"{one} {length}"
            same = await self._views.page(SignatureView, group=group, limit=MAX_COMPARED)
            match = best_match(tokens_with(one, message), same)
            if match is not None:
                found.append(match)
        return max(found, key=lambda one: (one.similarity, one.signature.weight), default=None)

    async def proposals(self, status: Status | None, after: After, limit: int) -> ProposalPage:
        """Changes that runs suggest."""
        found = await self._views.page(ProposalView, group=status, after=after, limit=limit)
        return ProposalPage(items=tuple(found), next_cursor=_cursor(found, limit))

    async def proposal(self, proposal_id: str) -> ProposalView:
        """One of them."""
        found = await self._views.get(ProposalView, proposal_id)
        if found is None:
            raise _no_proposal(proposal_id)
        return found

    async def revert(self, proposal_id: str, reason: str, principal: Principal) -> ProposalView:
        """Take back a change that is tried or kept."""
        try:
            now_ms = self._parts.clock.now_ms()
            return await self._desk.revert(proposal_id, principal.name, reason, now_ms)
        except UnknownProposalError:
            raise _no_proposal(proposal_id) from None
        except NotNowError as error:
            raise problems.conflict(str(error)) from None

    async def apply(self, proposal_id: str, principal: Principal) -> ProposalView:
        """Make it the next version of its template, and try it."""
        try:
            now_ms = self._parts.clock.now_ms()
            return await self._desk.apply(proposal_id, principal.name, now_ms)
        except UnknownProposalError:
            raise _no_proposal(proposal_id) from None
        except NotNowError as error:
            raise problems.conflict(str(error)) from None

    async def dismiss(self, proposal_id: str, reason: str, principal: Principal) -> ProposalView:
        """Say that it is not wanted."""
        try:
            now_ms = self._parts.clock.now_ms()
            return await self._desk.dismiss(proposal_id, principal.name, reason, now_ms)
        except UnknownProposalError:
            raise _no_proposal(proposal_id) from None
        except NotNowError as error:
            raise problems.conflict(str(error)) from None

    async def insights(
        self, kind: InsightKind | None, agent: str, after: After, limit: int
    ) -> InsightPage:
        """What was learned lately: of all, or about one agent."""
        if not agent:
            found = await self._views.page(InsightView, group=kind, after=after, limit=limit)
            return InsightPage(items=tuple(found), next_cursor=_cursor(found, limit))
        page = await self._views.page(InsightView, group=kind, after=after, limit=MAX_COMPARED)
        about = [one for one in page if one.agent == agent][:limit]
        return InsightPage(items=tuple(about), next_cursor=_cursor(about, limit))

    async def agents(self, limit: int) -> AgentPage:
        """How agents compare, those with the most failures beyond what is expected first."""
        return AgentPage(items=tuple(await self._views.page(AgentView, limit=limit)))

    async def agent(self, name: str) -> AgentView:
        """How one compares. Raises 404 for one on which nothing ran."""
        found = await self._views.get(AgentView, name)
        if found is None:
            hint = "GET /api/v1/insights/agents lists those on which anything ran."
            raise problems.not_found("experience of agent", name, hint)
        return found

    async def _category(self, category: str) -> CategoryView:
        """What a template leans on that was never run; before anything ran, what is assumed."""
        for key in (category, EVERY_OTHER):
            found = await self._views.get(CategoryView, key)
            if found is not None:
                return found
        nothing = Evidence(SuccessModel(), DurationModel(), TrialModel(), 0)
        return category_view(category, nothing)

    async def _codes(self) -> Sequence[str]:
        found = await self._views.page(SignatureView, limit=MAX_COMPARED)
        return list(dict.fromkeys(one.code for one in found))[:CODES]


def _cursor(found: Sequence[V], limit: int) -> str | None:
    return f"{int(found[-1].rank)}.{found[-1].key}" if len(found) == limit else None


def _no_proposal(proposal_id: str) -> problems.ProblemError:
    return problems.not_found("proposal", proposal_id, "GET /api/v1/tuning lists them.")
