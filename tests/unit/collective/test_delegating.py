"""How delegations change: every state with every change."""

import pytest

from shared.collective.delegating import apply_change
from shared.contracts.delegations import (
    DELEGATION,
    DELEGATION_CHANGE,
    OFFERS_LIMIT,
    AcceptDelegation,
    CancelDelegation,
    CompleteDelegation,
    DeclineDelegation,
    Delegation,
    DelegationChange,
    DelegationStatus,
    ExpireDelegation,
    Offer,
    ReofferDelegation,
    WatchDelegation,
)
from shared.ports.collective import ConflictError

NOW = 1_000_000
S = DelegationStatus
CHANGES: dict[str, DelegationChange] = {
    "accept": AcceptDelegation(participant="ann"),
    "complete": CompleteDelegation(participant="ann", result={"a": 1}),
    "decline": DeclineDelegation(participant="ann", reason="busy"),
    "reoffer": ReofferDelegation(replaces="ann", participant="ben", answer_by_ms=NOW + 50),
    "expire": ExpireDelegation(reason="late"),
    "cancel": CancelDelegation(reason="over"),
    "watch": WatchDelegation(leg=3),
}
HARMLESS = {
    (S.ACCEPTED, "accept"),
    (S.COMPLETED, "accept"),
    (S.COMPLETED, "complete"),
    (S.DECLINED, "decline"),
    (S.EXPIRED, "expire"),
    (S.CANCELLED, "cancel"),
}
"""What has happened already, asked again by the same participant."""


def delegation(status: S = S.OFFERED, offers: int = 1) -> Delegation:
    offer = Offer(participant="ann", at_ms=NOW, answer_by_ms=NOW + 10)
    result = {"a": 1} if status is S.COMPLETED else None
    return Delegation(
        id="dl",
        task="t",
        status=status,
        offers=(offer,) * offers,
        created_at_ms=NOW,
        deadline_ms=NOW + 100,
        result=result,
    )


def test_every_change_is_in_the_table() -> None:
    """The table has a row for each change, and no other."""
    assert set(DELEGATION.rows) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("status", S)
def test_every_state_with_every_change(status: S, name: str) -> None:
    """A change leads where the table says; what is done already changes nothing; the rest is a
    conflict that names the state."""
    before, change = delegation(status), CHANGES[name]
    if (status, name) in HARMLESS:
        assert apply_change(before, change, NOW + 1) is before
    elif DELEGATION.allows(status, name):
        after = apply_change(before, change, NOW + 1)
        assert after.status is DELEGATION.next(status, name)
        assert after.revision == 1
        ended = status not in DELEGATION.terminal and after.status in DELEGATION.terminal
        assert after.ended_at_ms == (NOW + 1 if ended else None)
    else:
        with pytest.raises(ConflictError, match=status.value):
            apply_change(before, change, NOW + 1)


@pytest.mark.parametrize("name", ["accept", "complete"])
def test_nothing_is_taken_or_done_after_the_deadline(name: str) -> None:
    """From the deadline on neither is possible; declining still is."""
    status = S.OFFERED if name == "accept" else S.ACCEPTED
    with pytest.raises(ConflictError, match="deadline"):
        apply_change(delegation(status), CHANGES[name], NOW + 100)
    assert apply_change(delegation(), CHANGES["decline"], NOW + 100).status is S.DECLINED


def test_offers_are_bounded() -> None:
    """After the last possible offer there is no other."""
    with pytest.raises(ConflictError, match=str(OFFERS_LIMIT)):
        apply_change(delegation(offers=OFFERS_LIMIT), CHANGES["reoffer"], NOW)


def test_a_reoffer_is_for_who_has_it() -> None:
    """Re-offering what somebody else has by now is a conflict."""
    change = ReofferDelegation(replaces="cleo", participant="ben", answer_by_ms=NOW)
    with pytest.raises(ConflictError, match="cleo no longer has it"):
        apply_change(delegation(), change, NOW)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_travel_as_json(change: DelegationChange) -> None:
    """Every change is read as what it was written."""
    assert DELEGATION_CHANGE.validate_json(DELEGATION_CHANGE.dump_json(change)) == change
