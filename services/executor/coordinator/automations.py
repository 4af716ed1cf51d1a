"""Schedules as a coordinator moves them: the same journal, the same batches, the same law.

Their states are few and small, so each is one document, written before the journal is acknowledged.
A state knows the sequence it has applied; executions and timers carry ids that follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from services.executor.coordinator.actors_in_hand import ActorsInHand
from shared.automation.messages import (
    AUTOMATION_MESSAGE,
    AutomationMessage,
    Saved,
    TimerTaken,
)
from shared.automation.orders import (
    CancelRun,
    ClearTimers,
    Found,
    Order,
    SetTimer,
    StartRun,
    TakeTimer,
)
from shared.automation.specs import Runs
from shared.automation.turns import AnyState, is_automation, turn
from shared.contracts.automations import StoredAutomation
from shared.ports.automations import AutomationStore
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry, TimerOrder
from shared.ports.templates import TemplateStore
from shared.runtime.meters import CoordinatorMeter
from shared.workflow.messages import Actor, CancelRequested, TimerFired

log = structlog.get_logger()

Wanted = tuple[str, str | None]


class Automations(ActorsInHand[StoredAutomation]):
    """Applies entries about automations. All are kept in hand: they are few."""

    def __init__(
        self,
        store: AutomationStore,
        templates: TemplateStore,
        effects: Effects,
        meter: CoordinatorMeter,
    ) -> None:
        super().__init__(StoredAutomation, store)
        self._templates = templates
        self._effects = effects
        self._meter = meter
        self._found: dict[Wanted, Found | None] = {}

    def owns(self, identifier: str) -> bool:
        """True for the id of an automation."""
        return is_automation(identifier)

    async def prepare(
        self, entries: Sequence[RawEntry], *, is_of_now: Callable[[int], bool]
    ) -> None:
        """Bring the states and the templates of a batch into hand; raises what stores raise.

        Templates are looked up for every batch: the newest release may be another one by now.
        """
        await super().prepare(entries, is_of_now=is_of_now)
        ids = {raw.execution_id for raw in entries}
        wanted = {_wanted(state.spec) for one in ids if (state := self._state(one)) is not None}
        wanted |= {_wanted(m.spec) for raw in entries if isinstance(m := _read(raw), Saved)}
        self._found = {one: await self._find(*one) for one in wanted}

    def _turn(self, before: AnyState | None, raw: RawEntry) -> AnyState | None:
        message = AUTOMATION_MESSAGE.validate_json(raw.payload)
        spec = message.spec if isinstance(message, Saved) else before.spec if before else None
        found = self._found.get(_wanted(spec)) if spec is not None else None
        outcome = turn(before, raw.execution_id, message, raw.at_ms, found)
        for order in outcome.orders:
            self._carry_out(raw.execution_id, order, again=raw.redelivered)
        for what, more in outcome.counts:
            self._meter.automated(raw.execution_id[:2], what, more)
        return outcome.state

    async def _find(self, template_id: str, version: str | None) -> Found | None:
        stored = await self._templates.find(template_id, version)
        return None if stored is None else Found(stored.template, stored.created_by)

    def _carry_out(self, automation_id: str, order: Order, *, again: bool) -> None:
        match order:
            case StartRun(execution_id, request):
                self._effects.append(execution_id, request, f"req.{execution_id}")
            case CancelRun(execution_id, reason):
                cancel = CancelRequested(by=Actor(kind="schedule", id=automation_id), reason=reason)
                self._effects.append(execution_id, cancel, f"o.{automation_id}.{execution_id}")
            case SetTimer(name, due_ms, generation):
                fired = TimerFired(timer=name, generation=generation)
                payload = fired.model_dump_json().encode()
                self._effects.timer(TimerOrder(automation_id, name, due_ms, payload))
            case TakeTimer(name, generation):
                taken = TimerTaken(timer=name, generation=generation)
                message_id = f"taken.{automation_id}.{name}.{generation}"
                self._effects.append(automation_id, taken, message_id)
            case ClearTimers() if (
                not again
            ):  # a later turn may have set one: a stale one is harmless
                self._effects.forget(automation_id, timers=True, tasks=False)


def _wanted(spec: Runs) -> Wanted:
    return spec.template_id, spec.pinned


def _read(raw: RawEntry) -> AutomationMessage | None:
    """The message, if it can be read; what cannot is quarantined when its turn comes."""
    if not is_automation(raw.execution_id):
        return None
    try:
        return AUTOMATION_MESSAGE.validate_json(raw.payload)
    except ValueError:
        return None
