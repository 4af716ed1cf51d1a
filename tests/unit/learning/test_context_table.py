"""The table of contexts: bounded, fading, forgetting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.context_table import ContextTable

ONE = np.ones(1, np.float32)


def keys(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Keys that fall into buckets of their own."""
    return np.array([(value * 0x9E3779B97F4A7C15 + 1) & (2**64 - 1) for value in values], np.uint64)


def see(table: ContextTable, key: int, successor: int, amount: float = 1, owner: int = 0) -> None:
    """`successor` was seen after `key`."""
    table.add(table.claim(keys(key), owner), successor, ONE * np.float32(amount))


def after(table: ContextTable, key: int) -> dict[int, float]:
    """The weights of what followed `key`."""
    ids, weights, _ = table.successors(table.find(keys(key)))
    return {int(i): float(w) for i, w in zip(ids[0], weights[0], strict=True) if i}


def test_older_sights_fade() -> None:
    """What came later weighs more, and quick weights tell what came last."""
    table = ContextTable(4, 0.5, 0.1, 1024)
    see(table, 1, 10)
    see(table, 1, 20)
    assert after(table, 1) == {10: 0.5, 20: 1.0}
    assert after(table, 2) == {}


def test_the_lightest_gives_way() -> None:
    """A full row forgets its lightest successor."""
    table = ContextTable(2, 1.0, 1.0, 1024)
    for successor in (10, 10, 20, 30):
        see(table, 1, successor)
    assert after(table, 1) == {10: 2.0, 30: 1.0}


def test_small_amounts_fade_little() -> None:
    """What counts little fades little: flooding with small amounts leaves the rest standing."""
    table = ContextTable(4, 0.5, 0.5, 1024)
    see(table, 1, 10)
    see(table, 1, 20, amount=0.01)
    assert after(table, 1)[10] > 0.99


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 9)), max_size=300))
def test_it_never_outgrows_its_bound(seen: list[tuple[int, int]]) -> None:
    """However many contexts come, rows stay within the bound, and the last one is there."""
    table = ContextTable(2, 0.9, 0.5, 64)
    for key, successor in seen:
        see(table, key, successor)
        assert successor in after(table, key)
    assert len(table.keys) <= 64
    assert table.filled == (table.keys != 0).sum()


def test_doubling_keeps_everything() -> None:
    """A table that grows loses no row."""
    table = ContextTable(2, 0.9, 0.5, 2048)
    for key in range(300):
        see(table, key, key + 1)
    before = {key: after(table, key) for key in range(300)}
    for key in range(300, 400):
        see(table, key, key + 1)
    assert len(table.keys) == 2048
    assert {key: after(table, key) for key in range(300)} == before


def test_floods_of_one_owner_push_out_their_own() -> None:
    """What others use stays, however many contexts one owner brings."""
    table = ContextTable(2, 0.9, 0.5, 64)
    for _ in range(5):
        for key in range(20):
            see(table, key, 7, owner=1)
    for key in range(1000, 1500):
        see(table, key, 8, owner=2)
    assert sum(7 in after(table, key) for key in range(20)) >= 10


def test_many_keys_at_once_find_their_rows() -> None:
    """Keys claimed together have rows of their own, also where they share a bucket."""
    table = ContextTable(2, 0.9, 0.5, 1024)
    same_bucket = np.array([1, 2, 3], np.uint64)
    rows = table.claim(same_bucket)
    assert len(set(rows.tolist())) == 3
    assert (table.find(same_bucket) == rows).all()


def test_rows_of_an_owner_are_forgotten() -> None:
    """Forgetting an owner empties its rows and no others."""
    table = ContextTable(2, 0.9, 0.5, 1024)
    see(table, 1, 10, owner=5)
    see(table, 2, 20, owner=6)
    table.forget(5)
    assert after(table, 1) == {}
    assert after(table, 2) == {20: 1.0}
    assert table.filled == 1
