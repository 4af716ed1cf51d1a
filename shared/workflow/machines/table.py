"""A machine is a table: `(status, event type) -> status`. What it does not list is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from shared.workflow.errors import UndefinedTransitionError

S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Machine(Generic[S]):
    """A named transition table over one status enum.

    `rows` maps an event type to what it does to each status that allows it.
    """

    name: str
    initial: S
    terminal: frozenset[S]
    rows: Mapping[str, Mapping[S, S]]

    def next(self, status: S, event: str) -> S:
        """The status after `event`; raises `UndefinedTransitionError`."""
        try:
            return self.rows[event][status]
        except KeyError:
            raise UndefinedTransitionError(self.name, status, event) from None

    def allows(self, status: S, event: str) -> bool:
        """True when the table has an entry for this status and event."""
        return status in self.rows.get(event, {})

    def mermaid(self) -> str:
        """The table drawn as a Mermaid state diagram; edges of the same ends are one arrow."""
        edges: dict[tuple[str, str], list[str]] = {}
        for event, row in self.rows.items():
            for before, after in row.items():
                edges.setdefault((before.value, after.value), []).append(event.split(".")[-1])
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial.value}"]
        lines += [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in edges.items()]
        reached = {after for _, after in edges}
        lines += [f"    {end} --> [*]" for end in sorted(self.terminal) if end in reached]
        return "\n".join(lines)


def each(*statuses: S, to: S) -> dict[S, S]:
    """The row in which every one of these statuses becomes `to`."""
    return dict.fromkeys(statuses, to)
