"""What is worth telling: decided from views, each once.

* *A failure warning*: a failure that several attempts had lately and that was not known before, or
  one that occurs several times as often as it did; and an agent on which much more fails than on
  others. Once a day for each.
* *A success pattern*: a template that has come to succeed nearly always, over many runs; a value of
  a parameter that several users have used and with which runs succeed more often. Once a month.
* *Tuning*: a proposal that is new, was taken back, or was kept.
* *A new workflow*: what was found in recorded commands is told by who found it.

Only what happened within `FRESH_MS` is told: a rebuild tells nothing old. Failures are told by
their patterns, values of parameters only once several users have used them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.outcomes.matching import what_helped
from shared.outcomes.views import (
    AgentView,
    InsightKind,
    InsightView,
    ProposalView,
    SignatureView,
    TemplateView,
)

DAY_MS: Final = 86_400_000
FRESH_MS: Final = DAY_MS
MONTH_MS: Final = 30 * DAY_MS
NEW_FAILURE: Final = 3
"""Attempts with a failure that was not known before."""
MORE_OFTEN: Final = 4
"""Times as many as on an ordinary day."""
SURGE: Final = 6
"""And at least so many."""
SUCCEEDS: Final = 0.9
"""At least so likely, to 97.5 %."""
ENOUGH_RUNS: Final = 30
BAD_AGENT: Final = 2.0
ENOUGH_ATTEMPTS: Final = 30
MOST_IN_AN_HOUR: Final = 12
HOUR_MS: Final = 3_600_000


def of_failure(one: SignatureView, now_ms: int) -> InsightView | None:
    """A warning about a failure; None where nothing is to be told."""
    if now_ms - one.last_ms > FRESH_MS:
        return None
    today = now_ms // DAY_MS
    by_day = {int(day.name): day.count for day in one.days}
    earlier = sum(count for day, count in by_day.items() if day < today)
    is_new = now_ms - one.first_ms <= DAY_MS and one.count >= NEW_FAILURE
    days = max(today - one.first_ms // DAY_MS, 1)
    usual = earlier / min(days, 30)
    count = by_day.get(today, 0)
    if not is_new and not (count >= SURGE and count >= MORE_OFTEN * max(usual, 0.25)):
        return None
    where = one.steps[0].name if one.steps else ""
    template, _, step = where.partition("/")
    helped = what_helped(one)
    often = "is new" if is_new else f"{count} times today, {usual:.1f} on other days"
    text = [
        f"{one.code}: {one.pattern}",
        f"{one.count} attempts in {one.runs} runs; {often}.",
        f"Most often in {where}." if where else "",
        f"Most often on {one.agents[0].name}." if one.agents else "",
        f"Before runs passed again: {'; '.join(helped[:3])}." if helped else "",
    ]
    return InsightView(
        id=f"failure.{one.id}.{today}",
        insight="failure_warning",
        title=f"{one.code}: {one.pattern}"[:200],
        text="\n".join(line for line in text if line),
        template_id=template,
        step=step,
        about=one.id,
        confidence=round(one.count / (one.count + 2), 3),
        cases=one.count,
        at_ms=now_ms,
    )


def of_agent(one: AgentView, now_ms: int) -> InsightView | None:
    """A warning about an agent."""
    enough = one.attempts >= ENOUGH_ATTEMPTS and one.factor >= BAD_AGENT
    if not enough or now_ms - one.at_ms > FRESH_MS:
        return None
    return InsightView(
        id=f"agent.{one.agent}.{now_ms // DAY_MS}",
        insight="failure_warning",
        title=f"{one.agent} has {one.factor:.1f} times the odds of failure of others",
        text=f"{one.failed} of {one.attempts} attempts on {one.agent} failed: the odds of that are "
        f"{one.factor:.1f} times those on other agents at the same steps.",
        agent=one.agent,
        about=one.agent,
        confidence=round(1 - 1 / one.factor, 3),
        cases=one.attempts,
        at_ms=now_ms,
    )


def of_template(one: TemplateView, now_ms: int) -> Iterator[InsightView]:
    """What succeeds."""
    if now_ms - one.at_ms > FRESH_MS:
        return
    month = now_ms // MONTH_MS
    if one.runs >= ENOUGH_RUNS and one.chance.low >= SUCCEEDS:
        yield InsightView(
            id=f"success.{one.template_id}.{month}",
            insight="success_pattern",
            title=f"{one.template_id} succeeds {one.chance.probability:.0%} of the time",
            text=f"{one.succeeded} of {one.runs} runs of {one.template_id} succeeded; the next one "
            f"does with {one.chance.probability:.1%} (at least {one.chance.low:.1%}).",
            template_id=one.template_id,
            about=one.template_id,
            confidence=one.chance.low,
            cases=one.runs,
            at_ms=now_ms,
        )
    for value in one.sure_values:
        if value.shared and value.chance.probability > one.chance.probability:
            said = f"{value.parameter} = {value.value}"
            yield InsightView(
                id=f"value.{one.template_id}.{value.parameter}.{month}",
                insight="success_pattern",
                title=f"{one.template_id} with {said} succeeds more often",
                text=f"{value.succeeded} of {value.runs} runs of {one.template_id} with {said} "
                f"succeeded; of all, {one.succeeded} of {one.runs}.",
                template_id=one.template_id,
                about=one.template_id,
                confidence=value.chance.low,
                cases=value.runs,
                at_ms=now_ms,
            )


def of_proposal(one: ProposalView, now_ms: int) -> InsightView | None:
    """Tuning that is new, or was decided by its runs."""
    change = f"{one.setting} of {one.template_id}/{one.step}: {one.current} → {one.proposed}"
    trial = one.experiment
    match one.status:
        case "open":
            title = f"Proposed: {change}"
            text = ". ".join([one.why, *one.evidence])
        case "kept" | "reverted" if trial is not None:
            title = f"{'Kept' if one.status == 'kept' else 'Taken back'}: {change}"
            text = f"{trial.succeeded} of {trial.runs} runs of version {trial.version} succeeded; "
            text += f"before, {trial.base_succeeded} of {trial.base_runs}."
        case _:
            return None
    return InsightView(
        id=f"tuning.{one.id}.{one.version}.{one.status}",
        insight="tuning",
        title=title,
        text=f"{title}\n{text}",
        template_id=one.template_id,
        step=one.step,
        about=one.id,
        confidence=round(one.cases / (one.cases + 10), 3),
        cases=one.cases,
        at_ms=now_ms,
    )


def of_workflow(
    proposal_id: str, title: str, text: str, *, confidence: float, cases: int, now_ms: int
) -> InsightView:
    """A workflow that was found in recorded commands; `title` and `text` name nothing that is one
    user's alone."""
    kind: InsightKind = "new_workflow"
    return InsightView(
        id=f"workflow.{proposal_id}",
        insight=kind,
        title=title[:200],
        text=text,
        about=proposal_id,
        confidence=confidence,
        cases=cases,
        at_ms=now_ms,
    )
