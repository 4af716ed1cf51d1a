"""What people ask of a schedule or a rule: make, change, pause, resume, delete.

The law:

* A request is done or refused, once; what became of it is kept under its id.
* What was deleted stays so. Its state remains for a while, so that nothing late can revive it.
* Every request that is done raises the generation: no timer that was set before counts any more.
"""

from __future__ import annotations

from typing import Any

from shared.automation.messages import AnyRequest, Paused, Request, Resumed, Saved
from shared.automation.states import REQUESTS, A, Automation, RequestOutcome, changed, newest


def refusal(state: Automation | None, request: Request) -> str:
    """Why a request cannot be done, empty when it can."""
    if state is None:
        return "" if isinstance(request, Saved) else "it does not exist"
    if state.status == "deleted":
        return "it was deleted"
    if request.if_edition is not None and request.if_edition != state.edition:
        return (
            f"it is in edition {state.edition} by now, not {request.if_edition}; look at it again"
        )
    if isinstance(request, Paused) and state.status != "active":
        return f"it is {state.status}, not active"
    if isinstance(request, Resumed) and state.status != "paused":
        return f"it is {state.status}, not paused"
    return ""


def answered(state: A, request: Request, refused: str = "") -> A:
    """The state that remembers what became of a request."""
    outcome = RequestOutcome(request_id=request.request_id, refused=refused)
    return changed(state, requests=newest(state.requests, outcome, REQUESTS))


def done(state: A, request: AnyRequest, at_ms: int) -> A:
    """The state after a request, as far as all automations are alike."""
    values: dict[str, Any] = {
        "generation": state.generation + 1,
        "changed_by": request.by,
        "changed_at_ms": at_ms,
    }
    if isinstance(request, Saved):
        values |= {"spec": request.spec, "edition": state.edition + 1}
        if state.status == "finished":
            values |= {"status": "active", "reason": ""}
    elif isinstance(request, Paused):
        values |= {"status": "paused", "reason": request.reason}
    elif isinstance(request, Resumed):
        values |= {"status": "active", "reason": ""}
    else:
        values |= {"status": "deleted", "reason": ""}
    return answered(changed(state, **values), request)
