"""An execution as it was, made of its history, and who did what to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from services.gateway import problems
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.operations.views import execution_view
from services.gateway.parts import Parts
from services.gateway.permissions import Permission, Principal
from shared.contracts.api.replay import ProvenanceView, ReplayedEvent, ReplayView
from shared.contracts.events import PublicEvent
from shared.contracts.publishing import masked
from shared.workflow.program import Program
from shared.workflow.provenance import Deed, provenance
from shared.workflow.replay import Divergence, HistoryEntry, Moment, at_event, divergence
from shared.workflow.state import ExecutionState

PAGE: Final = 500
MOST_ENTRIES: Final = 100_000
"""Entries of the longest history that is replayed; a longer one would fill the memory."""
MOST_AUDITED: Final = 1_000


class Replaying:
    """Reads whole histories. Raises 404, and 422 for what a history does not have."""

    def __init__(
        self, parts: Parts, executions: ExecutionOperations, programs: GatewayPrograms
    ) -> None:
        self._parts = parts
        self._executions = executions
        self._programs = programs

    async def replay(self, execution_id: str, at: int | None) -> ReplayView:
        """The state after event number `at`, the last by default, and the first divergence."""
        state = await self._executions.state(execution_id)
        history = await self.history(execution_id)
        program = await self._programs.get(state.template_id, state.template_version)
        count = sum(len(entry.events) for entry in history)
        moment, diverged, unchecked = await asyncio.to_thread(
            _replayed, program, state, history, count if at is None else at
        )
        if moment is None:
            raise problems.invalid_field(
                "at", f"its history has {count} events", f"send a number from 1 to {count}"
            )
        event = moment.event.model_dump(mode="json", exclude={"type"})
        template = await self._executions.template(state)
        return ReplayView(
            execution_id=execution_id,
            events=count,
            event=ReplayedEvent(
                number=moment.number,
                seq=moment.seq,
                at_ms=moment.at_ms,
                type=moment.event.type,
                data=masked(event),
            ),
            state=execution_view(moment.state, template),
            divergence=diverged and Divergence.model_validate(masked(diverged.model_dump())),
            unchecked=unchecked,
        )

    async def provenance(self, execution_id: str, principal: Principal) -> ProvenanceView:
        """Who suggested, started, approved and changed it."""
        await self._executions.state(execution_id)
        deeds = provenance(await self.history(execution_id))
        audit: Sequence[PublicEvent] = ()
        if principal.may(Permission.AUDIT):
            trail = self._parts.events
            audit = await trail.about(execution_id, MOST_AUDITED, category="audit")
        return ProvenanceView(
            execution_id=execution_id,
            deeds=tuple(Deed.model_validate(masked(deed.model_dump())) for deed in deeds),
            audit=tuple(audit),
        )

    async def history(self, execution_id: str) -> list[HistoryEntry]:
        """All of it. Raises 422 for one that is too long."""
        entries: list[HistoryEntry] = []
        while True:
            after = entries[-1].seq if entries else 0
            page = await self._parts.executions.history(execution_id, after_seq=after, limit=PAGE)
            entries += page
            if len(page) < PAGE:
                return entries
            if len(entries) >= MOST_ENTRIES:
                raise problems.problem(
                    "invalid-request",
                    f"Its history has more than {MOST_ENTRIES} entries, too many for this. "
                    f"GET …/executions/{execution_id}/history reads them by pages.",
                )


def _replayed(
    program: Program | None, state: ExecutionState, history: Sequence[HistoryEntry], number: int
) -> tuple[Moment | None, Divergence | None, str]:
    """In a thread: a long history takes seconds, and others wait for the loop."""
    moment = at_event(state.execution_id, history, number)
    if program is None:
        missing = f"template {state.template_id}@{state.template_version} cannot be read here"
        return moment, None, missing
    return moment, divergence(program, state.execution_id, history), ""
