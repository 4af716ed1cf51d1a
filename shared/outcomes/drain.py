"""Patterns of messages, found online: the Drain algorithm.

After He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (ICWS
2017). The law:

1. Messages are compared only with patterns of as many tokens that begin with the same
   `DEPTH` words;
   a placeholder or a value is like any other there, and so is a word that comes once a place has
   `WIDTH` different ones.
2. The similarity of a message and a pattern is the share of places that hold the same token; a
   value that meets a word counts half (in the paper not at all: long lists of values would split
   their pattern). The most similar one takes it from `SIMILAR` on; of equals the one with the most
   values, then the oldest. Otherwise the message becomes a pattern.
3. Where a message differs from its pattern, the pattern has a value from then on.

Who keeps patterns says which to `drop`, so that there is a bound. The same messages in the same
order give the same patterns and numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.outcomes.messages import ANY

DEPTH: Final = 2
"""Who uses it puts the failure's code first, so this is the code and one word."""
WIDTH: Final = 60
SIMILAR: Final = 0.5

Tokens = tuple[str, ...]
Branch = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """A pattern that fits, and the share of its tokens that are the same (values are not)."""

    number: int
    similarity: float


class Drain:
    """Patterns by number, from 1."""

    def __init__(self) -> None:
        self.patterns: dict[int, Tokens] = {}
        self._branches: dict[Branch, list[int]] = {}
        self._where: dict[int, Branch] = {}
        self._words: dict[Branch, dict[str, None]] = {}
        self._next = 1

    def add(self, tokens: Tokens) -> int:
        """The number of the pattern that has taken the message."""
        branch = self._branch(tokens, learn=True)
        found = self._best(branch, tokens)
        if found is not None and found.similarity >= SIMILAR:
            self.patterns[found.number] = _common(self.patterns[found.number], tokens)
            return found.number
        number, self._next = self._next, self._next + 1
        self._place(number, tokens, branch)
        return number

    def find(self, tokens: Tokens) -> Fit | None:
        """The pattern that would take the message; None where it would become a new one."""
        found = self._best(self._branch(tokens, learn=False), tokens)
        return found if found is not None and found.similarity >= SIMILAR else None

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget patterns."""
        for number in numbers:
            branch = self._where.pop(number)
            del self.patterns[number]
            self._branches[branch].remove(number)
            if not self._branches[branch]:
                del self._branches[branch]
        self._words = {}
        for branch in self._branches:
            for depth in range(1, len(branch)):
                if branch[depth] != ANY:
                    self._words.setdefault(branch[:depth], {})[branch[depth]] = None

    def state(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "next": self._next,
            "patterns": [[n, *map(list, (self._where[n], p))] for n, p in self.patterns.items()],
            "words": [[list(at), list(words)] for at, words in self._words.items()],
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Drain:
        """From what `state` gave."""
        made = cls()
        made._next = state["next"]
        for number, branch, tokens in state["patterns"]:
            made._place(number, tuple(tokens), tuple(branch))
        made._words = {tuple(at): dict.fromkeys(words) for at, words in state["words"]}
        return made

    def _place(self, number: int, tokens: Tokens, branch: Branch) -> None:
        self.patterns[number] = tokens
        self._where[number] = branch
        self._branches.setdefault(branch, []).append(number)

    def _branch(self, tokens: Tokens, *, learn: bool) -> Branch:
        """Where in the tree a message belongs: its length, and its first words."""
        at: Branch = (str(len(tokens)),)
        for token in tokens[:DEPTH]:
            at = (*at, self._word(at, token, learn=learn))
        return at

    def _word(self, at: Branch, token: str, *, learn: bool) -> str:
        if token.startswith("<"):
            return ANY
        words = self._words.get(at, {})
        if token in words:
            return token
        if len(words) >= WIDTH:
            return ANY
        if learn:
            self._words.setdefault(at, {})[token] = None
        return token

    def _best(self, branch: Branch, tokens: Tokens) -> Fit | None:
        best: tuple[float, int, int] | None = None
        for number in self._branches.get(branch, ()):
            pattern = self.patterns[number]
            values = pattern.count(ANY)
            rank = (similarity(pattern, tokens), values, -number)
            if best is None or rank > best:
                best = rank
        return Fit(-best[2], best[0]) if best is not None else None


def similarity(pattern: Sequence[str], tokens: Sequence[str]) -> float:
    """The share of places that hold the same token; a value that meets a word counts half. Of two
    empty ones 1."""
    if not tokens:
        return 1.0
    pairs = list(zip(pattern, tokens, strict=True))
    same = sum(a == b for a, b in pairs)
    half = sum(a == ANY != b for a, b in pairs)
    return (same + 0.5 * half) / len(tokens)


def _common(pattern: Tokens, tokens: Tokens) -> Tokens:
    return tuple(a if a == b else ANY for a, b in zip(pattern, tokens, strict=True))
