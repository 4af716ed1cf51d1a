"""What agents say they would do: their policies, their secrets; and who said nothing."""

from __future__ import annotations

from collections.abc import Iterator

from services.validator.picture import Picture
from services.validator.uses import StepUse
from shared.contracts.prechecks import PolicyRefusal, SecretState
from shared.validation.finding import Severity
from shared.validation.rule import Found, Rule
from shared.validation.rules.live import NOT_LOOKED_AT, POLICY_REFUSES, SECRET_MISSING

MAX_NAMED = 5


def policies(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Uses that the policies of agents refuse."""
    for use in picture.uses:
        asked, refused = 0, dict[str, PolicyRefusal]()
        for agent, told in picture.known(use.step.id):
            asked += 1
            for one in told.answer.refusals:
                if one.use == use.id:
                    refused[agent.name] = one
        if refused:
            first = next(iter(refused.values()))
            yield (
                POLICY_REFUSES,
                Found(
                    use.path,
                    f"{_named(refused)}: {first.message} ({first.rule})",
                    fix=first.fix,
                    about="system",
                    severity=_severity(use, asked, len(refused)),
                ),
            )


def secrets(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Secrets that agents do not have, or do not give."""
    for use in picture.uses:
        for name in use.secrets:
            asked, without = 0, dict[str, SecretState]()
            for agent, told in picture.known(use.step.id):
                asked += 1
                for one in told.answer.secrets:
                    if one.use == use.id and one.name == name and one.state != "there":
                        without[agent.name] = one
            if without:
                first = next(iter(without.values()))
                yield (
                    SECRET_MISSING,
                    Found(
                        f"{use.path}/parameters",
                        f"secrets.{name} is {first.state} on {_named(without)}: {first.message}",
                        fix=f"on the agent's host: hv secrets set {name}; or target agents that "
                        "have it",
                        about="system",
                        severity=_severity(use, asked, len(without)),
                    ),
                )


def not_looked_at(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Agents that did not answer, and what could not be read."""
    runners = {agent.name for agent in picture.runners()}
    silent = sorted(runners.intersection(picture.silent))
    if silent:
        named = ", ".join(silent[:MAX_NAMED])
        more = f" and {len(silent) - MAX_NAMED} more" if len(silent) > MAX_NAMED else ""
        yield (
            NOT_LOOKED_AT,
            Found(
                "",
                f"{named}{more} did not say whether they would run their steps",
                fix="look at these agents (hv agents), and validate again",
                about="system",
            ),
        )
    for what in picture.unknown:
        yield NOT_LOOKED_AT, Found("", what, fix="validate again", about="system")


def _severity(use: StepUse, asked: int, without: int) -> Severity | None:
    """Weaker where others can do it instead: not so for a fleet, which is for each of them."""
    if use.step.target.is_fleet or without >= asked:
        return None
    return "warning"


def _named(agents: dict[str, PolicyRefusal] | dict[str, SecretState]) -> str:
    names = list(agents)
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
