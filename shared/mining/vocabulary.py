"""Which words of a command are its structure, learned from how they are used.

`restart` in `systemctl restart nginx` says what is done; `nginx` says to what. Structure is a small
vocabulary: few words make up most of what stands at a place. And it varies within a stretch of
work as it does between them, where a value stays: who works on nginx goes on working on nginx. So a
place is structure if few words cover it, two uses within a stretch are not much likelier the same
than two uses of different ones, and its words do not travel: a value is found in other commands of
its stretch, too (`stop nginx`, `cp /backup/nginx.conf …`, `start nginx`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from shared.mining.forms import Command, Form

MOST_WORDS: Final = 24
"""Words that a place of structure has, those that make up `COVERED` of its uses."""
COVERED: Final = 0.85
FEWEST: Final = 4
"""Uses of a place from which it can be judged."""
STICKY: Final = (3.0, 1.8, 1.8)
"""How much likelier the same word may be within a stretch: the first argument, the second, and the
options."""
SHARES: Final = (0.01, 0.05, 0.1)
"""Share of the uses of a place that a word of its structure has at least, in the same order."""
TRAVELS: Final = 0.3
"""Share of the uses of a place whose word is found in other commands of the stretch, from which it
holds values."""
OPTIONS: Final = 0

_PARTS: Final = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*")

Place = tuple[str, ...]


class Vocabulary:
    """Gives each command its key: the program with its structure."""

    def __init__(self, stretches: Iterable[Sequence[Form]]) -> None:
        kept = [list(forms) for forms in stretches]
        around = [_around(forms) for forms in kept]
        self._structure: dict[Place, frozenset[str]] = {}
        self._bare = {
            (form.name, text)
            for forms in kept
            for form in forms
            for (_, text), behind in zip(
                form.commands[0].arguments[:2], form.commands[0].follows, strict=False
            )
            if not behind
        }
        for depth in (1, 2, OPTIONS):
            uses: dict[Place, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
            travels: Counter[Place] = Counter()
            for index, forms in enumerate(kept):
                for form in forms:
                    if form.commands:
                        place = self._place(form.commands[0], depth)
                        if place is not None:
                            word = _at(form.commands[0], depth)
                            uses[place][index][word] += 1
                            if depth != OPTIONS and word:
                                travels[place] += _is_elsewhere(word, place, around[index])
            sticky = STICKY[depth - 1]
            for place, by in uses.items():
                many = sum(sum(counts.values()) for counts in by.values())
                if travels[place] <= TRAVELS * many and _is_structure(
                    by, sticky, without=depth == OPTIONS
                ):
                    self._structure[place] = _usual(by, SHARES[depth - 1])

    def key(self, form: Form) -> str:
        """The key of a command, such as `systemctl restart`; empty where it has no program. Those
        of a pipeline are joined by `|`."""
        names = [command.name for command in form.commands]
        return " | ".join([self._key(form.commands[0]), *names[1:]]) if names else ""

    def _key(self, command: Command) -> str:
        words = [command.name, *self._words(command)]
        place = self._place(command, OPTIONS)
        options = _at(command, OPTIONS)
        known = options and options in self._structure.get(place or (), ())
        return " ".join([*words, options] if known else words)

    def _words(self, command: Command) -> list[str]:
        words: list[str] = []
        for depth in (1, 2):
            place = self._place(command, depth)
            text = _at(command, depth) if place is not None else ""
            if not text or text not in self._structure.get(place or (), ()):
                break
            words.append(text)
        return words

    def _place(self, command: Command, depth: int) -> Place | None:
        """What is judged together: the n-th argument after these words, or the options."""
        if depth == OPTIONS:
            return (command.name, *self._words(command), "")
        if depth > len(command.arguments):
            return None
        said = (command.name, command.arguments[depth - 1][1])
        if command.follows[depth - 1] and said not in self._bare:
            return None  # the value of an option
        if depth == 1:
            return (command.name, "1")
        text = _at(command, 1)
        known = text in self._structure.get((command.name, "1"), ())
        return (command.name, text, "2") if known and text else None


_Around = dict[str, set[Place]]
"""By word, or part of a word, the places at which it stands in a stretch."""


def _around(forms: Sequence[Form]) -> _Around:
    found: _Around = defaultdict(set)
    for form in forms:
        for command in form.commands[:1]:
            words = [text for _, text in command.arguments]
            for depth, text in enumerate(words[:6], 1):
                place = (command.name, str(depth)) if depth == 1 else (command.name, words[0], "2")
                found[text].add(place if depth < 3 else (command.name, words[0], str(depth)))
                for part in _PARTS.findall(text) if len(text) > 3 else ():
                    if part != text:
                        found[part].add((command.name, "part"))
    return found


def _is_elsewhere(word: str, place: Place, around: _Around) -> bool:
    """Whether a word stands at another place of the stretch. The first argument of another program
    is none: that is where others say what they do, too."""
    return any(other != place and other[1:] != ("1",) for other in around.get(word, ()))


def _at(command: Command, depth: int) -> str:
    if depth == OPTIONS:
        return " ".join(sorted(set(command.options)))
    kind, text = command.arguments[depth - 1]
    return text if kind == "word" and "." not in text else ""


def _is_structure(uses: dict[int, Counter[str]], sticky: float, *, without: bool) -> bool:
    """Whether a place is structure; `without`: that nothing stands there is one of its words."""
    total: Counter[str] = Counter()
    for counts in uses.values():
        total.update(counts)
    many = sum(total.values())
    if many < FEWEST or (total[""] > many / 2 and not without):
        return False
    ranked = [count for _, count in total.most_common(MOST_WORDS)]
    if sum(ranked) < COVERED * many:
        return False
    return _stays(uses, total) <= sticky


def _usual(uses: dict[int, Counter[str]], share: float) -> frozenset[str]:
    total: Counter[str] = Counter()
    for counts in uses.values():
        total.update(counts)
    least = max(2.0, share * sum(total.values()))
    return frozenset(word for word, count in total.items() if count >= least)


def _stays(uses: dict[int, Counter[str]], total: Counter[str]) -> float:
    """How much likelier two uses within a stretch are the same than two of different ones."""
    many = sum(total.values())
    same_all = sum(c * c for c in total.values())
    pairs_in = sum(n * (n - 1) for by in uses.values() for n in (sum(by.values()),))
    same_in = sum(c * (c - 1) for by in uses.values() for c in by.values())
    squares = sum(sum(by.values()) ** 2 for by in uses.values())
    same_of = sum(c * c for by in uses.values() for c in by.values())
    if pairs_in < FEWEST or many * many == squares:
        return 1.0
    within = same_in / pairs_in
    between = max(1e-9, (same_all - same_of) / (many * many - squares))
    return within / between
