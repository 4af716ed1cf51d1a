"""A concurrency key: who gets a slot, in which order, and what is said to whom."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.workflow import messages as msg
from shared.workflow.concurrency_key import (
    KEY_MESSAGE,
    MAX_WAITING,
    KeyState,
    SlotFreed,
    SlotWanted,
    is_key,
    key_id,
    key_turn,
)

ID = key_id("deploy")


class Key:
    """A key in the hands of an example."""

    def __init__(self) -> None:
        self.state: KeyState | None = None
        self.at_ms = 0

    def tell(self, message: SlotWanted | SlotFreed) -> list[tuple[str, str]]:
        """What it says: to whom, and what."""
        self.at_ms += 1
        again = key_turn(self.state, ID, message, self.at_ms, self.at_ms)
        self.state, told = key_turn(self.state, ID, message, self.at_ms, self.at_ms)
        assert again == (self.state, told)
        repeated = key_turn(self.state, ID, message, self.at_ms, self.at_ms)
        if not any(isinstance(one.message, msg.SlotRefused) for one in told):
            assert repeated == (self.state, ()), "the same once more changed something"
        assert len({one.message_id for one in told}) == len(told)
        return [(one.execution_id, one.message.type) for one in told]

    def want(self, execution: str, limit: int = 1, **fields: Any) -> list[tuple[str, str]]:
        return self.tell(
            SlotWanted(key="deploy", execution_id=execution, slot="*", limit=limit, **fields)
        )

    def free(self, execution: str) -> list[tuple[str, str]]:
        return self.tell(SlotFreed(execution_id=execution, slot="*"))

    @property
    def holders(self) -> list[str]:
        return [one.execution_id for one in self.state.holders] if self.state else []

    @property
    def waiting(self) -> list[str]:
        return [one.execution_id for one in self.state.waiting] if self.state else []


def test_slots_are_granted_in_order() -> None:
    """So many have one; the next gets it when one is given back."""
    key = Key()
    assert key.want("a", 2) == [("a", "slot_granted")]
    assert key.want("b", 2) == [("b", "slot_granted")]
    assert key.want("c", 2) == []
    assert key.want("d", 2) == []
    assert (key.holders, key.waiting) == (["a", "b"], ["c", "d"])
    assert key.free("b") == [("c", "slot_granted")]
    assert key.free("a") == [("d", "slot_granted")]
    assert key.free("c") == []
    assert key.free("d") == []
    assert key.state is not None
    assert key.state.is_idle


def test_who_does_not_want_to_wait_is_refused() -> None:
    """`reject` is granted where it need not wait, and refused otherwise."""
    key = Key()
    assert key.want("a", on_conflict="reject") == [("a", "slot_granted")]
    assert key.want("b", on_conflict="reject") == [("b", "slot_refused")]
    assert key.holders == ["a"]
    assert key.waiting == []


def test_a_newcomer_replaces_the_oldest() -> None:
    """`replace` revokes as many as must give way, the oldest first, and whoever waits."""
    key = Key()
    for name in ("a", "b", "c"):
        key.want(name, 2)
    assert key.want("d", 2, on_conflict="replace") == [("c", "slot_revoked"), ("a", "slot_revoked")]
    assert (key.holders, key.waiting) == (["a", "b"], ["d"])
    assert key.want("e", 2, on_conflict="replace") == [("d", "slot_revoked")]
    assert key.want("f", 2, on_conflict="replace") == [("e", "slot_revoked")]
    assert key.free("d") == []
    assert key.free("a") == [("f", "slot_granted")]
    assert key.free("b") == []


def test_who_waits_may_give_up() -> None:
    """It is granted to the next one."""
    key = Key()
    for name in ("a", "b", "c"):
        key.want(name)
    key.free("b")
    assert key.free("a") == [("c", "slot_granted")]


def test_more_than_anybody_would_wait_for_are_refused() -> None:
    """A queue has a bound, and says so."""
    key = Key()
    for number in range(MAX_WAITING + 1):
        key.want(f"ex_{number}")
    assert key.want("late") == [("late", "slot_refused")]


def test_a_key_that_nobody_asked_ignores_what_is_given_back() -> None:
    """There is nothing to give back."""
    assert key_turn(None, ID, SlotFreed(execution_id="a", slot="*"), 1, 1) == (None, ())


def test_its_id_follows_from_its_name() -> None:
    """The same everywhere, and recognizable."""
    assert key_id("deploy") == ID != key_id("other")
    assert is_key(ID)
    assert not is_key("ex_1")


ASKS = st.tuples(
    st.sampled_from("abcdef"), st.integers(1, 3), st.sampled_from(["queue", "reject", "replace"])
)


@given(st.lists(st.one_of(ASKS, st.sampled_from("abcdef")), max_size=40))
def test_no_more_have_a_slot_than_somebody_allowed(moves: list[Any]) -> None:
    """Whatever is asked and given back: never more than the largest limit, nobody in both lists,
    and once everything is given back nobody waits. Messages survive JSON."""
    key = Key()
    for move in moves:
        if isinstance(move, str):
            key.free(move)
        else:
            execution, limit, on_conflict = move
            message = SlotWanted(
                key="deploy", execution_id=execution, slot="*", limit=limit, on_conflict=on_conflict
            )
            assert KEY_MESSAGE.validate_json(message.model_dump_json()) == message
            key.tell(message)
        assert len(key.holders) <= 3
        assert not set(key.holders) & set(key.waiting)
    for _ in range(7):
        for name in "abcdef":
            key.free(name)
    assert key.holders == key.waiting == []


def test_a_key_that_nobody_uses_may_be_forgotten() -> None:
    """Its status says so, for whoever stores it."""
    key = Key()
    statuses = []
    for move in (key.want, key.free):
        move("a")
        assert key.state is not None
        statuses.append(key.state.status)
    assert statuses == ["active", "deleted"]


def test_a_key_that_was_forgotten_says_nothing_by_an_old_name() -> None:
    """What a key says is unlike what it said before its state was deleted: names that come twice
    would be dropped as sent again."""
    wanted = SlotWanted(key="deploy", execution_id="a", slot="*", limit=1)
    _, (first,) = key_turn(None, ID, wanted, 1, 10)
    _, (later,) = key_turn(None, ID, wanted, 1, 12)
    assert first.message_id != later.message_id
