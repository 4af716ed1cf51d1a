"""Workflows of programs that nobody knows: what is found of these is found by how they are used.

Names, words, options and the number of steps come from the seed. Each workflow has one value or
two, which stand by themselves, in a path, or behind an option.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shared.mining.planted import POOLS, Planted

_SYLLABLES: Final = ("ba", "ke", "lo", "mi", "ru", "ta", "ve", "zo", "ni", "fa", "du", "pe")
_FORMS: Final = ("{%s}", "/srv/{%s}/data.cfg", "--name={%s}", "-t {%s}", "/var/x/{%s}.bin")


def invented(seed: int, many: int = 8) -> tuple[Planted, ...]:
    """So many workflows of three to six steps."""
    rng = np.random.default_rng(seed)
    return tuple(_workflow(rng, f"invented{number}") for number in range(many))


def _workflow(rng: np.random.Generator, name: str) -> Planted:
    values = rng.choice(sorted(POOLS), size=int(rng.integers(1, 3)), replace=False)
    lines = [_line(rng, [str(v) for v in values]) for _ in range(int(rng.integers(3, 7)))]
    return Planted(name, tuple(dict.fromkeys(lines)))


def _line(rng: np.random.Generator, values: list[str]) -> str:
    words = [_word(rng, 3)]
    if rng.random() < 0.6:
        words.append(_word(rng, 2))
    if rng.random() < 0.3:
        words.append(f"--{_word(rng, 2)}")
    for value in values:
        if rng.random() < 0.6:
            words.append(str(rng.choice(_FORMS)) % value)
    return " ".join(words)


def _word(rng: np.random.Generator, syllables: int) -> str:
    return "".join(str(one) for one in rng.choice(_SYLLABLES, size=syllables))
