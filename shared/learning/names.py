"""The next command's name."""

import numpy as np

from shared.learning.context_table import Floats, Rows
from shared.learning.contexts import paired_keys
from shared.learning.evidence import FEATURES, ROWS, Evidence, Memory
from shared.learning.hashing import UInt64s
from shared.learning.history import History, View
from shared.learning.lexicon import Lexicon
from shared.learning.options import LearningOptions
from shared.learning.ranker import Question
from shared.learning.ranking import (
    FIRST_OF_EVIDENCE,
    MOMENT,
    USE_FEATURES,
    Ranked,
    Ranking,
    write_uses,
)

SORT = "n"


class NameMoment:
    """The names that may come next, ranked."""

    def __init__(self, evidence: Evidence, ranked: Ranked):
        self.evidence, self.ranked = evidence, ranked


class NameModel:
    """Ranks names by evidence and by how they were used before."""

    def __init__(self, options: LearningOptions, memory: Memory, lexicon: Lexicon):
        self._options, self._memory, self._lexicon = options, memory, lexicon
        first = np.concatenate([FIRST_OF_EVIDENCE, np.zeros(USE_FEATURES)])
        self.ranking = Ranking(options, first, MOMENT + ROWS + 1, missing=0.3)

    def moment(self, history: History, view: View, keys: UInt64s) -> NameMoment:
        """Rank what may come next."""
        evidence = Evidence(self._memory, keys, history.user, SORT)
        ids, texts, candidate = visible(
            evidence, self._lexicon, history.user, self._options.candidates
        )
        features = np.zeros((len(ids), FEATURES + USE_FEATURES), np.float32)
        evidence.write(features, candidate, 0)
        recent = view.last[0].name, view.last[1].name
        write_uses(features[:, FEATURES:], ids, history.names, view, recent)
        moment = self.ranking.moment(view, evidence.totals)
        none = np.concatenate(
            [moment, best_shares(features, 0), [len(ids) / self._options.candidates]]
        )
        question = Question.of(
            features, moment, none.astype(np.float32), ids, paired_keys(keys, history.user)
        )
        ranked = Ranked(ids, texts, question, self.ranking.ranker.rank(question))
        return NameMoment(evidence, ranked)

    def learn(self, moment: NameMoment, history: History, name: str) -> None:
        """`name` came."""
        came = self._lexicon.id_of(name, SORT)
        visits = moment.evidence.learn(came)
        self.ranking.learn(moment.ranked, came, history.step, visits)
        self._lexicon.used(came, name, history.user)


def visible(
    evidence: Evidence, lexicon: Lexicon, user: int, limit: int
) -> tuple[list[int], list[str], Rows]:
    """The ids with most evidence that `user` may see, their texts.

    And the candidate of each id (-1: none).
    """
    ids: list[int] = []
    texts: list[str] = []
    candidate = np.full(len(evidence.ids), -1, np.intp)
    for index in evidence.best():
        text_id = int(evidence.ids[index])
        text = lexicon.seen_by(text_id, user)
        if text is None:
            continue
        candidate[index] = len(ids)
        ids.append(text_id)
        texts.append(text)
        if len(ids) == limit:
            break
    return ids, texts, candidate


def best_shares(features: Floats, offset: int) -> Floats:
    """The largest share that each row of evidence gives any candidate."""
    if not len(features):
        return np.zeros(ROWS, np.float32)
    best: Floats = features[:, offset : offset + ROWS].max(0)
    return best
