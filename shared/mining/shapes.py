"""The shape of a command: what commands must have in common to be generalised together.

A shape has the programs, the options, the operators and the words that the shell works on, and
marks where values stand. A command that is given one value now and several then (`rm a`, `rm a b`)
has an *open* shape, which ends in a list of values; it is taken where no other is usual. Where
none is at all, though the program is always the same (people try options until one works), the
*free* one is taken: the program, and all its arguments as one list.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from shared.mining.forms import form_of
from shared.mining.programs import says_what_to_do
from shared.mining.splitting import Part
from shared.mining.words import value_of

VALUE: Final = "\x00"
LIST: Final = "\x02"
FREE: Final = "\x03"
"""A list that holds options, too."""
COMMON: Final = 0.25
"""Share of the runs of a step that have its usual form."""
USUAL: Final = 0.6
"""Share of the commands with one shape, from which no open one is asked for."""
BETTER: Final = 1.5
"""How much more commands an open shape must have than the best other one."""

Shape = tuple[str, ...]


@lru_cache(maxsize=50_000)
def shape_of(part: Part) -> Shape:
    """The shape of a command."""
    names = {command.at: command.name for command in form_of(part).commands}
    shape = []
    for index, token in enumerate(part.tokens):
        if index in names:
            shape.append(names[index])
        elif token.kind != "word" or value_of(token.text) is None:
            shape.append(token.text)
        elif token.text.startswith("-") and len(token.text) > 1:
            name, equals, _ = token.text.partition("=")
            shape.append(name + equals)
        else:
            shape.append(VALUE)
    return tuple(shape)


@lru_cache(maxsize=50_000)
def open_shape_of(part: Part) -> Shape | None:
    """The open shape of a command; None where it has no values at its end, or needs a shell."""
    if any(t.kind != "word" or value_of(t.text) is None for t in part.tokens):
        return None
    shape = list(shape_of(part))
    if not shape or shape[-1] != VALUE:
        return None
    while shape and shape[-1] == VALUE:
        shape.pop()
    if shape == [form_of(part).name] and says_what_to_do(shape[0]):
        return (*shape, VALUE, LIST) if len(part.tokens) > len(shape) + 1 else None
    return (*shape, LIST)


@lru_cache(maxsize=50_000)
def free_shape_of(part: Part) -> Shape | None:
    """The free shape of a command; None where it has no arguments, needs a shell, is started by
    another program, or where its first word says what it does, which is no matter of options."""
    if len(part.tokens) < 2 or any(
        t.kind != "word" or value_of(t.text) is None for t in part.tokens
    ):
        return None
    first = form_of(part).commands[:1]
    if not first or first[0].at or says_what_to_do(first[0].name):
        return None
    return (first[0].name, FREE)


def is_open(shape: Shape) -> bool:
    """Whether a shape ends in a list of values."""
    return shape[-1:] == (LIST,)


def is_free(shape: Shape) -> bool:
    """Whether a shape says no more than the program."""
    return shape[-1:] == (FREE,)


def has_shape(part: Part, shape: Shape) -> bool:
    """Whether a command is of this shape."""
    if is_free(shape):
        return free_shape_of(part) == shape
    return (open_shape_of(part) if is_open(shape) else shape_of(part)) == shape


def usual_shape(commands: Iterable[tuple[str, Part]], shared_after: int) -> Shape | None:
    """The shape that most commands have, among those of so many users; None where there is none.
    `commands` come with their users."""
    known = list(commands)
    best, many = _most(((user, shape_of(part)) for user, part in known), shared_after)
    if many < USUAL * len(known):
        opened = ((user, open_shape_of(part)) for user, part in known)
        wider, more = _most(((u, s) for u, s in opened if s is not None), shared_after)
        if wider is not None and more >= BETTER * max(1, many):
            best, many = wider, more
    if best is not None and many < COMMON * len(known):
        freed = ((user, free_shape_of(part)) for user, part in known)
        free, all_of_it = _most(((u, s) for u, s in freed if s is not None), shared_after)
        if free is not None and all_of_it >= USUAL * len(known):
            return free
    return best


def _most(shapes: Iterable[tuple[str, Shape]], shared_after: int) -> tuple[Shape | None, int]:
    users: dict[Shape, set[str]] = defaultdict(set)
    runs: Counter[Shape] = Counter()
    for user, shape in shapes:
        users[shape].add(user)
        runs[shape] += 1
    usable = [shape for shape in runs if len(users[shape]) >= shared_after]
    if not usable:
        return None, 0
    best = max(usable, key=lambda shape: (runs[shape], len(shape), shape))
    return best, runs[best]
