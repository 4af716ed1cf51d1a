"""Views made from the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shared.outcomes.agents import factor_of
from shared.outcomes.beta import Belief
from shared.outcomes.durations import DurationSketch
from shared.outcomes.failures import FailureModel, Outcomes, Signature
from shared.outcomes.lasting import seconds_at
from shared.outcomes.leaning import Leaned
from shared.outcomes.resolving import Change
from shared.outcomes.success import COUNTED, AttemptCounts
from shared.outcomes.tally import faded
from shared.outcomes.tuning import Evidence, Proposal
from shared.outcomes.views import (
    LEVELS,
    AgentView,
    CategoryView,
    Chance,
    CommandView,
    Counted,
    Durations,
    GainView,
    Leaning,
    Named,
    OnAgent,
    ProposalView,
    ResolutionView,
    SignatureView,
    StepView,
    TemplateView,
    Tried,
    ValueView,
)

MAX_AGENTS: Final = 50
"""Agents that are told of one step, those with the most attempts."""
MAX_STEPS: Final = 300
MAX_VALUES: Final = 40
"""Values of parameters that are told of one template, those likeliest to matter."""


def template_view(template_id: str, evidence: Evidence) -> TemplateView | None:
    """What is believed of a template; None of one that was never run."""
    counts = evidence.success.templates.get(template_id)
    if counts is None:
        return None
    leaned = evidence.beliefs.template(template_id)
    steps = evidence.beliefs.steps_of.get(template_id, ())
    return TemplateView(
        template_id=template_id,
        category=counts.category,
        version=counts.version,
        runs=counts.tally.runs,
        succeeded=counts.tally.succeeded,
        at_ms=counts.tally.at_ms,
        chance=chance(evidence.beliefs.lately(template_id)),
        leaning=leaning(leaned),
        durations_s=durations(evidence.durations.of("run", template_id)),
        steps=tuple(_step(template_id, step, evidence) for step in steps[:MAX_STEPS]),
        values=tuple(_values(template_id, evidence)),
    )


def category_view(category: str, evidence: Evidence) -> CategoryView:
    """What is believed of a template of this category that was never run."""
    leaned = evidence.beliefs.template("", category)
    above = tuple(one for one in leaning(leaned) if one.level != "template")
    return CategoryView(category=category, chance=chance(leaned.belief), leaning=above)


def command_view(command: str, evidence: Evidence) -> CommandView:
    """What is believed of a new step with this command."""
    leaned = evidence.beliefs.command(command)
    total = dict.fromkeys(COUNTED, 0.0)
    for counts in evidence.success.steps.values():
        if counts.command == command:
            for name, value in _faded(counts, evidence.now_ms).items():
                total[name] += value
    return CommandView(
        command=command,
        chance=chance(leaned.belief),
        leaning=leaning(leaned),
        tried=Tried(**total),
        durations_s=durations(evidence.durations.of("command", command)),
    )


def agent_view(agent: str, evidence: Evidence) -> AgentView | None:
    """How an agent compares with others; None of one that did nothing."""
    counts = evidence.success.agents.get(agent)
    if counts is None:
        return None
    factor = factor_of(counts)
    return AgentView(
        agent=agent,
        attempts=counts.attempts,
        failed=counts.failed,
        factor=round(factor.odds, 4),
        deviation=round(factor.deviation, 4),
        at_ms=counts.at_ms,
    )


def signature_view(signature: Signature, model: FailureModel) -> SignatureView:
    """A failure as it is known."""
    tokens = model.drain.patterns[signature.number]
    return SignatureView(
        id=signature.id,
        code=tokens[0],
        pattern=model.pattern(signature),
        example=signature.example,
        tokens=tokens,
        count=signature.count,
        runs=signature.runs,
        first_ms=signature.first_ms,
        last_ms=signature.last_ms,
        weight=round(signature.weight, 3),
        commands=_named(signature.commands),
        steps=_named(signature.steps),
        agents=_named(signature.agents),
        values=_named({n: c for n, c in signature.values.items() if not signature.only_by[n]}),
        hours_utc=tuple(signature.hours),
        days=tuple(Named(name=str(d), count=n) for d, n in sorted(signature.days.items())),
        latest=tuple(reversed(signature.latest)),
        users=len(signature.users),
        resolutions=tuple(_resolution(c, o) for c, o in signature.helpful()),
    )


def proposal_view(proposal: Proposal, now_ms: int) -> ProposalView:
    """A proposal, open."""
    gain = proposal.gain
    return ProposalView(
        id=proposal.id,
        template_id=proposal.template_id,
        version=proposal.version,
        step=proposal.step,
        setting=proposal.setting,
        current=proposal.current,
        proposed=proposal.proposed,
        gain=GainView(
            measure=gain.measure,
            before=round(gain.before, 4),
            after=round(gain.after, 4),
            low=round(gain.low, 4),
            high=round(gain.high, 4),
        ),
        cases=proposal.cases,
        why=proposal.why,
        evidence=proposal.evidence,
        safe=proposal.safe,
        base_runs=proposal.base.runs,
        base_succeeded=proposal.base.succeeded,
        at_ms=now_ms,
    )


def chance(of: Belief) -> Chance:
    """A belief as it is told."""
    low, high = of.interval
    return Chance(
        probability=round(of.mean, 4),
        low=min(round(low, 4), round(of.mean, 4)),
        high=max(round(high, 4), round(of.mean, 4)),
        alpha=of.alpha,
        beta=of.beta,
    )


def leaning(leaned: Leaned) -> tuple[Leaning, ...]:
    """What a belief comes from, the nearest level first."""
    return tuple(
        Leaning(
            level=one.level,
            name=one.name,
            runs=one.runs,
            succeeded=one.succeeded,
            share=round(one.share, 4),
        )
        for one in leaned.levels
    )


def durations(sketch: DurationSketch) -> Durations:
    """Durations as they are told."""
    return Durations(count=sketch.count, at=seconds_at(sketch, LEVELS))


def _step(template_id: str, step: str, evidence: Evidence) -> StepView:
    counts = evidence.success.steps[template_id, step]
    leaned = evidence.beliefs.step(template_id, step)
    return StepView(
        step=step,
        command=counts.command,
        attempts=counts.attempts,
        chance=chance(leaned.belief),
        leaning=leaning(leaned),
        tried=Tried(**_faded(counts, evidence.now_ms)),
        durations_s=durations(evidence.durations.of("step", template_id, step)),
        agents=tuple(_on_agents(template_id, step, evidence)),
    )


def _on_agents(template_id: str, step: str, evidence: Evidence) -> Iterator[OnAgent]:
    on_agents = evidence.success.on_agents
    agents = evidence.beliefs.agents_of.get((template_id, step), ())
    found = {agent: on_agents[template_id, step, agent] for agent in agents}
    for agent in sorted(found, key=lambda one: (-found[one].runs, one))[:MAX_AGENTS]:
        yield OnAgent(
            agent=agent,
            attempts=found[agent].runs,
            succeeded=found[agent].succeeded,
            chance=chance(evidence.beliefs.on_agent(template_id, step, agent)),
            durations_s=durations(evidence.durations.of("on", template_id, step, agent)),
        )


def _values(template_id: str, evidence: Evidence) -> Iterator[ValueView]:
    for one in evidence.beliefs.values(template_id)[:MAX_VALUES]:
        effect = one.effect
        yield ValueView(
            parameter=effect.parameter,
            value=effect.value,
            runs=one.runs,
            succeeded=one.succeeded,
            chance=chance(effect.own),
            others=Counted(alpha=effect.others.alpha, beta=effect.others.beta),
            odd=round(effect.odd, 6),
            each=round(effect.each, 6),
            shared=one.shared,
        )


def _faded(counts: AttemptCounts, now_ms: int) -> dict[str, float]:
    left = faded(now_ms - counts.at_ms)
    return {name: round(value * left, 4) for name, value in counts.counts.items()}


def _named(counts: Mapping[str, float]) -> tuple[Named, ...]:
    order = sorted(counts, key=lambda name: (-counts[name], name))
    return tuple(Named(name=name, count=round(counts[name])) for name in order)


def _resolution(change: Change, outcomes: Outcomes) -> ResolutionView:
    return ResolutionView(
        what_kind=change.kind,
        what=change.what,
        value=change.value if len(outcomes.users) > 1 else "",
        tried=outcomes.tried,
        helped=outcomes.helped,
        chance=round(outcomes.chance.mean, 4),
        execution=outcomes.run,
        at_ms=outcomes.at_ms,
    )
