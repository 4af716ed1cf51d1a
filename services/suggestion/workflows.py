"""A workflow as it is suggested: its values, what became of it before, what a run would need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.suggestion.library import Library
from services.suggestion.models import Models
from services.suggestion.ports import Named
from shared.contracts.suggestions import (
    Needs,
    NextStep,
    Outlook,
    Prefilled,
    Progress,
    WorkflowPart,
)
from shared.outcomes.believing import Beliefs
from shared.ports.clock import Clock
from shared.suggest.prefill import Known, Value, missing, prefill
from shared.suggest.started import Started
from shared.workflow.approval_rule import Approval
from shared.workflow.definition import Step, Template

OUTLOOK_MS: Final = 60_000
"""For how long what is believed of earlier runs is kept where no new run ends."""


class Workflows:
    """Makes the parts of suggestions; everything that it reads is in memory."""

    def __init__(self, library: Library, models: Models, clock: Clock) -> None:
        self._library, self._models, self._clock = library, models, clock
        self._outlooks: dict[str, tuple[int, Outlook]] = {}
        self._beliefs: Beliefs | None = None
        self._believed_ms = 0

    def part(self, template: Template, known: Known, started: Started | None) -> WorkflowPart:
        """All of it."""
        values = prefill(template, known)
        return WorkflowPart(
            template_id=template.id,
            version=template.version,
            name=template.name,
            category=template.category,
            parameters=tuple(_prefilled(one) for one in values),
            outlook=self.outlook(template),
            needs=needs(template, values, self._library.agents),
            progress=self._progress(template, started) if started is not None else None,
        )

    def outlook(self, template: Template) -> Outlook:
        """What became of earlier runs, computed from executions."""
        now_ms = self._clock.now_ms()
        counts = self._models.success.templates.get(template.id)
        if counts is None or not counts.tally.runs:
            return Outlook()
        kept = self._outlooks.get(template.id)
        if kept is not None and kept[0] == counts.tally.runs:
            return kept[1]
        if self._beliefs is None or kept is not None or now_ms - self._believed_ms > OUTLOOK_MS:
            self._beliefs, self._believed_ms = Beliefs(self._models.success, now_ms), now_ms
            self._outlooks.clear()
        found = self._computed(self._beliefs, template.id)
        self._outlooks[template.id] = (counts.tally.runs, found)
        return found

    def _computed(self, beliefs: Beliefs, template_id: str) -> Outlook:
        counts = self._models.success.templates[template_id]
        belief = beliefs.lately(template_id)
        low, high = belief.interval
        lasted = self._models.durations.of("run", template_id)
        p50, p90 = lasted.quantile(0.5), lasted.quantile(0.9)
        runs, completed = counts.tally.runs, counts.tally.succeeded
        return Outlook(
            runs=runs,
            completed=completed,
            success=round(belief.mean, 4),
            low=round(low, 4),
            high=round(high, 4),
            duration_p50_ms=None if p50 is None else round(p50),
            duration_p90_ms=None if p90 is None else round(p90),
            says=f"{completed} of {runs} run{'s' if runs != 1 else ''} completed",
        )

    def _progress(self, template: Template, started: Started) -> Progress:
        steps = {step.id: step for step in template.steps}
        line = self._library.steps.line_of
        rest = tuple(
            NextStep(
                step=name,
                name=steps[name].name,
                command=steps[name].command,
                line=line(template.id, name, started.values),
            )
            for name in started.rest
        )
        return Progress(done=started.done, of=len(template.steps), rest=rest)


def needs(template: Template, values: Iterable[Value], agents: Named | None) -> Needs:
    """What a run needs before it can go through."""
    wanted = {one for step in template.every_step for one in step.required_capabilities}
    there = {one for agent in (agents or {}).values() for one in agent.capabilities}
    named = {step.target.host for step in template.every_step if _is_plain(step.target.host)}
    return Needs(
        approvals=tuple(_approvals(template)),
        capabilities_missing=tuple(sorted(wanted - there)) if agents is not None else (),
        agents=tuple(sorted(one for one in named if one and one not in agents))
        if agents is not None
        else (),
        live_agents=None if agents is None else len(agents),
        values=missing(template, values),
    )


def _is_plain(host: str | None) -> bool:
    return bool(host) and "${{" not in (host or "")


def _approvals(template: Template) -> Iterable[str]:
    policies = template.policies
    if policies.asks_first:
        yield f"before it starts: {_who(policies.approval)}"
    for step in template.every_step:
        if step.asks is not None:
            yield f"{_called(step)}: {_who(step.asks)}"


def _called(step: Step) -> str:
    return step.name or step.id


def _who(rule: Approval | None) -> str:
    if rule is None or rule.approvers.anybody:
        count = rule.quorum if rule is not None else 1
        return "anybody who may approve" if count == 1 else f"{count} people who may approve"
    named = (*rule.approvers.roles, *rule.approvers.groups, *rule.approvers.users)
    return f"{rule.quorum} of {', '.join(named)}"


def _prefilled(one: Value) -> Prefilled:
    return Prefilled(
        name=one.name,
        value=one.value,
        source=one.source,
        confidence=one.confidence,
        says=one.says,
    )
