"""Causes in concurrency keys: a slot that somebody else has."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.api.explain import Awaited, Finding, Severity
from shared.explain.picture import Picture
from shared.explain.wording import count, names
from shared.workflow.concurrency_key import KeyState
from shared.workflow.slots import TIMER, WHOLE


def slots(picture: Picture) -> Iterator[Finding]:
    """Every slot that is waited for, and who has it."""
    state = picture.state
    if state is None or state.over:
        return
    for name, slot in state.slots.items():
        if slot.granted:
            continue
        step = "" if name == WHOLE else name
        key = picture.keys.get(slot.key)
        timer = state.timers.get(f"{TIMER}-{name}")
        yield Finding(
            cause="concurrency",
            severity=Severity.WAITS,
            says=f"{step or 'It'} waits for a slot of {slot.key}{_who(key, state.execution_id)}.",
            step=step,
            waits_for=Awaited(kind="key", name=slot.key, message="slot_granted"),
            since_ms=slot.asked_at_ms,
            due_ms=timer.due_ms if timer is not None else 0,
            normally="Slots are granted in order, as those who have one end."
            + (" When its time is over it fails." if timer is not None else ""),
            action=f"hv concurrency show {key.id}" if key is not None else "hv concurrency list",
        )


def _who(key: KeyState | None, execution_id: str) -> str:
    """Who has the slots, and how many come before."""
    if key is None:
        return ""
    ids = [one.execution_id for one in key.waiting]
    before = ids.index(execution_id) if execution_id in ids else len(ids)
    queue = f", and {count(before, 'other')} before it" if before else ""
    return f", which {names(one.execution_id for one in key.holders)} has{queue}"
