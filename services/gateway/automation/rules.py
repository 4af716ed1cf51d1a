"""Rules as callers use them: make, change, pause, resume, delete, try out."""

from __future__ import annotations

import json
from typing import Any

from services.gateway import problems
from services.gateway.automation.asking import ask
from services.gateway.automation.payloads import Delivered, events_of
from services.gateway.automation.receivers import ReceiverOperations
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.automation.matching import spec_problems
from shared.automation.messages import (
    AnyRequest,
    Deleted,
    Event,
    EventsReceived,
    Paused,
    Resumed,
    Saved,
)
from shared.automation.orders import Found, StartRun
from shared.automation.rule import rule_turn
from shared.automation.specs import OWN_EVENTS, RuleSpec
from shared.automation.states import Handled, RuleState
from shared.contracts.api.triggers import (
    RuleList,
    RuleTest,
    RuleTestResult,
    RuleView,
    Verdict,
)


class RuleOperations:
    """Raises 404, 409, 422 and 503."""

    def __init__(
        self, parts: Parts, templates: TemplateOperations, receivers: ReceiverOperations
    ) -> None:
        self._ports = parts.automations
        self._templates = templates
        self._receivers = receivers
        self._clock = parts.clock
        self._ids = parts.ids

    async def create(self, spec: RuleSpec, principal: Principal) -> RuleView:
        """Make a rule."""
        await self._check(spec)
        return await self._ask(self._ids.new("tr"), Saved(**self._by(principal), spec=spec))

    async def change(
        self, rule_id: str, spec: RuleSpec, if_edition: int | None, principal: Principal
    ) -> RuleView:
        """Write it anew, if it is still as the caller saw it."""
        await self._state(rule_id)
        await self._check(spec)
        request = Saved(**self._by(principal), spec=spec, if_edition=if_edition)
        return await self._ask(rule_id, request)

    async def pause(self, rule_id: str, reason: str, principal: Principal) -> RuleView:
        """Count events, and start nothing, until it is resumed."""
        await self._state(rule_id)
        return await self._ask(rule_id, Paused(**self._by(principal), reason=reason))

    async def resume(self, rule_id: str, principal: Principal) -> RuleView:
        """Go on with what comes from now on."""
        await self._state(rule_id)
        return await self._ask(rule_id, Resumed(**self._by(principal)))

    async def delete(self, rule_id: str, principal: Principal) -> None:
        """Never start anything again; what runs goes on."""
        await self._state(rule_id)
        await self._ask(rule_id, Deleted(**self._by(principal)))

    async def get(self, rule_id: str) -> RuleView:
        """One rule."""
        return _view(await self._state(rule_id))

    async def all(self) -> RuleList:
        """Every rule, oldest first."""
        states = [one.state for one in await self._ports.store.all("rule")]
        return RuleList(items=tuple(_view(s) for s in states if isinstance(s, RuleState)))

    async def test(self, rule_id: str | None, wanted: RuleTest) -> RuleTestResult:
        """What would become of an event now. Nothing is started or kept."""
        state = await self._state(rule_id) if rule_id is not None else None
        spec = wanted.definition or (state.spec if state is not None else None)
        if spec is None:
            raise problems.invalid_field("definition", "is missing", "send a rule, or name one")
        if wanted.definition is not None:
            await self._check(spec)
        before = state or RuleState(id="tr_test", spec=spec)
        before = before.model_copy(update={"spec": spec, "status": "active"})
        stored = await self._templates.find(spec.template_id, spec.pinned)
        found = Found(stored.template, stored.created_by)
        verdicts: list[Verdict] = []
        for event in await self._examples(spec, wanted):
            now_ms = self._clock.now_ms()
            message = EventsReceived(events=(event,))
            outcome = rule_turn(
                before.model_copy(update={"recent": ()}), "tr_test", message, now_ms, found
            )
            if not isinstance(outcome.state, RuleState):
                continue
            before = outcome.state
            starts = [order for order in outcome.orders if isinstance(order, StartRun)]
            verdicts.append(_verdict(event, before.recent, starts))
        return RuleTestResult(verdicts=tuple(verdicts))

    async def _examples(self, spec: RuleSpec, wanted: RuleTest) -> list[Event]:
        now_ms = self._clock.now_ms()
        if wanted.event is not None:
            example = wanted.event.model_dump()
            return [Event(id=self._ids.new("ev"), receiver=spec.receiver, at_ms=now_ms, **example)]
        if spec.receiver == OWN_EVENTS or wanted.payload is None:
            raise problems.invalid_field("event", "is missing", "send an event, or a payload")
        receiver = await self._receivers.known(spec.receiver)
        delivered = Delivered(
            headers={"content-type": "application/cloudevents+json"},
            body=json.dumps(wanted.payload).encode(),
            id=self._ids.new("ev"),
            at_ms=now_ms,
        )
        return events_of(receiver, delivered)

    async def _check(self, spec: RuleSpec) -> None:
        """What can be known now: that there are the receiver and the template, that the expressions
        mean something, and that parameters have names that the template knows."""
        if spec.receiver != OWN_EVENTS:
            await self._receivers.known(spec.receiver)
        template = (await self._templates.find(spec.template_id, spec.pinned)).template
        found = problems.field_problems(spec_problems(spec))
        if found:
            raise problems.invalid_fields("The rule has expressions that mean nothing", found)
        unknown = [name for name in spec.parameters if name not in template.parameters]
        if unknown:
            known = ", ".join(template.parameters) or "none"
            raise problems.invalid_field(
                f"parameters/{unknown[0]}", "is no parameter of the template", f"known: {known}"
            )
        missing = [
            name
            for name, parameter in template.parameters.items()
            if parameter.is_required and name not in spec.parameters
        ]
        if missing:
            raise problems.invalid_field(
                f"parameters/{missing[0]}", "is needed by the template", "give it, as CEL or plain"
            )

    async def _state(self, rule_id: str) -> RuleState:
        found = await self._ports.store.get(rule_id)
        if found is None or not isinstance(found.state, RuleState):
            raise problems.not_found("rule", rule_id, "GET /api/v1/triggers/rules lists them.")
        return found.state

    def _by(self, principal: Principal) -> dict[str, Any]:
        return {"request_id": self._ids.new("rq"), "by": principal.actor}

    async def _ask(self, rule_id: str, request: AnyRequest) -> RuleView:
        asked = await ask(self._ports, rule_id, request, RuleState, self._clock.now_ms())
        return _view(asked.state).model_copy(update={"pending": asked.pending})


def _view(state: RuleState) -> RuleView:
    return RuleView(
        id=state.id,
        edition=state.edition,
        status=state.status,
        reason=state.reason,
        definition=state.spec,
        runs=state.runs,
        waiting=len(state.pending),
        counts=state.counts,
        recent=state.recent[::-1],
        created_by=state.created_by.id,
        created_at_ms=state.created_at_ms,
        changed_by=state.changed_by.id,
        changed_at_ms=state.changed_at_ms,
    )


def _verdict(event: Event, recent: tuple[Handled, ...], starts: list[StartRun]) -> Verdict:
    shown = event.model_dump(mode="json", exclude={"chain"})
    last = recent[-1] if recent else None
    if last is None:
        return Verdict(event=shown, outcome="waiting", reason="it would wait for its debounce")
    if not starts:
        return Verdict(event=shown, outcome=last.outcome, reason=last.reason)
    request = starts[-1].request
    return Verdict(
        event=shown,
        outcome=last.outcome,
        template_id=request.template_id,
        template_version=request.template_version,
        parameters=request.parameters,
    )
