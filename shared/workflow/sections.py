"""What runs after the main steps: `on_failure` when the execution is failing, `finally` always."""

from __future__ import annotations

from collections.abc import Sequence

from shared.workflow import events as ev
from shared.workflow.turn import Turn


def next_section(turn: Turn) -> Sequence[str]:
    """Begin the next section if everything before it is over; gives its steps."""
    routes = turn.program.graph.routes
    section = turn.state.section
    later = () if section == "finally" else routes.always
    if not section:
        later += routes.on_failure
    if not later or turn.state.open > sum(not turn.step(name).ended for name in later):
        return ()
    if not section and routes.on_failure:
        if _failed(turn):
            turn.emit(ev.ExecutionHandling(section="on_failure"))
            return routes.on_failure
        _skip(turn, routes.on_failure)
    if not routes.always:
        return ()
    turn.emit(ev.ExecutionHandling(section="finally"))
    return routes.always


def _failed(turn: Turn) -> bool:
    stop = turn.state.stop
    return stop is not None and stop.kind == "failure"


def _skip(turn: Turn, steps: Sequence[str]) -> None:
    for name in steps:
        if not turn.step(name).ended:
            turn.emit(ev.StepSkipped(step=name, reason="nothing failed"))
