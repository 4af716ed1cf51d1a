"""How a line looks beside what was typed just before: a change of it, or its values again.

Evidence tells what followed what; this tells of lines that never came before, too. A correction of
a line that failed shares its beginning and its end; the next step on a file shares the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.learning.command_text import name_of, tokens_of, values_of
from shared.learning.context_table import Floats
from shared.learning.history import History, View, place_key
from shared.learning.lexicon import Lexicon

LIKENESS_FEATURES = 16

_REMEMBERED = 4_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line is made of."""

    name: str
    name_id: int
    tokens: frozenset[str]
    """Without blanks."""
    values: tuple[str, ...]
    last_value: int
    """The id of its last value; of the empty text where it has none."""


class Readings:
    """Lines read; the latest are kept, as the same ones are candidates again and again."""

    def __init__(self, lexicon: Lexicon):
        self._lexicon = lexicon
        self._kept: dict[str, Reading] = {}

    def of(self, line: str) -> Reading:
        """The reading of `line`."""
        kept = self._kept.get(line)
        if kept is None:
            if len(self._kept) >= _REMEMBERED:
                self._kept.clear()
            kept = self._kept[line] = self._read(line)
        return kept

    def _read(self, line: str) -> Reading:
        name = name_of(line)
        values = tuple(value for _, value in values_of(line))
        return Reading(
            name,
            self._lexicon.id_of(name, "n"),
            frozenset(token for token in tokens_of(line) if not token.isspace()),
            values,
            self._lexicon.id_of(values[-1] if values else "", "v"),
        )


class Likeness:
    """What a user typed just before, to hold candidates against."""

    def __init__(self, readings: Readings, history: History, view: View, place: tuple[str, str]):
        """`place`: the directory and the host of the moment."""
        self._readings = readings
        before = [readings.of(line) for line in history.texts]
        here = bool(before) and view.session == history.session_number
        self._line = history.texts[0] if here else ""
        self._last = before[0] if here else readings.of("")
        self._tokens = [self._last.tokens, before[1].tokens if len(before) > 1 else frozenset()]
        self._values = frozenset(self._last.values)
        self._near = frozenset(value for each in before for value in each.values)
        self._known = {value for recent in history.values.values() for value in recent}
        self._failed, self._novel = view.last[0].ending >= 2, view.last[0].novel
        self._uses = history.lines.of
        self._place = place_key(*place)

    def write(self, features: Floats, ids: Sequence[int], texts: Sequence[str]) -> None:
        """The likeness of each of `texts`, into `LIKENESS_FEATURES` columns."""
        for row, text_id, text in zip(features, ids, texts, strict=True):
            reading = self._readings.of(text)
            row[0:2] = [_common(reading.tokens, before) for before in self._tokens]
            row[2:6] = self._of_values(reading.values)
            if self._line and text != self._line:
                row[6:12] = self._as_change(text, reading)
            if used := self._uses.get(text_id):
                row[12:16] = self._of_place(used[4])

    def _of_values(self, values: tuple[str, ...]) -> tuple[float, float, float, float]:
        """Their number, and what part of them the last line, the last few and no line had."""
        n = len(values)
        if not n:
            return 0.0, 0.0, 0.0, 0.0
        last = sum(value in self._values for value in values) / n
        near = sum(value in self._near for value in values) / n
        return min(n, 4) * 0.3, last, near, sum(value not in self._known for value in values) / n

    def _as_change(self, text: str, reading: Reading) -> tuple[float, ...]:
        """How `text` would change the last line: longer, shorter, of its name, how much is kept."""
        kept = _kept(self._line, text)
        longer, shorter = text.startswith(self._line), self._line.startswith(text)
        same_name = reading.name == self._last.name
        return longer, shorter, same_name, kept, kept * self._failed, kept * self._novel

    def _of_place(self, used: int) -> tuple[bool, bool, bool, bool]:
        """Whether it was used last in this directory, on this host; whether it failed, or not."""
        ending, differs = used & 3, (used ^ self._place) >> 2
        return differs & 0xFFFFFF == 0, differs >> 24 == 0, ending >= 2, ending == 1


def _common(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / (len(one | other) or 1)


def _kept(one: str, other: str) -> float:
    """What part of the longer line their common beginning and end make up."""
    most, begin, end = min(len(one), len(other)), 0, 0
    while begin < most and one[begin] == other[begin]:
        begin += 1
    while end < most - begin and one[-1 - end] == other[-1 - end]:
        end += 1
    return (begin + end) / max(len(one), len(other))
