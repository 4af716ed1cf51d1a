"""A trace replayed: each command is predicted, then learned."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Any

import numpy as np

from shared.learning.command_text import MAX_LINE, name_of
from shared.learning.history import Recorded
from shared.learning.next_command import NextCommandModel
from shared.learning.scores import Outcome

CONSIDERED = 20
"""Suggestions among which what came is looked for.

The mean reciprocal rank needs more than five.
"""


@dataclass
class Replay:
    """What came of a replay; times in seconds."""

    outcomes: list[Outcome] = field(default_factory=list)
    predicting: list[float] = field(default_factory=list)
    learning: list[float] = field(default_factory=list)


def replay(
    model: NextCommandModel, commands: Iterable[Recorded], clock: Callable[[], float]
) -> Replay:
    """Predict and learn all `commands` in their order; `clock` gives seconds."""
    done = Replay()
    for recorded in commands:
        wanted = recorded.command[:MAX_LINE]
        if model.granularity == "name":
            wanted = name_of(wanted)
        begun = clock()
        suggestions = model.predict(recorded.situation, CONSIDERED)
        asked = clock()
        texts = [each.text for each in suggestions]
        place = texts.index(wanted) + 1 if wanted in texts else 0
        confidence = suggestions[0].confidence if suggestions else 0.0
        done.outcomes.append(Outcome(place, confidence))
        learning = clock()
        model.learn(recorded)
        done.learning.append(clock() - learning)
        done.predicting.append(asked - begun)
    return done


def bytes_of(thing: object) -> int:
    """The memory that a model takes.

    All that it refers to included (classes and modules are not).
    """
    seen: set[int] = set()
    total, waiting = 0, [thing]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type) or callable(each):
            continue
        seen.add(id(each))
        total += getsizeof(each)
        waiting.extend(_parts(each))
    return total


def _parts(thing: Any) -> Iterable[object]:
    if isinstance(thing, np.ndarray):
        return [thing.base] if thing.base is not None else []
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, str | bytes | int | float | bool | type(None)):
        return []
    try:
        return list(thing)
    except TypeError:
        slots = getattr(type(thing), "__slots__", ())
        return [*getattr(thing, "__dict__", {}).values(), *(getattr(thing, s) for s in slots)]
