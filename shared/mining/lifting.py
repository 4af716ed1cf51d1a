"""Anti-unification: what the runs of a workflow have in common, with parameters for what varies.

Each step is a column: the command that each run has for it. The least general generalisation of a
column (Plotkin 1970) keeps the words that all have and puts a variable where they differ; and where
two places differ in the same way (in each run they hold the same value) it is the same variable.
A word may have a variable in a part of it: the host in `admin@host`, the value in `key=value`, and
any part that is the value of another variable (`/etc/nginx/nginx.conf` beside `restart nginx`).

Commands of one column must be of one shape: the same options, operators and words that the shell
works on. The shape that most runs have is taken; runs of other shapes count less for that step.

Nothing that fewer than `shared_after` users wrote becomes a fixed word.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.mining.shapes import FREE, LIST, VALUE, has_shape, usual_shape
from shared.mining.splitting import Part
from shared.mining.words import quoted, value_of

FIXED: Final = 0.9
"""Share of runs with the same word from which it is fixed, where there are ten or more runs."""
MANY: Final = 10
SAME: Final = 0.9
"""Share of runs in which two places hold the same value so that they are one parameter."""
FEWEST_TOGETHER: Final = 2
"""Runs that have both places."""
BETWEEN: Final = "\x1f"
"""Stands between the values of a list."""
_MARK: Final = "\x00"
_PART_OF_WORD: Final = re.compile(r"[A-Za-z0-9]")

Piece = str | int
"""A fixed text, or the number of a parameter."""
Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """What a run has for a step, and whose run it is."""

    user: str
    part: Part


@dataclass(frozen=True, slots=True)
class Word:
    """A word, redirection, operator, or list of values at the end. `text`: as it was written, where
    it is fixed."""

    kind: str
    pieces: Pieces
    text: str | None


@dataclass(frozen=True, slots=True)
class LiftedStep:
    """What all runs have for a step. `cwd` is empty where none is known; `share` the share of the
    runs with this step that have this shape."""

    words: tuple[Word, ...]
    cwd: Pieces
    share: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stood: the step, the word (-1: the directory), and the part of it."""

    step: int
    word: int
    atom: int = 0


@dataclass(frozen=True, slots=True)
class LiftedParameter:
    """What varies: its places, and its value in each run (None: that run does not tell)."""

    places: tuple[Place, ...]
    values: tuple[str | None, ...]
    users: tuple[str, ...]
    is_list: bool = False
    """Whether each value is several, with `BETWEEN` between them."""
    is_free: bool = False
    """Whether these are all arguments of a program, options among them."""

    def counted(self) -> list[tuple[str, int, int]]:
        """Each value, in how many runs and of how many users it was; the most frequent first."""
        runs: Counter[str] = Counter()
        whose: dict[str, set[str]] = defaultdict(set)
        for value, user in zip(self.values, self.users, strict=True):
            if value is not None:
                runs[value] += 1
                whose[value].add(user)
        return [(v, n, len(whose[v])) for v, n in sorted(runs.items(), key=lambda x: (-x[1], x[0]))]


@dataclass(frozen=True, slots=True)
class Lifting:
    """A workflow with its variables."""

    steps: tuple[LiftedStep, ...]
    parameters: tuple[LiftedParameter, ...]


@dataclass(slots=True)
class _Hole:
    """A place that varies: the value of each run."""

    place: Place
    values: list[str | None]
    is_list: bool = False
    is_free: bool = False
    group: int = -1
    derived: Pieces | None = None
    prefix: str = ""
    suffix: str = ""
    """What all values begin and end with: fixed, where what is between is found elsewhere."""

    @property
    def core(self) -> list[str | None]:
        """The values without what all begin and end with."""
        start, end = len(self.prefix), len(self.suffix)
        return [v[start : len(v) - end] if v is not None else None for v in self.values]


@dataclass(slots=True)
class _Column:
    """A step as it is read: for each word its atoms, each a fixed text or a hole."""

    members: list[Member | None]
    words: list[tuple[str, list[str | _Hole], str | None]] = field(default_factory=list)
    cwd: list[str | _Hole] = field(default_factory=list)
    share: float = 0.0


def lift(
    columns: Sequence[Sequence[Member | None]], shared_after: int, placed: Sequence[bool]
) -> Lifting | None:
    """The generalisation of all columns; each has one member, or none, for every run. `placed` says
    of which steps the directory matters. None where a step has no shape that enough users share.
    """
    read: list[_Column] = []
    for number, members in enumerate(columns):
        column = _read(number, members, shared_after, in_directory=placed[number])
        if column is None:
            return None
        read.append(column)
    holes = [hole for column in read for hole in _holes(column)]
    groups = _grouped(holes)
    users = _users(columns)
    groups = _derived(groups, shared_after, users)
    _take_in(groups, holes)
    for index, group in enumerate(groups):
        for hole in group:
            hole.group = index
    parameters = tuple(
        LiftedParameter(
            tuple(h.place for h in group),
            _values(group),
            users,
            is_list=group[0].is_list,
            is_free=group[0].is_free,
        )
        for group in groups
    )
    return Lifting(tuple(_step(column) for column in read), parameters)


def _users(columns: Sequence[Sequence[Member | None]]) -> tuple[str, ...]:
    return tuple(
        next((one.user for one in run if one is not None), "") for run in zip(*columns, strict=True)
    )


def _read(
    number: int, members: Sequence[Member | None], shared_after: int, *, in_directory: bool
) -> _Column | None:
    known = [(one.user, one.part) for one in members if one is not None]
    shape = usual_shape(known, shared_after)
    if shape is None:
        return None
    kept = [one if one is not None and has_shape(one.part, shape) else None for one in members]
    many = sum(one is not None for one in kept)
    column = _Column(kept, share=many / len(known))
    whose = [one.user if one is not None else "" for one in kept]
    sample = next(one for one in kept if one is not None).part
    for index, mark in enumerate(shape):
        at = Place(number, index)
        if mark in (LIST, FREE):
            column.words.append(_list_at(at, kept, whose, shared_after, free=mark == FREE))
            continue
        texts = [one.part.tokens[index].text if one is not None else None for one in kept]
        kind = sample.tokens[index].kind
        column.words.append(_word(at, kind, mark, texts, whose, shared_after))
    if in_directory:
        cwds = [(one.part.cwd or None) if one is not None else None for one in kept]
        if any(cwds):
            column.cwd = _atoms(Place(number, -1), cwds, whose, shared_after, whole=True)
    return column


def _list_at(
    place: Place,
    members: Sequence[Member | None],
    users: Sequence[str],
    shared_after: int,
    *,
    free: bool,
) -> tuple[str, list[str | _Hole], str | None]:
    """The values at the end of commands of an open or a free shape, as one value."""
    lists = [
        BETWEEN.join(value_of(t.text) or "" for t in one.part.tokens[place.word :])
        if one is not None
        else None
        for one in members
    ]
    fixed = _fixed(lists, users, shared_after)
    if fixed is None:
        return "list", [_Hole(place, lists, is_list=True, is_free=free)], None
    return "list", [fixed], " ".join(quoted(value) for value in fixed.split(BETWEEN))


def _word(
    place: Place,
    kind: str,
    shape: str,
    texts: Sequence[str | None],
    users: Sequence[str],
    shared_after: int,
) -> tuple[str, list[str | _Hole], str | None]:
    """A word's kind, its atoms, and its text where it is fixed as it was written."""
    if kind != "word" or not shape.endswith((VALUE, "=")):
        usual = _most(texts)  # an operator, an option, a program (it may have several spellings)
        return kind, [usual], usual
    values = [value_of(text) if text is not None else None for text in texts]
    atoms = _atoms(place, values, users, shared_after)
    if all(isinstance(atom, str) for atom in atoms):
        fixed = "".join(atom for atom in atoms if isinstance(atom, str))
        text = next(t for t, v in zip(texts, values, strict=True) if v == fixed)
        return kind, atoms, text
    return kind, atoms, None


def _most(texts: Iterable[str | None]) -> str:
    counts = Counter(text for text in texts if text is not None)
    return max(counts, key=lambda text: (counts[text], text))


def _atoms(
    place: Place,
    values: Sequence[str | None],
    users: Sequence[str],
    shared_after: int,
    *,
    whole: bool = False,
) -> list[str | _Hole]:
    atoms: list[str | _Hole] = []
    for column in [list(values)] if whole else _split(list(values)):
        fixed = _fixed(column, users, shared_after)
        at = Place(place.step, place.word, len(atoms))
        atoms.append(fixed if fixed is not None else _hole(at, column, users, shared_after))
    return atoms


def _hole(at: Place, values: list[str | None], users: Sequence[str], shared_after: int) -> _Hole:
    hole = _Hole(at, values)
    known = {v for v in values if v is not None}
    whose = {user for v, user in zip(values, users, strict=True) if v is not None}
    if len(known) > 1 and len(whose) >= shared_after:
        start = _to_sign(_beginning(known))
        end = _to_sign(_beginning({v[len(start) :][::-1] for v in known}))[::-1]
        hole.prefix, hole.suffix = start, end
        if any(not core for core in hole.core if core is not None):
            hole.prefix = hole.suffix = ""
    return hole


def _beginning(values: set[str]) -> str:
    """What all texts begin with."""
    low, high = min(values), max(values)
    at = 0
    while at < min(len(low), len(high)) and low[at] == high[at]:
        at += 1
    return low[:at]


def _to_sign(text: str) -> str:
    """A text up to its last sign that parts words of a path, a name or an address."""
    return text[: max((text.rfind(sign) for sign in "/.:=@-_"), default=-1) + 1]


def _split(values: list[str | None]) -> Iterator[list[str | None]]:
    """A column parted at `=`, `@` and `:` where all values have one, the signs themselves apart."""
    known = [v for v in values if v is not None]
    for sign in ("=", "@", ":"):
        if not all(v.count(sign) == 1 and not v.startswith(sign) and not v.endswith(sign)
                   and "://" not in v for v in known):  # fmt: skip
            continue
        left = [v.partition(sign)[0] if v is not None else None for v in values]
        right = [v.partition(sign)[2] if v is not None else None for v in values]
        if sign == "=" and len({v for v in left if v is not None}) > 1:
            continue
        if sign == ":" and all(v is None or v.isdigit() for v in left):
            continue
        yield from _split(left)
        yield [sign if v is not None else None for v in values]
        yield from _split(right)
        return
    yield values


def _fixed(values: Sequence[str | None], users: Sequence[str], shared_after: int) -> str | None:
    """The text that nearly all runs have, where enough users wrote it."""
    counts = Counter(value for value in values if value is not None)
    if not counts:
        return None
    value, count = max(counts.items(), key=lambda one: (one[1], one[0]))
    whose = {user for v, user in zip(values, users, strict=True) if v == value}
    many = sum(counts.values())
    enough = count == many or (many >= MANY and count >= FIXED * many)
    return value if enough and len(whose) >= shared_after else None


def _holes(column: _Column) -> Iterator[_Hole]:
    for atom in column.cwd:
        if isinstance(atom, _Hole):
            yield atom
    for _, atoms, _ in column.words:
        yield from (atom for atom in atoms if isinstance(atom, _Hole))


def _grouped(holes: Sequence[_Hole]) -> list[list[_Hole]]:
    """Holes that hold the same value in each run, together: as they are, or without what all of
    their values begin and end with. That is taken into the value where all of a group share it."""
    groups: list[list[_Hole]] = []
    for hole in holes:
        home = next((g for g in groups if any(_same(one, hole) for one in g)), None)
        if home is None:
            groups.append([hole])
        else:
            home.append(hole)
    return groups


def _same(one: _Hole, other: _Hole) -> bool:
    if (one.place.word < 0) != (other.place.word < 0):
        return False
    if (one.is_list, one.is_free) != (other.is_list, other.is_free):
        return False
    both = [
        (a, b) for a, b in zip(one.values, other.values, strict=True)
        if a is not None and b is not None
    ]  # fmt: skip
    if len(both) < FEWEST_TOGETHER:
        return False
    agree = sum(a == b for a, b in both) / len(both)
    first, second = Counter(a for a, _ in both), Counter(b for _, b in both)
    by_chance = sum(n * second[v] for v, n in first.items()) / len(both) ** 2
    return agree >= SAME and 1 - agree <= 0.4 * (1 - by_chance)


def _derived(
    groups: list[list[_Hole]], shared_after: int, users: Sequence[str]
) -> list[list[_Hole]]:
    """Without the groups that are made of another one's value and fixed text around it."""
    kept: list[list[_Hole]] = []
    by_length = sorted(groups, key=lambda g: sum(len(v or "") for v in _values(g)))
    made: dict[int, tuple[list[str], list[_Hole]]] = {}
    for group in by_length:
        values = _values(group)
        source = next(
            (
                (parts, other)
                for other in kept
                if not (group[0].is_list or other[0].is_list)
                and (parts := _around(values, _values(other), users, shared_after)) is not None
            ),
            None,
        )
        if source is None:
            kept.append(group)
        else:
            made[id(group)] = source
    ordered = [group for group in groups if id(group) not in made]
    number = {id(group): index for index, group in enumerate(ordered)}
    for group in groups:
        if id(group) in made:
            parts, other = made[id(group)]
            pieces = _woven(parts, number[id(other)])
            for hole in group:
                hole.derived = (*_text(hole.prefix), *pieces, *_text(hole.suffix))
    return ordered


def _take_in(groups: Sequence[Sequence[_Hole]], holes: Sequence[_Hole]) -> None:
    """Where all holes of a group begin and end alike, and nothing else is made of what is between,
    that belongs to the value."""
    made = {p for h in holes for p in h.derived or () if isinstance(p, int)}
    for index, group in enumerate(groups):
        around = {(hole.prefix, hole.suffix) for hole in group}
        if len(around) == 1 and index not in made:
            for hole in group:
                hole.prefix = hole.suffix = ""


def _woven(parts: Sequence[str], parameter: int) -> Pieces:
    pieces: list[Piece] = [parts[0]]
    for part in parts[1:]:
        pieces += [parameter, part]
    return tuple(piece for piece in pieces if piece != "")


def _around(
    values: Sequence[str | None],
    inner: Sequence[str | None],
    users: Sequence[str],
    shared_after: int,
) -> list[str] | None:
    """The fixed texts around another parameter's value, if that is what these values are."""
    skeletons: Counter[str] = Counter()
    whose: dict[str, set[str]] = defaultdict(set)
    many, distinct = 0, set()
    for value, part, user in zip(values, inner, users, strict=True):
        if value is None or part is None:
            continue
        many += 1
        distinct.add(part)
        skeleton = _replaced(value, part)
        skeletons[skeleton] += 1
        whose[skeleton].add(user)
    if many < FEWEST_TOGETHER or len(distinct) < 2:
        return None
    best, count = max(skeletons.items(), key=lambda one: (one[1], one[0]))
    enough = count >= SAME * many and len(whose[best]) >= shared_after
    return best.split(_MARK) if enough and _MARK in best else None


def _replaced(value: str, part: str) -> str:
    """`value` with each place where `part` stands as a word of its own marked."""
    if len(part) < 2:
        return value
    found, at = [], 0
    while (place := value.find(part, at)) >= 0:
        end = place + len(part)
        before = place > 0 and _PART_OF_WORD.match(value[place - 1]) and _joins(part[0])
        after = end < len(value) and _PART_OF_WORD.match(value[end]) and _joins(part[-1])
        found.append(value[at:end] if before or after else value[at:place] + _MARK)
        at = end
    return "".join([*found, value[at:]])


def _joins(char: str) -> bool:
    return bool(_PART_OF_WORD.match(char))


def _values(group: Iterable[_Hole]) -> tuple[str | None, ...]:
    """The value of each run: what most of its places say."""
    columns = [hole.core for hole in group]
    found: list[str | None] = []
    for run in zip(*columns, strict=True):
        counts = Counter(value for value in run if value is not None)
        found.append(max(counts, key=lambda v: (counts[v], v)) if counts else None)
    return tuple(found)


def _step(column: _Column) -> LiftedStep:
    words = tuple(Word(kind, _merged(atoms), text) for kind, atoms, text in column.words)
    return LiftedStep(words, _merged(column.cwd), column.share)


def _merged(atoms: Iterable[str | _Hole]) -> Pieces:
    pieces: list[Piece] = []
    for atom in atoms:
        new: Pieces = (
            (atom,) if isinstance(atom, str)
            else atom.derived if atom.derived is not None
            else (*_text(atom.prefix), atom.group, *_text(atom.suffix))
        )  # fmt: skip
        for piece in new:
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            else:
                pieces.append(piece)
    return tuple(pieces)


def _text(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
