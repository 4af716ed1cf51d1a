"""Rules as callers use them, beside what they may ask of any automation: try out."""

from __future__ import annotations

import json

from services.gateway import problems
from services.gateway.automation.payloads import Delivered, events_of
from services.gateway.automation.receivers import ReceiverOperations
from services.gateway.automation.requesting import AutomationOperations, Kind
from services.gateway.operations.templates import TemplateOperations
from services.gateway.operations.validating import Validating
from services.gateway.parts import Parts
from shared.automation.matching import spec_problems
from shared.automation.messages import Event, EventsReceived
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


class RuleOperations(AutomationOperations[RuleState, RuleSpec, RuleView]):
    """Raises 404, 409, 422 and 503."""

    def __init__(
        self,
        parts: Parts,
        templates: TemplateOperations,
        validating: Validating,
        receivers: ReceiverOperations,
    ) -> None:
        kind = Kind("tr", "rule", "/api/v1/triggers/rules", RuleState)
        super().__init__(kind, parts, templates)
        self._receivers = receivers
        self._validating = validating

    async def all(self) -> RuleList:
        """Every rule, oldest first."""
        return RuleList(items=await self.views())

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
        stored = await self._templates.find(spec.template_id, spec.pinned)
        template = stored.template
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
        await self._validating.before_rule(stored)

    def _view(self, state: RuleState) -> RuleView:
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
