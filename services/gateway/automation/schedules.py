"""Schedules as callers use them, beside what they may ask of any automation: look ahead."""

from __future__ import annotations

from typing import Final

from services.gateway import problems
from services.gateway.automation.requesting import AutomationOperations, Kind
from services.gateway.operations.templates import TemplateOperations
from services.gateway.operations.validating import Validating
from services.gateway.parts import Parts
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
from shared.workflow.errors import ParameterError
from shared.workflow.parameters import prepare_parameters

UPCOMING: Final = 5


class ScheduleOperations(AutomationOperations[ScheduleState, ScheduleSpec, ScheduleView]):
    """Raises 404, 409, 422 and 503."""

    def __init__(self, parts: Parts, templates: TemplateOperations, validating: Validating) -> None:
        kind = Kind("sc", "schedule", "/api/v1/schedules", ScheduleState)
        super().__init__(kind, parts, templates)
        self._validating = validating

    async def all(self) -> ScheduleList:
        """Every schedule, oldest first."""
        return ScheduleList(items=await self.views())

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
            parameters = prepare_parameters(stored.template, spec.parameters)
        except ParameterError as error:
            raise problems.invalid_parameters(problems.field_problems(error.problems)) from None
        await self._validating.before_automation(stored, parameters)
        now_ms = self._clock.now_ms()
        if spec.timetable.next_after(now_ms, now_ms) is None:
            raise problems.invalid_field(
                "timetable", "no moment comes any more", "give a later one"
            )

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
