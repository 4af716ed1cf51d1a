"""Asking a coordinator for a change of a schedule, and waiting for what becomes of it.

A request is a message in the automation's journal, as everything is; what became of it stands in
the state under the request's id.
"""

from __future__ import annotations

import asyncio
from typing import Final, Generic, NamedTuple, TypeVar

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.parts import AutomationPorts
from shared.automation.messages import AnyRequest
from shared.automation.states import Automation
from shared.automation.turns import turn

DONE_WITHIN_S: Final = 3.0
"""How long a coordinator may take before the caller is told what it will do."""
FIRST_LOOK_S: Final = 0.02
LAST_LOOK_S: Final = 0.2

S = TypeVar("S", bound=Automation)


class Asked(NamedTuple, Generic[S]):
    """The state after a request; `pending` where no coordinator has taken the request yet."""

    state: S
    pending: bool = False


async def ask(
    ports: AutomationPorts, automation_id: str, request: AnyRequest, kind: type[S], now_ms: int
) -> Asked[S]:
    """Put a request into the journal and wait until it is done. Raises 409, and 503 when the
    journal does not take it."""
    await append(ports.journal, automation_id, request, request.request_id)
    done = await _done(ports, automation_id, request.request_id)
    if done is None:
        stored = await ports.store.peek(automation_id)
        before = stored.state if stored is not None else None
        done = turn(before, automation_id, request, now_ms, None).state
        return Asked(_checked(done, automation_id, request, kind), pending=True)
    return Asked(_checked(done, automation_id, request, kind))


def _checked(state: Automation | None, automation_id: str, request: AnyRequest, kind: type[S]) -> S:
    outcome = state.outcome_of(request.request_id) if state is not None else None
    if outcome is not None and outcome.refused:
        raise problems.conflict(f"{automation_id}: {outcome.refused}.")
    if not isinstance(state, kind):
        raise problems.conflict(f"{automation_id} is something else by now. Look at it again.")
    return state


async def _done(ports: AutomationPorts, automation_id: str, request_id: str) -> Automation | None:
    """The state once it knows the request; `None` when no coordinator takes it."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + DONE_WITHIN_S, FIRST_LOOK_S
    while loop.time() < deadline:
        stored = await ports.store.peek(automation_id)
        if stored is not None and stored.state.outcome_of(request_id) is not None:
            return stored.state
        await asyncio.sleep(pause)
        pause = min(pause * 2, LAST_LOOK_S)
    return None
