"""What to expect of a run, from views: with these parameters, on this agent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import Field

from shared.outcomes.believing import moved
from shared.outcomes.beta import Belief, belief
from shared.outcomes.mattering import as_all_say
from shared.outcomes.viewing import chance
from shared.outcomes.views import (
    LEVELS,
    AgentView,
    CategoryView,
    Chance,
    Counted,
    Durations,
    Leaning,
    Part,
    Share,
    StepView,
    TemplateView,
    ValueView,
)

NO_RUNS: Final = "no runs yet"


class Prediction(Part):
    """What is expected of a run. `success_rate` is what was counted, None without any run: then
    `standing` says `no runs yet`, and the chance is that of what the template leans on."""

    template_id: str
    standing: Literal["learned", "no runs yet"]
    runs: int
    succeeded: int
    success_rate: Share | None
    chance: Chance
    leaning: tuple[Leaning, ...]
    typical_s: float | None = Field(None, description="Half of the runs take at most so long.")
    slow_s: float | None = Field(None, description="Nine of ten take at most so long.")
    duration_runs: int = 0
    because: tuple[str, ...] = ()
    value: ValueView | None = Field(
        None, description="The value of a parameter that this run has and that matters most."
    )
    agent: AgentView | None = None
    steps: tuple[StepView, ...] = ()


def predict(
    template_id: str,
    known: TemplateView | None,
    category: CategoryView,
    parameters: Mapping[str, Any] | None = None,
    agent: AgentView | None = None,
) -> Prediction:
    """What to expect; `category` is what a template leans on that was never run."""
    source = known if known is not None else category
    found, value = source.chance, None
    if known is not None:
        found, value = chance_of(known, parameters or {})
    if agent is not None:
        found = on_agent(found, agent)
    runs = known.runs if known is not None else 0
    lasts = known.durations_s if known is not None else Durations()
    return Prediction(
        template_id=template_id,
        standing="learned" if runs else NO_RUNS,
        runs=runs,
        succeeded=known.succeeded if known is not None else 0,
        success_rate=round(known.succeeded / runs, 4) if known is not None and runs else None,
        chance=found,
        leaning=source.leaning,
        typical_s=at_level(lasts, 0.5),
        slow_s=at_level(lasts, 0.9),
        duration_runs=lasts.count,
        because=tuple(_because(source.leaning, value, agent)),
        value=value,
        agent=agent,
        steps=known.steps if known is not None else (),
    )


def chance_of(
    known: TemplateView, parameters: Mapping[str, Any]
) -> tuple[Chance, ValueView | None]:
    """The chance of a run with these parameters, and the value among them that makes it differ
    most likely."""
    given = {name: json.dumps(value) for name, value in parameters.items()}
    said = as_all_say(_belief(known.chance), _accounts(known.values, given))
    mine = (one for one in known.sure_values if given.get(one.parameter) == one.value)
    return chance(said), max(mine, key=lambda one: one.matters, default=None)


def on_agent(of: Chance, agent: AgentView) -> Chance:
    """A chance on an agent: the odds of failure are its factor times as high. How little is known
    of the factor adds to how unsure it is (by the delta method, on the log-odds)."""
    mean = moved(of.probability, agent.factor)
    before, after = of.probability * (1 - of.probability), mean * (1 - mean)
    moves = after / max(before, 1e-9)
    variance = before / (of.alpha + of.beta + 1) * moves**2 + (after * agent.deviation) ** 2
    return chance(belief(mean, max(after / max(variance, 1e-12) - 1, 0.5)))


def at_level(lasts: Durations, level: float) -> float | None:
    """The duration at one of the `LEVELS`; None where nothing was seen."""
    return lasts.at[LEVELS.index(level)] if lasts.at else None


def _accounts(
    values: Iterable[ValueView], given: Mapping[str, str]
) -> Iterator[tuple[float, Belief]]:
    """What the values say of a run with those that are given, and how likely that holds."""
    for one in values:
        text = given.get(one.parameter)
        if text == one.value:
            yield one.matters, _belief(one.chance)
        elif text is not None:
            yield one.odd, _belief(one.others)


def _belief(of: Chance | Counted) -> Belief:
    return Belief(of.alpha, of.beta)


def _because(
    levels: tuple[Leaning, ...], value: ValueView | None, agent: AgentView | None
) -> Iterator[str]:
    for one in levels:
        if one.share >= 0.01:
            yield _told(one)
    if value is not None:
        yield (
            f"with {value.parameter} = {value.value}: {value.succeeded} of {value.runs} runs "
            "succeeded, which is unlike the others"
        )
    if agent is not None:
        yield (
            f"{agent.agent} has {agent.factor:.2g} times the odds of failure of other agents at "
            f"the same steps ({agent.failed} of {agent.attempts} attempts failed)"
        )


def _told(one: Leaning) -> str:
    what = {
        "template": "this template",
        "category": f"other templates of the category {one.name or 'custom'}",
        "all": "templates of other categories",
        "assumed": "what is assumed before anything was run",
    }.get(one.level, one.level)
    counted = f"{one.succeeded} of {one.runs} runs succeeded" if one.runs else NO_RUNS
    said = what if one.level == "assumed" else f"{what}: {counted}"
    return f"{one.share:.0%} from {said}"
