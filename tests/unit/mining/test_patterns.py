"""Frequent sequences, and which of them chance explains."""

from __future__ import annotations

import itertools
import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mining.chance import Background, binomial_tail, significant
from shared.mining.options import MiningOptions
from shared.mining.patterns import frequent

SEQUENCES = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=6)


def _holds(sequence: list[int], keys: tuple[int, ...], gap: int) -> bool:
    return any(
        tuple(sequence[i] for i in places) == keys
        and all(b - a <= gap + 1 for a, b in itertools.pairwise(places))
        for places in itertools.combinations(range(len(sequence)), len(keys))
    )


@given(SEQUENCES, st.integers(0, 2), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_the_support_is_what_counting_gives(
    sequences: list[list[int]], gap: int, support: int
) -> None:
    """Every pattern of up to three keys has the support that trying all places gives, and none is
    missing that does not go round."""
    options = MiningOptions(gap=gap, most_length=3)
    found = frequent(sequences, support, options).patterns
    for length in (1, 2, 3):
        for keys in itertools.product(range(4), repeat=length):
            count = sum(_holds(one, keys, gap) for one in sequences)
            if keys in found:
                assert found[keys].support == count
            elif len(set(keys)) == length:
                assert count < support


def test_a_bound_ends_the_search_and_says_so() -> None:
    """With room for few patterns the most frequent are found, and the answer tells of the rest."""
    sequences = [[0, 1, 2, 3, 4, 5]] * 5 + [[0, 1]] * 5
    found = frequent(sequences, 2, MiningOptions(most_patterns=8))
    assert found.cut_short
    assert (0, 1) in found.patterns


@given(st.integers(1, 60), st.floats(0.01, 0.9), st.data())
def test_the_tail_is_never_below_the_binomial_law(
    trials: int, share: float, data: st.DataObject
) -> None:
    """The bound that is used is at least the exact probability."""
    observed = data.draw(st.integers(0, trials))
    exact = sum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
        for k in range(observed, trials + 1)
    )
    bound = binomial_tail(observed, trials, share * trials)
    assert bound >= math.log10(max(exact, 1e-300)) - 1e-6


def test_shuffled_commands_hold_nothing_remarkable() -> None:
    """In sequences without any order no pattern is called significant."""
    for seed in range(10):
        rng = random.Random(seed)
        weights = [1 / (k + 1) for k in range(30)]
        sequences = [rng.choices(range(30), weights, k=rng.randint(3, 25)) for _ in range(200)]
        found = frequent(sequences, 4, MiningOptions())
        background = Background([len(one) for one in sequences], 4)
        assert significant(found.patterns, background, 0.01) == {}


def test_what_is_always_in_this_order_is_remarkable() -> None:
    """A sequence that comes whole in some of many stretches is found, whatever else is in them."""
    rng = random.Random(5)
    sequences = []
    for number in range(200):
        noise = [rng.randrange(10, 60) for _ in range(10)]
        sequences.append(noise[:5] + ([1, 2, 3] if number % 8 == 0 else []) + noise[5:])
    found = frequent(sequences, 4, MiningOptions())
    background = Background([len(one) for one in sequences], 4)
    assert (1, 2, 3) in significant(found.patterns, background, 0.01)
