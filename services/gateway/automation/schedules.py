"""Schedules as callers use them: make, change, pause, resume, delete, look ahead."""

from __future__ import annotations

from typing import Any, Final

from services.gateway import problems
from services.gateway.automation.asking import ask
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import AutomationPorts, Parts
from services.gateway.permissions import Principal
from shared.automation.messages import AnyRequest, Deleted, Paused, Resumed, Saved
from shared.automation.specs import ScheduleSpec
from shared.automation.states import ScheduleState
from shared.automation.timetable import Timetable
from shared.automation.zones import wall_text
from shared.contracts.api.schedules import (
    Moment,
    Preview,
    PreviewRequest,
    ScheduleList,
    ScheduleView,
)
from shared.ports.clock import Clock
from shared.workflow.errors import ParameterError
from shared.workflow.parameters import prepare_parameters

UPCOMING: Final = 5


class ScheduleOperations:
    """Raises 404, 409, 422 and 503."""

    def __init__(self, parts: Parts, templates: TemplateOperations) -> None:
        self._ports: AutomationPorts = parts.automations
        self._templates = templates
        self._clock: Clock = parts.clock
        self._ids = parts.ids

    async def create(self, spec: ScheduleSpec, principal: Principal) -> ScheduleView:
        """Make a schedule; its first run is durable when this returns."""
        await self._check(spec)
        return await self._ask(self._ids.new("sc"), Saved(**self._by(principal), spec=spec))

    async def change(
        self, schedule_id: str, spec: ScheduleSpec, if_edition: int | None, principal: Principal
    ) -> ScheduleView:
        """Write it anew, if it is still as the caller saw it."""
        await self._state(schedule_id)
        await self._check(spec)
        return await self._ask(
            schedule_id, Saved(**self._by(principal), spec=spec, if_edition=if_edition)
        )

    async def pause(self, schedule_id: str, reason: str, principal: Principal) -> ScheduleView:
        """Start nothing until it is resumed."""
        await self._state(schedule_id)
        return await self._ask(schedule_id, Paused(**self._by(principal), reason=reason))

    async def resume(self, schedule_id: str, principal: Principal) -> ScheduleView:
        """Go on from now; what would have run meanwhile is not made up."""
        await self._state(schedule_id)
        return await self._ask(schedule_id, Resumed(**self._by(principal)))

    async def delete(self, schedule_id: str, principal: Principal) -> None:
        """Never start anything again; what runs goes on."""
        await self._state(schedule_id)
        await self._ask(schedule_id, Deleted(**self._by(principal)))

    async def get(self, schedule_id: str) -> ScheduleView:
        """One schedule."""
        return self._view(await self._state(schedule_id))

    async def all(self) -> ScheduleList:
        """Every schedule, oldest first."""
        states = [one.state for one in await self._ports.store.all("schedule")]
        return ScheduleList(
            items=tuple(self._view(s) for s in states if isinstance(s, ScheduleState))
        )

    async def upcoming(self, schedule_id: str, count: int) -> Preview:
        """The next moments of a schedule; none while it is paused."""
        state = await self._state(schedule_id)
        return Preview(moments=self._moments(state, count))

    def preview(self, wanted: PreviewRequest) -> Preview:
        """The next moments of a timetable that is not stored."""
        now_ms = self._clock.now_ms()
        after_ms = now_ms if wanted.after is None else round(wanted.after.timestamp() * 1_000)
        found = wanted.timetable.upcoming(after_ms, now_ms, wanted.count)
        return Preview(moments=_written(found, wanted.timetable))

    async def _check(self, spec: ScheduleSpec) -> None:
        """What can be known now: that there is such a template, that it takes the parameters, and
        that a moment comes."""
        stored = await self._templates.find(spec.template_id, spec.pinned)
        try:
            prepare_parameters(stored.template, spec.parameters)
        except ParameterError as error:
            raise problems.invalid_parameters(problems.field_problems(error.problems)) from None
        now_ms = self._clock.now_ms()
        if spec.timetable.next_after(now_ms, now_ms) is None:
            raise problems.invalid_field(
                "timetable", "no moment comes any more", "give a later one"
            )

    async def _state(self, schedule_id: str) -> ScheduleState:
        found = await self._ports.store.get(schedule_id)
        if found is None or not isinstance(found.state, ScheduleState):
            raise problems.not_found("schedule", schedule_id, "GET /api/v1/schedules lists them.")
        return found.state

    def _by(self, principal: Principal) -> dict[str, Any]:
        return {"request_id": self._ids.new("rq"), "by": principal.actor}

    async def _ask(self, schedule_id: str, request: AnyRequest) -> ScheduleView:
        now_ms = self._clock.now_ms()
        asked = await ask(self._ports, schedule_id, request, ScheduleState, now_ms)
        return self._view(asked.state).model_copy(update={"pending": asked.pending})

    def _view(self, state: ScheduleState) -> ScheduleView:
        return ScheduleView(
            id=state.id,
            edition=state.edition,
            status=state.status,
            reason=state.reason,
            definition=state.spec,
            upcoming=self._moments(state, UPCOMING),
            due_ms=state.due_ms,
            runs=state.runs,
            waiting=_written(state.waiting, state.spec.timetable),
            counts=state.counts,
            recent=state.recent[::-1],
            created_by=state.created_by.id,
            created_at_ms=state.created_at_ms,
            changed_by=state.changed_by.id,
            changed_at_ms=state.changed_at_ms,
        )

    def _moments(self, state: ScheduleState, count: int) -> tuple[Moment, ...]:
        """From the one that the timer is set for."""
        if state.status != "active" or state.next_ms is None:
            return ()
        found = state.spec.timetable.upcoming(state.next_ms - 1, state.anchor_ms, count)
        return _written(found, state.spec.timetable)


def _written(moments: tuple[int, ...], timetable: Timetable) -> tuple[Moment, ...]:
    return tuple(
        Moment(at_ms=moment, local=wall_text(moment, timetable.timezone)) for moment in moments
    )
