"""Who is asked: of those that fit, the one with the fewest open delegations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from shared.contracts.collective import Participant


def fitting(
    participants: Iterable[Participant],
    open_counts: Mapping[str, int],
    required: Collection[str],
    exclude: Collection[str] = (),
) -> list[Participant]:
    """Available participants with every required capability, least loaded first.

    Of equally loaded ones, who was seen last comes first, then the name decides.
    """
    able = [
        p
        for p in participants
        if p.available and p.name not in exclude and set(required) <= set(p.capabilities)
    ]
    return sorted(able, key=lambda p: (open_counts.get(p.name, 0), -p.last_seen_ms, p.name))
