"""Workflows that were found in what was run: looking, accepting, rejecting.

Who may see a proposal may decide about it, as far as the key may write templates. What is accepted
is stored as any template is: checked, immutable, with its author.
"""

from __future__ import annotations

from services.gateway import problems
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.proposals import AcceptBody, AcceptedWorkflow, FoundWorkflows
from shared.mining.proposals import Proposal
from shared.ports.proposals import Standing, StoredProposal


class ProposalOperations:
    """Raises 404 for what is not there, or another's; 409 for what was decided already."""

    def __init__(self, parts: Parts, templates: TemplateOperations) -> None:
        self._parts = parts
        self._templates = templates

    async def page(
        self,
        principal: Principal,
        standing: Standing | None,
        after: tuple[int, str] | None,
        limit: int,
    ) -> FoundWorkflows:
        """Those that the principal may see."""
        found = await self._parts.proposals.page(
            principal.name, standing=standing, after=after, limit=limit
        )
        full = len(found) == limit
        cursor = f"{found[-1].rank}.{found[-1].proposal.id}" if full and found else None
        return FoundWorkflows(items=tuple(found), next_cursor=cursor)

    async def get(self, proposal_id: str, principal: Principal) -> StoredProposal:
        """One of them."""
        found = await self._parts.proposals.get(proposal_id)
        if found is None or found.proposal.owner not in ("", principal.name):
            hint = "GET /api/v1/proposals lists what was found."
            raise problems.not_found("proposal", proposal_id, hint)
        return found

    async def accept(
        self, proposal_id: str, body: AcceptBody, principal: Principal
    ) -> AcceptedWorkflow:
        """Store its template, or the edited one. Raises 422 as storing any template does."""
        found = await self._open(proposal_id, principal)
        template = body.template or found.proposal.template
        if body.id is not None:
            template = template.model_copy(update={"id": body.id})
        stored = await self._templates.create(template, principal)
        decided = found.model_copy(
            update={
                "proposal": _without_examples(found.proposal),
                "standing": "accepted",
                "decided_at_ms": self._parts.clock.now_ms(),
                "decided_by": principal.name,
                "template_id": template.id,
                "template_version": template.version,
            }
        )
        if not await self._parts.proposals.decide(decided):
            raise _decided(proposal_id)
        return AcceptedWorkflow(found=decided, stored=stored)

    async def reject(self, proposal_id: str, reason: str, principal: Principal) -> StoredProposal:
        """Say that it is not wanted: neither it nor what is like it is proposed again."""
        found = await self._open(proposal_id, principal)
        decided = found.model_copy(
            update={
                "proposal": _without_examples(found.proposal),
                "standing": "rejected",
                "decided_at_ms": self._parts.clock.now_ms(),
                "decided_by": principal.name,
                "reason": reason,
            }
        )
        if not await self._parts.proposals.decide(decided):
            raise _decided(proposal_id)
        return decided

    async def _open(self, proposal_id: str, principal: Principal) -> StoredProposal:
        found = await self.get(proposal_id, principal)
        if found.standing != "open":
            raise problems.conflict(
                f"Proposal {proposal_id!r} was {found.standing} by {found.decided_by}."
            )
        return found


def _without_examples(proposal: Proposal) -> Proposal:
    """What was decided about is kept; what people ran is not kept with it."""
    return proposal.model_copy(update={"examples": ()})


def _decided(proposal_id: str) -> problems.ProblemError:
    return problems.conflict(
        f"Proposal {proposal_id!r} was decided or withdrawn meanwhile; look at it again."
    )
