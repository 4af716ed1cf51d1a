"""Predictions, known failures and proposals as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from services.cli.advice import hv
from services.cli.rendering import duration, moment

if TYPE_CHECKING:
    from shared.contracts.api.outcomes import Matched
    from shared.outcomes.predicting import Prediction
    from shared.outcomes.views import Named, ProposalView, SignatureView

MOST = 5
_MEASURES = {"failure_rate": "failures", "seconds": "seconds when it goes wrong"}


def prediction_text(found: Prediction) -> Iterator[Text]:
    """What to expect of a run, line by line."""
    counted = f"{found.succeeded} of {found.runs} runs succeeded" if found.runs else found.standing
    yield Text.assemble((found.template_id, "bold"), f"  {counted}")
    chance = found.chance
    yield _line("succeeds", f"{chance.probability:.1%} ({chance.low:.1%} to {chance.high:.1%})")
    if found.typical_s is not None and found.slow_s is not None:
        half, most = duration(found.typical_s * 1000), duration(found.slow_s * 1000)
        yield _line("takes", f"50 %: {half}, 90 %: {most} (of {found.duration_runs} runs)")
    for index, reason in enumerate(found.because):
        yield _line("because" if not index else "", reason)
    steps = sorted(found.steps, key=lambda step: step.chance.probability)
    for index, step in enumerate(steps[:MOST]):
        said = f"{step.step} {step.chance.probability:.1%} of {step.attempts} attempts"
        yield _line("by step" if not index else "", said)


def failure_text(one: SignatureView) -> Iterator[Text]:
    """A known failure, line by line."""
    from shared.outcomes.matching import what_helped

    yield Text.assemble((one.id, "bold"), f"  {one.code}: {one.pattern}")
    yield _line("example", one.example)
    yield _line("occurred", f"{one.count} times in {one.runs} runs, last {moment(one.last_ms)}")
    for name, some in (("steps", one.steps), ("agents", one.agents), ("values", one.values)):
        if some:
            yield _line(name, _names(some))
    yield _line("hours (UTC)", _hours(one.hours_utc))
    helped = what_helped(one)
    for index, said in enumerate(helped[:MOST]):
        yield _line("helped" if not index else "", said, "green")
    if not helped:
        yield _line("helped", "nothing that is known", "dim")
    if one.latest:
        yield _line("look at", f"{hv('why')} {one.latest[0]}")


def matched_text(found: Matched) -> Iterator[Text]:
    """What a message is an example of."""
    if found.known is None:
        yield Text("Nothing like this is known.")
        yield _line("looked for", found.masked)
        return
    yield Text(f"{found.known.similarity:.0%} of the words are those of:", style="dim")
    yield from failure_text(found.known.signature)


def proposal_text(one: ProposalView) -> Iterator[Text]:
    """A proposal, line by line."""
    yield Text.assemble((one.id, "bold"), f"  {one.status}")
    yield _line("change", f"{one.setting}: {one.current} → {one.proposed}")
    yield _line("because", one.why)
    gain = one.gain
    form = ".1%" if gain.measure == "failure_rate" else "g"
    expected = f"{gain.before:{form}} → {gain.after:{form}}"
    yield _line("gain", f"{_MEASURES[gain.measure]}: {expected}, from {one.cases} attempts")
    for said in one.evidence:
        yield _line("", said)
    trial = one.experiment
    if trial is not None:
        stands = f"version {trial.version}: {trial.succeeded} of {trial.runs} runs succeeded"
        base = f"{trial.base_version}: {trial.base_succeeded} of {trial.base_runs}"
        yield _line("trial", f"{stands}; before, {base}; {trial.verdict}")
    if trial is not None and trial.reverted_by:
        yield _line("", f"taken back by version {trial.reverted_by}", "yellow")
    if one.status == "open":
        yield _line("apply it", f"{hv('tuning apply')} {one.id}")


def _names(some: tuple[Named, ...]) -> str:
    return ", ".join(f"{one.name} ({one.count})" for one in some[:MOST])


def _hours(counts: tuple[int, ...]) -> str:
    """The hours in which most occurred."""
    busy = sorted((h for h in range(len(counts)) if counts[h]), key=lambda h: (-counts[h], h))
    return ", ".join(f"{hour:02}h ({counts[hour]})" for hour in busy[:MOST])


def _line(name: str, words: str, style: str = "") -> Text:
    return Text.assemble((f"  {name:<12} ", "dim"), (words, style))
