"""Why something is suggested, from the models' own evidence, in words and in data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.contracts.suggestions import PastRun, Reason
from shared.learning.next_command import Reason as ContextReason
from shared.suggest.experience import PastRunOf
from shared.suggest.reasons import Reasons
from shared.suggest.started import Started
from shared.workflow.definition import Template

MOST_CUES: Final = 3
LEAST_LIKENESS: Final = 0.5
"""From which on a text that is alike is told."""


def of_text(reasons: Reasons | None, similar: Sequence[tuple[PastRunOf, float]]) -> list[Reason]:
    """Why a text asks for a template: its signs and words, texts that are alike, runs that were
    about the same. Texts of people are counted and never quoted."""
    found: list[Reason] = []
    if reasons is not None:
        for cue in reasons.cues[:MOST_CUES]:
            signs = ", ".join(f"“{sign}”" for sign in cue.signs[:3])
            says = f"it {cue.says}: {signs}" if signs else f"it {cue.says}"
            found.append(
                Reason(kind="cue", says=says, weight=round(cue.odds, 3), words=cue.signs[:10])
            )
        if reasons.words:
            words = tuple(one.word for one in reasons.words)
            keywords = [one.word for one in reasons.words if one.is_keyword]
            what = "keywords of the template" if keywords else "words that speak for it"
            says = f"{what}: {', '.join(keywords or words)}"
            odds = round(sum(max(0.0, one.odds) for one in reasons.words), 3)
            found.append(Reason(kind="words", says=says, weight=odds, words=words))
        found += _of_similar_texts(reasons)
    if similar:
        runs = tuple(
            PastRun(execution_id=r.id, status=r.status, at_ms=r.at_ms, likeness=round(like, 3))
            for r, like in similar
        )
        count = f"{len(runs)} earlier run{'s were' if len(runs) > 1 else ' was'} about the same"
        found.append(
            Reason(kind="similar_run", says=count, weight=runs[0].likeness or 0, executions=runs)
        )
    return found


def _of_similar_texts(reasons: Reasons) -> list[Reason]:
    near = [one for one in reasons.similar if one.likeness >= LEAST_LIKENESS]
    quoted = next((one for one in near if one.text is not None), None)
    found = []
    if quoted is not None and quoted.text is not None:
        says = f"like “{quoted.text[:100]}” ({quoted.likeness:.2f})"
        found.append(Reason(kind="similar_text", says=says, weight=round(quoted.likeness, 3)))
    learned = [one for one in near if one.text is None]
    if learned:
        runs = tuple(
            PastRun(execution_id=one.execution, status="", at_ms=0, likeness=round(one.likeness, 3))
            for one in learned
            if one.execution
        )
        texts = "a text" if len(learned) == 1 else f"{len(learned)} texts"
        says = f"like {texts} for which people here chose it ({learned[0].likeness:.2f})"
        weight = round(learned[0].likeness, 3)
        found.append(Reason(kind="similar_text", says=says, weight=weight, executions=runs))
    return found


def of_started(template: Template, started: Started) -> Reason:
    """The steps that commands stood for."""
    done = len(started.done)
    word = "command stands" if done == 1 else "commands stand"
    says = (
        f"your last {word} for step {', '.join(started.done)} of {template.id}"
        if done == 1
        else (f"your commands stand for {done} steps of {template.id}: {', '.join(started.done)}")
    )
    return Reason(kind="steps", says=says, weight=round(started.likely, 3), words=started.done)


def of_command(reason: ContextReason) -> Reason:
    """The context that a command followed."""
    who = "you" if reason.whose == "you" else "others"
    says = f"{reason.context}: {min(1.0, reason.share):.0%} of what {who} ran"
    return Reason(
        kind="sequence",
        says=says,
        weight=round(min(1.0, reason.share), 4),
        context=reason.context,
        whose=reason.whose,
    )
