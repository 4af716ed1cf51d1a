"""What one user did lately: the last commands, the values in them, and what was used how often.

A *situation* is all that is known before a command is typed; a *recorded* command adds what it was
and how it ended. A history is a fold of recorded commands. Looking at it for a prediction
(`seen_from`) changes nothing.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from shared.learning.command_text import abstract, name_of, values_of
from shared.learning.hashing import hash_text
from shared.learning.lexicon import Lexicon

KEPT = 8
"""Past commands that are kept in order."""

TEXTS = 4
"""Past lines whose text is kept."""

PLACES = 10
"""Values of a kind that a template can refer to."""

REFERENCED = frozenset(
    {"address", "url", "number", "hex", "text", "account", "file", "path", "word", "other"}
)
"""Kinds of values that become references."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a command is about to be typed; what is unknown is empty."""

    user: str
    session: str = ""
    cwd: str = ""
    host: str = ""
    osuser: str = ""
    shell: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A command that was run, where, and how it ended (`exit` None: unknown)."""

    situation: Situation
    command: str
    exit: int | None = None
    more_lines: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """One past command, as ids."""

    name: int
    line: int
    shape: int
    """The line with all values left out."""
    argument: int
    """Its last value."""
    ending: int
    """0 unknown, 1 success, 2 failure, 3 failure with a code above 2."""
    more_lines: int
    novel: int
    """1 if this user never ran this line before."""


START = Past(1, 1, 1, 0, 0, 0, 0)
"""Stands before the first command of a session."""


@dataclass(frozen=True, slots=True)
class View:
    """A history as it looks at the start of the next command of a session."""

    last: Sequence[Past]
    """The latest first."""
    step: int
    session_step: int
    repeats: int
    """How often the latest name was just repeated."""
    novel_line: int
    """The latest line that was new to the user."""
    session: int
    """The number of the session."""


class Uses:
    """How often and when one user used each id; the one not used for longest is forgotten first."""

    def __init__(self, bound: int):
        self.bound = bound
        self.of: dict[int, tuple[int, int, int, int, int]] = {}
        """By id: uses, step of the latest, its session, uses in that session, where and how the
        latest ended (`place_key` plus the ending)."""

    def add(self, used: int, step: int, session: int, where: int) -> bool:
        """Count a use; returns whether it was the first."""
        count, _, in_session, times, _ = self.of.pop(used, (0, 0, session, 0, 0))
        again = times + 1 if in_session == session else 1
        self.of[used] = (count + 1, step, session, again, where)
        self.trim(self.bound)
        return count == 0

    def trim(self, bound: int) -> None:
        """Keep at most `bound`."""
        while len(self.of) > bound:
            del self.of[next(iter(self.of))]


@dataclass
class History:
    """One user's recent past."""

    user: int
    past: deque[Past] = field(default_factory=lambda: deque([START] * KEPT, maxlen=KEPT))
    values: dict[str, list[str]] = field(default_factory=dict)
    names: Uses = field(default_factory=lambda: Uses(128))
    lines: Uses = field(default_factory=lambda: Uses(256))
    session: str | None = None
    session_number: int = 0
    session_step: int = 0
    step: int = 0
    repeats: int = 0
    novel_line: int = 1
    texts: list[str] = field(default_factory=list)
    """The last lines, the latest first."""

    def seen_from(self, session: str) -> View:
        """The view from the next command of `session`."""
        if session == self.session:
            last = tuple(self.past)[::-1]
            return View(
                last,
                self.step,
                self.session_step,
                self.repeats,
                self.novel_line,
                self.session_number,
            )
        last = (START, START, *tuple(self.past)[::-1])[:KEPT]
        return View(last, self.step, 0, 0, self.novel_line, self.session_number + 1)

    def place_of(self, kind: str, value: str) -> int | None:
        """How recently `value` was used among those of its kind: 0 is the latest; None if long ago.

        A command's name counts as a word.
        """
        recent = self.values.get(kind, ())
        return recent.index(value) if value in recent else None

    def value_at(self, kind: str, place: int) -> str | None:
        """The value at `place`: the inverse of `place_of`."""
        recent = self.values.get(kind, ())
        return recent[place] if place < len(recent) else None

    def add(self, recorded: Recorded, lexicon: Lexicon) -> None:
        """Fold a command in."""
        self._enter(recorded.situation.session)
        line = recorded.command
        values = [(kind, value) for kind, value in values_of(line) if kind in REFERENCED]
        name = lexicon.id_of(name_of(line), "n")
        line_id = lexicon.id_of(line, "l")
        ending = _ending(recorded.exit)
        where = place_key(recorded.situation.cwd, recorded.situation.host) | ending
        self.names.add(name, self.step, self.session_number, where)
        novel = self.lines.add(line_id, self.step, self.session_number, where)
        self.repeats = self.repeats + 1 if self.past[-1].name == name else 0
        self.novel_line = line_id if novel else self.novel_line
        argument = hash_text(values[-1][1]) if values else 0
        shape = lexicon.id_of(abstract(line, _left_out), "s")
        self.past.append(
            Past(name, line_id, shape, argument, ending, int(recorded.more_lines), int(novel))
        )
        for kind, value in [("word", name_of(line)), *values]:
            self._remember(kind, value)
        self.texts = [line, *self.texts[: TEXTS - 1]]
        self.step += 1
        self.session_step += 1

    def _enter(self, session: str) -> None:
        if session != self.session:
            self.session = session
            self.session_number += 1
            self.session_step = 0
            self.repeats = 0
            self.past.extend([START, START])

    def _remember(self, kind: str, value: str) -> None:
        recent = self.values.setdefault(kind, [])
        if value in recent:
            recent.remove(value)
        recent.insert(0, value)
        del recent[PLACES:]

    def rest(self) -> None:
        """The user has been away for long: keep less."""
        self.names.trim(32)
        self.lines.trim(32)
        del self.texts[1:]

    def state(self) -> dict[str, Any]:
        """What `restored` needs."""
        plain = asdict(self)
        plain["past"] = [astuple(each) for each in self.past]
        for uses in ("names", "lines"):
            plain[uses] = [[used, *entry] for used, entry in getattr(self, uses).of.items()]
        return plain

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "History":
        """The history that gave `state`."""
        history = cls(**{**state, "past": deque((Past(*p) for p in state["past"]), maxlen=KEPT)})
        for name, bound in (("names", 128), ("lines", 256)):
            uses = Uses(bound)
            uses.of = {row[0]: (row[1], row[2], row[3], row[4], row[5]) for row in state[name]}
            setattr(history, name, uses)
        return history


def place_key(cwd: str, host: str) -> int:
    """Where something was typed, in 50 bits: the lowest two are left for how it ended."""
    return ((hash_text(host) & 0xFFFFFF) << 24 | hash_text(cwd) & 0xFFFFFF) << 2


def _left_out(kind: str, _: str) -> int | None:
    return 0 if kind in REFERENCED else None


def _ending(code: int | None) -> int:
    if code is None:
        return 0
    return 1 if code == 0 else 2 if code <= 2 else 3
