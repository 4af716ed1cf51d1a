"""Whether agents can connect to what their steps address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.validator.picture import Picture
from services.validator.uses import StepUse
from shared.contracts.prechecks import AddressState
from shared.validation.rule import Found, Rule
from shared.validation.rules.foreseen import HOST_UNREACHABLE
from shared.validation.rules.live import NOT_LOOKED_AT, POLICY_REFUSES

MAX_NAMED: Final = 5
_FAILED: Final = ("unknown", "unreachable")


def unreachable(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Addresses that agents did not get through to, must not, or were not asked about."""
    for use in picture.uses:
        address = use.address
        if address is None:
            continue
        states = {
            agent.name: state
            for agent in picture.targets.get(use.step.id) or ()
            for state in picture.reached.get(agent.name, ())
            if (state.host, state.port) == (address.host, address.port)
        }
        yield from _judged(use, states)


def _judged(use: StepUse, states: dict[str, AddressState]) -> Iterator[tuple[Rule, Found]]:
    path = f"{use.path}/parameters/url"
    failed = {name: one for name, one in states.items() if one.state in _FAILED}
    refused = {name: one for name, one in states.items() if one.state == "refused"}
    skipped = [name for name, one in states.items() if one.state == "skipped"]
    every = use.step.target.is_fleet
    if failed:
        first = next(iter(failed.values()))
        what = "cannot resolve" if first.state == "unknown" else "cannot connect to"
        yield (
            HOST_UNREACHABLE,
            Found(
                path,
                f"{_named(list(failed))} {what} {first.host}:{first.port}: {first.message}",
                fix="correct the address, open the way, or target agents that get through",
                about="system",
                severity=None if every or len(failed) == len(states) else "warning",
            ),
        )
    if refused:
        first = next(iter(refused.values()))
        yield (
            POLICY_REFUSES,
            Found(
                path,
                f"{_named(list(refused))}: {first.message}",
                fix="target another agent, or allow the host in the agent's policy",
                about="system",
                severity=None if every or len(refused) == len(states) else "warning",
            ),
        )
    if skipped:
        what = f"{_named(skipped)} did not try to connect: {states[skipped[0]].message}"
        yield NOT_LOOKED_AT, Found(path, what, fix="validate again in a minute", about="system")


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
