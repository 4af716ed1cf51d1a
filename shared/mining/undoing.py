"""Which commands undo which, learned from pairs `A x … B x` in stretches of work.

Two things must come together. The form says that it could be so: the lines differ in one word, the
two words are opposites (a small table, and how words are built: `mount` and `umount`, `cordon` and
`uncordon`, `useradd` and `userdel`), and every value of the second was one of the first. And the
record says that it is so: people run the second after the first, in several stretches, and do not
run the first again and again without it. A sequence alone proves nothing: `git add x` and
`git commit x` alternate, too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.mining.acts import Act, Stretch
from shared.mining.forms import form_of
from shared.mining.splitting import Part

FEWEST: Final = 3
"""Stretches in which a pair was seen."""
RESTORED: Final = 0.6
"""Share of the first commands that were followed by the second before the first came again."""
LOOK_BACK: Final = 60
"""Commands that may stand between the two."""
WORDS: Final = 4
"""Words of a command, from its program on, that may have an opposite."""

_PAIRS: Final = (
    "start stop", "enable disable", "up down", "on off", "add remove", "add del", "add delete",
    "add rm", "create delete", "create destroy", "create rm", "create remove", "install uninstall",
    "install remove", "install purge", "open close", "push pop", "apply delete", "pause resume",
    "suspend resume", "load unload", "attach detach", "connect disconnect", "login logout",
    "grant revoke", "join leave", "drain uncordon", "acquire release", "mkdir rmdir", "en dis",
    "hold release", "activate deactivate", "export import", "freeze thaw", "stash pop",
)  # fmt: skip
_SAID: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,22}$")
"""Words that can say what is done."""
_NEGATING: Final = ("un", "dis", "de", "u")
_BACK: Final = frozenset({"pop", "undo", "--abort", "--undo"})
"""Words that make a line without them undone: `git stash`, `git stash pop`."""


@dataclass(frozen=True, slots=True)
class UndoPair:
    """`undo` undoes commands that have these `words` (None: any word) and this many of them. Its
    words are texts, or places in the first command whose word is taken."""

    words: tuple[str | None, ...]
    undo: tuple[str | int, ...]
    stretches: int
    users: int
    restored: float

    def fits(self, texts: Sequence[str | None]) -> bool:
        """Whether it undoes a command of these words (None: it varies)."""
        return len(texts) == len(self.words) and all(
            mine is None or mine == text for mine, text in zip(self.words, texts, strict=True)
        )


@dataclass(slots=True)
class _Seen:
    stretches: set[int] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    restored: int = 0


_Form = tuple[tuple[str | None, ...], tuple[str | int, ...]]


def undo_pairs(stretches: Sequence[Stretch], shared_after: int) -> tuple[UndoPair, ...]:
    """The pairs that were learned, the surest first."""
    partners = _partners(stretches)
    seen: dict[_Form, _Seen] = defaultdict(_Seen)
    firsts: dict[tuple[str | None, ...], int] = defaultdict(int)
    for index, stretch in enumerate(stretches):
        marked = [
            (at, act) for at, act in enumerate(stretch.acts) if _is_marked(act.part, partners)
        ]
        for form, user in _pairs_in(marked, partners, stretch.user):
            seen[form].stretches.add(index)
            seen[form].users.add(user)
            seen[form].restored += 1
        for _, act in marked:
            for words in set(_first_forms(act.part, partners)):
                firsts[words] += 1
    found = [
        UndoPair(form[0], form[1], len(one.stretches), len(one.users), share)
        for form, one in seen.items()
        for share in (one.restored / max(one.restored, firsts[form[0]]),)
        if len(one.stretches) >= FEWEST and len(one.users) >= shared_after and share >= RESTORED
    ]
    return tuple(sorted(found, key=lambda p: (-p.stretches, -p.restored, str(p.undo))))


def opposite(one: str, other: str) -> bool:
    """Whether two words are opposites, by the table or by how they are built."""
    if one == other or not one or not other:
        return False
    if frozenset((one, other)) in _OPPOSITES:
        return True
    if any(other == p + one or one == p + other for p in _NEGATING):
        return True
    one, other = _differ(one, other)
    return frozenset((one, other)) in _OPPOSITES


_OPPOSITES: Final = frozenset(frozenset(pair.split()) for pair in _PAIRS)


def _differ(one: str, other: str) -> tuple[str, str]:
    """Two words without what they begin and end with in common."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


def texts_of(part: Part) -> tuple[str, ...] | None:
    """The words of a simple command from its program on; None for pipelines and redirections."""
    form = form_of(part)
    if len(form.commands) != 1 or any(token.kind != "word" for token in part.tokens):
        return None
    return tuple(token.text for token in part.tokens)


def _partners(stretches: Iterable[Stretch]) -> Mapping[str, frozenset[str]]:
    """For each word that has opposites among the words of all commands, those."""
    counts: Counter[str] = Counter()
    for stretch in stretches:
        for act in stretch.acts:
            texts = texts_of(act.part) or ()
            counts.update(t for t in texts[:WORDS] if _SAID.match(t))
    words = {word for word, many in counts.items() if many >= FEWEST}
    by_letter: dict[str, set[str]] = defaultdict(set)
    for word in words:
        by_letter[word[:2]].add(word)
    table = {w for pair in _OPPOSITES for w in pair}
    found = {}
    for word in words:
        near = by_letter[word[:2]] | {p + word for p in _NEGATING} & words
        near |= {word[len(p) :] for p in _NEGATING if word.startswith(p)} & words
        near |= table & words if word in table else set()
        others = frozenset(other for other in near if opposite(word, other))
        if others:
            found[word] = others
    return found


def _is_marked(part: Part, partners: Mapping[str, frozenset[str]]) -> bool:
    texts = texts_of(part)
    return texts is not None and any(t in partners or t in _BACK for t in texts[:WORDS])


def _first_forms(
    part: Part, partners: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str | None, ...]]:
    """What a command could be the first of: its program and the word with an opposite fixed."""
    texts = texts_of(part) or ()
    for at, text in enumerate(texts[:WORDS]):
        if text in partners:
            yield _fixed(texts, at)
    if not texts[-1:] or texts[-1] not in _BACK:
        yield _fixed(texts, -1)


def _fixed(texts: Sequence[str], at: int) -> tuple[str | None, ...]:
    """The words that are fixed: those up to the opposite, and options; all where there is none."""
    return tuple(
        t if i <= max(at, 0) or t.startswith("-") or at < 0 else None for i, t in enumerate(texts)
    )


def _pairs_in(
    marked: Sequence[tuple[int, Act]], partners: Mapping[str, frozenset[str]], user: str
) -> Iterator[tuple[_Form, str]]:
    """Each command that undoes one before it, with the latest that it does."""
    used: set[int] = set()
    for place, (at, act) in enumerate(marked):
        second = texts_of(act.part) or ()
        for before in range(place - 1, -1, -1):
            earlier, one = marked[before]
            if at - earlier > LOOK_BACK:
                break
            if before in used:
                continue
            form = _undoes(texts_of(one.part) or (), second, partners)
            if form is not None:
                used.add(before)
                yield form, user
                break


def _undoes(
    first: Sequence[str], second: Sequence[str], partners: Mapping[str, frozenset[str]]
) -> _Form | None:
    """The form of a pair in which the second undoes the first, if it does."""
    if len(second) == len(first) + 1 and second[-1] in _BACK and second[:-1] == tuple(first):
        return _fixed(first, -1), (*range(len(first)), second[-1])
    for at, text in enumerate(first[:WORDS]):
        others = partners.get(text, frozenset())
        for place, other in enumerate(second[: at + 1]):
            if other in others and tuple(second[:place]) == tuple(first[:at]):
                return _with_values(first, second, at, place)
    return None


def _with_values(first: Sequence[str], second: Sequence[str], at: int, place: int) -> _Form | None:
    """The form where the opposites are at these places: each value of the second must be one of
    the first, and there must be one."""
    undo: list[str | int] = [*range(place), second[place]]
    values = {text: index for index, text in enumerate(first) if index > at}
    shared = 0
    for text in second[place + 1 :]:
        if text in values:
            undo.append(values[text])
            shared += not text.startswith("-")
        elif text.startswith("-"):
            undo.append(text)
        else:
            return None
    return (_fixed(first, at), tuple(undo)) if shared else None
