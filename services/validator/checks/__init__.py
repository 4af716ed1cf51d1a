"""Checks of a picture: pure functions, each for a few rules. `LIVE` belong to `strict`, `FORESEEN`
to `paranoid`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from services.validator.checks import (
    agents,
    approvers,
    collisions,
    foreseen,
    hosts,
    network,
    promises,
)
from services.validator.picture import Picture
from shared.validation.rule import Found, Rule

Check = Callable[[Picture], Iterable[tuple[Rule, Found]]]

LIVE: Final[tuple[Check, ...]] = (
    agents.who_can_run,
    promises.policies,
    promises.secrets,
    approvers.enough_approvers,
    collisions.shared_keys,
    collisions.schedules,
    promises.not_looked_at,
)
FORESEEN: Final[tuple[Check, ...]] = (
    foreseen.likely_to_fail,
    foreseen.too_short_timeouts,
    foreseen.unclean_failures,
    foreseen.assumed_figures,
    network.unreachable,
    hosts.overloaded,
    hosts.disks,
    hosts.clocks,
)
