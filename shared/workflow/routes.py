"""Which steps send to which, and what may start when the execution is coming to an early end.

A handler is a step that another one sends to when it failed (`on_failure`) or ended (`finally`).
What waits for handlers only belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.workflow.definition import Step
from shared.workflow.flow import targets


@dataclass(frozen=True, slots=True)
class Routes:
    """`senders`: by step, those that send to it. `after_failure` may start although the execution
    is failing, `after_cancel` although it is being cancelled. `on_failure` and `always` are the
    steps of these sections of the template; `regions` the steps of each region, `locks` those that
    share a lock."""

    senders: Mapping[str, tuple[str, ...]]
    after_failure: frozenset[str]
    after_cancel: frozenset[str]
    on_failure: tuple[str, ...]
    always: tuple[str, ...]
    regions: Mapping[str, tuple[str, ...]]
    locks: Mapping[str, tuple[str, ...]]

    @property
    def has_sections(self) -> bool:
        """True where there is more to run after the main steps."""
        return bool(self.on_failure or self.always)


def routes(
    steps: Sequence[Step],
    order: Sequence[str],
    dependencies: Mapping[str, tuple[str, ...]],
    on_failure: tuple[str, ...],
    always: tuple[str, ...],
) -> Routes:
    """The routes between steps whose graph is known."""
    finals = {name for step in steps for name in step.always}
    handlers = finals | {name for step in steps for name in step.on_failure}
    return Routes(
        senders=_senders(steps),
        after_failure=_closed(handlers | {*on_failure, *always}, order, dependencies),
        after_cancel=_closed(finals | {*always}, order, dependencies),
        on_failure=on_failure,
        always=always,
        regions=_named(steps, lambda step: step.region),
        locks=_named(steps, lambda step: step.lock),
    )


def _senders(steps: Iterable[Step]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for step in steps:
        for name in {name: None for names in targets(step).values() for name in names}:
            found[name] = (*found.get(name, ()), step.id)
    return found


def _closed(
    some: Iterable[str], order: Sequence[str], dependencies: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    """These steps, and those that wait for nothing but them."""
    found = set(some)
    for step in order:
        before = dependencies[step]
        if before and found.issuperset(before):
            found.add(step)
    return frozenset(found)


def _named(
    steps: Iterable[Step], name_of: Callable[[Step], str | None]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for step in steps:
        name = name_of(step)
        if name is not None:
            found[name] = (*found.get(name, ()), step.id)
    return found
