"""How one change turns a delegation into the next.

The law:
- The machine's table (`shared.contracts.delegations`) says which change is possible when.
- Only who has the offer may answer it, and not after the deadline.
- What has happened already, by the same participant, is not an error: the delegation stays as it is
  (the same object is given back), so that a repeated request is harmless.
"""

from __future__ import annotations

from typing import Any

from shared.contracts.delegations import (
    DELEGATION,
    OFFERS_LIMIT,
    AcceptDelegation,
    CompleteDelegation,
    DeclineDelegation,
    Delegation,
    DelegationChange,
    DelegationStatus,
    Offer,
    ReofferDelegation,
    WatchDelegation,
)
from shared.ports.collective import ConflictError

_S = DelegationStatus


def apply_change(delegation: Delegation, change: DelegationChange, at_ms: int) -> Delegation:
    """The delegation after the change; itself if the change has happened already.

    Raises `ConflictError`, naming the state it is in and who has it.
    """
    if _has_happened(delegation, change):
        return delegation
    _check(delegation, change, at_ms)
    status = DELEGATION.next(delegation.status, change.type)
    updates: dict[str, Any] = {"status": status, "revision": delegation.revision + 1}
    if status in DELEGATION.terminal and delegation.status not in DELEGATION.terminal:
        updates["ended_at_ms"] = at_ms
    return delegation.model_copy(update=updates | _details(delegation, change, at_ms))


def _has_happened(delegation: Delegation, change: DelegationChange) -> bool:
    match change:
        case AcceptDelegation():
            done = delegation.status in (_S.ACCEPTED, _S.COMPLETED)
            return done and delegation.participant == change.participant
        case CompleteDelegation():
            mine = delegation.participant == change.participant
            same = delegation.result == change.result
            return delegation.status is _S.COMPLETED and mine and same
        case DeclineDelegation():
            return delegation.status is _S.DECLINED and delegation.participant == change.participant
        case ReofferDelegation():
            mine = delegation.participant == change.participant
            return delegation.status is _S.OFFERED and mine
        case WatchDelegation():
            return delegation.leg >= change.leg
        case _:
            return delegation.status is DELEGATION.next(_S.OFFERED, change.type)


def _check(delegation: Delegation, change: DelegationChange, at_ms: int) -> None:
    if isinstance(change, AcceptDelegation | CompleteDelegation | DeclineDelegation):
        if delegation.participant != change.participant:
            raise _conflict(delegation, f"{change.participant} does not have it")
        if at_ms >= delegation.deadline_ms and change.type != "decline":
            raise _conflict(delegation, "its deadline has passed")
    if isinstance(change, ReofferDelegation):
        if delegation.participant != change.replaces:
            raise _conflict(delegation, f"{change.replaces} no longer has it")
        if len(delegation.offers) >= OFFERS_LIMIT:
            raise _conflict(delegation, f"it was offered {OFFERS_LIMIT} times")
    if not DELEGATION.allows(delegation.status, change.type):
        raise _conflict(delegation, f"it cannot {change.type} now")


def _conflict(delegation: Delegation, why: str) -> ConflictError:
    return ConflictError(
        f"delegation {delegation.id}: {why}; it is {delegation.status.value}, "
        f"last offered to {delegation.participant}"
    )


def _details(delegation: Delegation, change: DelegationChange, at_ms: int) -> dict[str, Any]:
    match change:
        case AcceptDelegation():
            return {"offers": _answered(delegation, "accepted", at_ms)}
        case CompleteDelegation():
            return {"result": change.result}
        case DeclineDelegation():
            offers = _answered(delegation, "declined", at_ms, change.reason)
            return {"offers": offers, "reason": change.reason}
        case ReofferDelegation():
            return {"offers": _reoffered(delegation, change, at_ms), "reason": ""}
        case WatchDelegation():
            return {"leg": change.leg}
        case _:
            return {"reason": change.reason}


def _answered(
    delegation: Delegation, answer: str, at_ms: int, reason: str = ""
) -> tuple[Offer, ...]:
    updates = {"answer": answer, "answered_at_ms": at_ms, "reason": reason}
    return (*delegation.offers[:-1], delegation.offer.model_copy(update=updates))


def _reoffered(delegation: Delegation, change: ReofferDelegation, at_ms: int) -> tuple[Offer, ...]:
    before = delegation.offers
    if delegation.status is _S.OFFERED:
        before = _answered(delegation, "unanswered", at_ms)
    new = Offer(participant=change.participant, at_ms=at_ms, answer_by_ms=change.answer_by_ms)
    return (*before, new)
