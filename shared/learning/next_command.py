"""What comes next.

The model of a deployment, which predicts a user's next command and learns from it.

Predicting changes nothing. Learning a command ranks what was likely before it, moves all weights,
and folds it into its user's history; so the state follows from the recorded commands alone, in
their order, whether somebody asked for predictions between them or not.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from shared.learning.command_text import MAX_LINE, name_of
from shared.learning.contexts import COUNT, LABELS, contexts_of
from shared.learning.evidence import Memory
from shared.learning.hashing import hash_text
from shared.learning.history import History, Recorded, Situation
from shared.learning.lexicon import Lexicon
from shared.learning.lines import LineModel, LineMoment
from shared.learning.names import NameModel, NameMoment
from shared.learning.options import LearningOptions
from shared.learning.ranking import Ranked, Ranking

Granularity = Literal["name", "line"]

_AWAKE = 200
"""Users whose history is kept at full length: the latest ones."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What followed the same context before."""

    context: str
    whose: Literal["you", "others"]
    share: float
    """What part of all that followed it."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A command that may come next."""

    text: str
    confidence: float
    """How likely it is exactly this; over all suggestions at most 1."""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Moment:
    situation: Situation
    step: int
    names: NameMoment
    lines: LineMoment | None


class NextCommandModel:
    """Learns from all users' commands; see the module."""

    def __init__(self, granularity: Granularity = "line", options: LearningOptions | None = None):
        """`granularity`: up to which it learns; lines need names, names do without lines."""
        self.granularity = granularity
        self.options = options or LearningOptions()
        self.lexicon = Lexicon(
            self.options.shared_after_users, self.options.max_texts, self.options.key
        )
        self.memory = Memory(self.options)
        self.names = NameModel(self.options, self.memory, self.lexicon)
        self.lines = LineModel(self.options, self.memory, self.lexicon)
        self.histories: dict[str, History] = {}
        self.learned = 0
        self._latest: _Moment | None = None

    def predict(self, situation: Situation, limit: int = 5) -> list[Suggestion]:
        """The likeliest next commands, best first."""
        moment = self._moment(situation)
        ranked, ranking = self._asked(moment)
        if not ranked.ids:
            return []
        first = ranking.calibrator.confidence(ranked.first())
        order = ranked.order(limit)
        rest = np.delete(ranked.probabilities.astype(np.float64), order[0]).sum()
        others = (1 - first) / max(1e-9, float(rest))
        said = [float(ranked.probabilities[index]) for index in order]
        sure = [first, *(min(first, each * others) for each in said[1:])]
        return [Suggestion(ranked.texts[i], c) for i, c in zip(order, sure, strict=True)]

    def reasons(self, situation: Situation, text: str, limit: int = 3) -> tuple[Reason, ...]:
        """What speaks for `text`: the contexts it followed most often, the narrowest first."""
        moment = self._moment(situation)
        ranked, _ = self._asked(moment)
        evidence = moment.lines.lines if moment.lines else moment.names.evidence
        if text not in ranked.texts:
            return ()
        rows = evidence.rows_for(ranked.ids[ranked.texts.index(text)])
        rows.sort(key=lambda row: -row[1])
        return tuple(
            Reason(LABELS[row % COUNT], "you" if row < COUNT else "others", share)
            for row, share in rows[:limit]
        )

    def _asked(self, moment: _Moment) -> tuple[Ranked, Ranking]:
        if moment.lines:
            return moment.lines.ranked, self.lines.ranking
        return moment.names.ranked, self.names.ranking

    @contextmanager
    def after(self, situation: Situation, lines: Sequence[str]) -> Iterator[None]:
        """Within it, predictions are as if the user had just run `lines` there; nothing is learned
        of them, and afterwards all is as before."""
        user = situation.user
        before = self.histories.get(user)
        imagined = deepcopy(before) if before else History(hash_text(user))
        for line in lines:
            imagined.add(Recorded(situation, line[:MAX_LINE]), self.lexicon)
        self.histories[user] = imagined
        self._latest = None
        try:
            yield
        finally:
            self._latest = None
            if before is None:
                del self.histories[user]
            else:
                self.histories[user] = before

    def learn(self, recorded: Recorded) -> None:
        """Fold a command in; of long ones the first `MAX_LINE` characters."""
        command = recorded.command[:MAX_LINE]
        recorded = Recorded(recorded.situation, command, recorded.exit, recorded.more_lines)
        moment = self._moment(recorded.situation)
        history = self._history(recorded.situation.user)
        self.names.learn(moment.names, history, name_of(command))
        if moment.lines:
            self.lines.learn(moment.lines, history, command)
        history.add(recorded, self.lexicon)
        self.learned += 1
        self._latest = None

    def _moment(self, situation: Situation) -> _Moment:
        """All that is ranked in `situation`; kept until something is learned."""
        if (
            self._latest
            and self._latest.situation == situation
            and self._latest.step == self.learned
        ):
            return self._latest
        history = self.histories.get(situation.user) or History(hash_text(situation.user))
        view = history.seen_from(situation.session)
        keys = contexts_of(view, situation)
        names = self.names.moment(history, view, keys)
        lines = None
        if self.granularity == "line":
            place = situation.cwd, situation.host
            lines = self.lines.moment(history, view, keys, names, place)
        self._latest = _Moment(situation, self.learned, names, lines)
        return self._latest

    def _history(self, user: str) -> History:
        """The history of `user`, now the latest; the oldest of too many go."""
        history = self.histories.pop(user, None) or History(hash_text(user))
        self.histories[user] = history
        users = len(self.histories)
        if users > self.options.max_users:
            del self.histories[next(iter(self.histories))]
        if users > _AWAKE:
            self._falling_asleep().rest()
        return history

    def _falling_asleep(self) -> History:
        """The latest of those who are no more among the latest."""
        latest_first = reversed(self.histories.values())
        return next(islice(latest_first, _AWAKE, None))

    def forget_user(self, user: str) -> None:
        """Remove a user's history, contexts and texts.

        Counts in the collective stay, without any text that only this user used; to remove these,
        too, build the model anew from the commands of the others.
        """
        hashed = hash_text(user)
        self.histories.pop(user, None)
        self.memory.user.wide.forget(hashed & 0xFFFFFFFF)
        self.memory.user.narrow.forget(hashed & 0xFFFFFFFF)
        self.lexicon.forget(hashed)
        self._latest = None
