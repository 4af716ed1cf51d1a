"""Concurrency keys in a world: some of its templates have limits, and no limit is ever exceeded."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.definition import Step, Template
from shared.workflow.replay import HistoryEntry

LIMITS: Final = {"one": 1, "two": 2}

Histories = Sequence[tuple[Sequence[HistoryEntry], Any]]
"""Of each execution its history, and the time at which each of its entries came, by sequence."""


def limited(template: Template) -> Template:
    """The template, now and then with a limit; the same template always has the same one."""
    chance = random.Random(template.model_dump_json())
    if chance.random() < 0.2:
        rule = _rule("two", chance)
        policies = {**template.policies.model_dump(exclude_unset=True), "concurrency": rule}
        return _changed(template, policies=policies)
    steps = [
        {**_dumped(step), "concurrency": _rule("one", chance)}
        if (step.command or step.workflow) and chance.random() < 0.1
        else _dumped(step)
        for step in template.steps
    ]
    return _changed(template, steps=steps)


def check_slots(histories: Histories) -> Iterator[str]:
    """From grant to release, as the journal saw them: never more at a time than the limit."""
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for history, came_at in histories:
        held: set[str] = set()
        for entry in history:
            for event in entry.events:
                if isinstance(event, ev.SlotTaken):
                    held.add(event.slot)
                    changes[event.key].append((came_at[entry.seq], 1))
                elif isinstance(event, ev.SlotReleased) and event.slot in held:
                    held.remove(event.slot)
                    changes[event.key].append((came_at[entry.seq], -1))
        if held:
            yield f"slots {sorted(held)} were never given back"
    for key, moments in changes.items():
        taken = 0
        for _, change in sorted(moments):
            taken += change
            if taken > LIMITS[key]:
                yield f"{taken} had a slot of {key!r} at a time, of {LIMITS[key]}"
                break


def _rule(key: str, chance: random.Random) -> dict[str, Any]:
    on_conflict = chance.choice(("queue", "queue", "queue", "reject", "replace"))
    max_wait_s = chance.choice((None, None, 4))
    return {
        "key": key,
        "limit": LIMITS[key],
        "on_conflict": on_conflict,
        "max_wait_s": max_wait_s,
    }


def _dumped(step: Step) -> dict[str, Any]:
    return step.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _changed(template: Template, **fields: Any) -> Template:
    dumped = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Template.model_validate({**dumped, **fields})
