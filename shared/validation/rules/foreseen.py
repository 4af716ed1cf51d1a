"""Rules about what a run would come to (`paranoid`): a forecast by simulation, and the hosts.

They are checked by the validator service; here they are documented, set and suppressed like any
other rule.
"""

from __future__ import annotations

from typing import Final

from shared.validation.rule import Rule

LIKELY_TO_FAIL: Final = Rule(
    code="likely-to-fail",
    level="paranoid",
    severity="warning",
    summary="More than one run in ten is predicted to fail.",
    why="The run was simulated many times with the failure rates and durations of earlier runs, or "
    "with assumed ones where there are none. The steps at which most of the simulated runs failed "
    "are named.",
    tags=("forecast",),
)
TOO_SHORT_TIMEOUT: Final = Rule(
    code="too-short-timeout",
    level="paranoid",
    severity="warning",
    summary="A step's timeout is shorter than the step often takes.",
    why="More than one in twenty of the attempts in earlier runs took longer than the timeout is "
    "now: they would be stopped midway.",
    tags=("forecast",),
)
UNCLEAN_FAILURE: Final = Rule(
    code="unclean-failure",
    level="paranoid",
    severity="info",
    summary="Where a run is likely to fail, a rollback does not get back to the start.",
    why="Up to that step something has been changed that nothing undoes. Whoever starts the run "
    "should know it before, not after.",
    tags=("forecast", "rollback"),
)
ASSUMED_FIGURES: Final = Rule(
    code="assumed-figures",
    level="paranoid",
    severity="info",
    summary="The forecast rests on assumed rates.",
    why="No or few earlier runs of the template are known. The forecast then says what is usual "
    "for such commands, not what is usual for this workflow.",
    tags=("forecast",),
)
HOST_UNREACHABLE: Final = Rule(
    code="unreachable-host",
    level="paranoid",
    severity="error",
    summary="An agent cannot connect to a host that a step addresses.",
    why="The step would fail when it is its turn, after others have changed something. An error "
    "where no agent that could run the step gets through, a warning where only some do not.",
    tags=("network",),
)
HOST_OVERLOADED: Final = Rule(
    code="overloaded-host",
    level="paranoid",
    severity="warning",
    summary="The host of an agent that would run a step is overloaded.",
    why="Its load average is more than twice its cores, or its memory is nearly used up: steps "
    "take longer than they did, and may run into their timeouts.",
    tags=("hosts",),
)
DISK_NEARLY_FULL: Final = Rule(
    code="disk-nearly-full",
    level="paranoid",
    severity="warning",
    summary="The disk of an agent that would run a step is nearly full.",
    why="What a step writes may not fit, and neither may what is kept to undo it. An error above "
    "98 %.",
    tags=("hosts",),
)
CLOCK_SKEW: Final = Rule(
    code="clock-skew",
    level="paranoid",
    severity="warning",
    summary="An agent's clock differs from the server's.",
    why="Certificates, tokens and moments to wait for are judged by the agent's clock, and times "
    "in its logs do not fit those of others.",
    tags=("hosts",),
)

RULES: Final[tuple[Rule, ...]] = (
    LIKELY_TO_FAIL,
    TOO_SHORT_TIMEOUT,
    UNCLEAN_FAILURE,
    ASSUMED_FIGURES,
    HOST_UNREACHABLE,
    HOST_OVERLOADED,
    DISK_NEARLY_FULL,
    CLOCK_SKEW,
)
