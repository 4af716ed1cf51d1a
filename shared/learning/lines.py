"""The next command line: lines seen before, and templates filled with what was used lately."""

from dataclasses import dataclass
from math import log

import numpy as np

from shared.learning.command_text import abstract, fill, name_of
from shared.learning.context_table import Floats, Rows
from shared.learning.contexts import PAIRED, paired_keys
from shared.learning.evidence import FEATURES, ROWS, Evidence, Memory
from shared.learning.hashing import UInt64s
from shared.learning.history import History, View
from shared.learning.lexicon import Lexicon
from shared.learning.likeness import LIKENESS_FEATURES, Likeness, Readings
from shared.learning.lines_of_names import WIDTH, LinesOfNames
from shared.learning.names import SORT as NAME
from shared.learning.names import NameMoment, best_shares, visible
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

LINE, TEMPLATE = "l", "t"

_NAMES = 8
"""The likeliest names, of which lines become candidates."""

_UNLIKELY = 1e-3
_USES = slice(2 * FEATURES, 2 * FEATURES + USE_FEATURES)
_NAME = slice(_USES.stop, _USES.stop + 3)
_OF_NAME = slice(_NAME.stop, _NAME.stop + WIDTH)
_PRODUCTS = slice(_OF_NAME.stop, _OF_NAME.stop + 4)
_LIKENESS = slice(_PRODUCTS.stop, _PRODUCTS.stop + LIKENESS_FEATURES)
_WIDTH = _LIKENESS.stop
"""Columns of a candidate's features: after the evidence for it and for its template, how it was
used, how likely its name is, what part of the name's lines it is, products of both, and how it
looks beside the last lines."""


@dataclass(frozen=True, slots=True)
class LineMoment:
    """The lines that may come next, ranked, and the templates that some are made of."""

    lines: Evidence
    templates: Evidence
    of_names: LinesOfNames
    ranked: Ranked


class LineModel:
    """Ranks lines by evidence for them, for their templates and for their names."""

    def __init__(self, options: LearningOptions, memory: Memory, lexicon: Lexicon):
        self._options, self._memory, self._lexicon = options, memory, lexicon
        of_name = np.concatenate([[0.0, 1.0, 0.0], np.full(WIDTH, 0.3)])
        first = [FIRST_OF_EVIDENCE * 0.7, FIRST_OF_EVIDENCE * 0.4, np.zeros(USE_FEATURES), of_name]
        first.append(np.zeros(_WIDTH - _PRODUCTS.start))
        self.ranking = Ranking(options, np.concatenate(first), MOMENT + 2 * ROWS + 3, missing=0.7)
        self._readings = Readings(lexicon)

    def moment(
        self,
        history: History,
        view: View,
        keys: UInt64s,
        names: NameMoment,
        place: tuple[str, str] = ("", ""),
    ) -> LineMoment:
        """Rank what may come next, where the names are ranked already.

        `place`: the directory and the host.
        """
        lines = Evidence(self._memory, keys, history.user, LINE)
        templates = Evidence(self._memory, keys, history.user, TEMPLATE)
        limit = self._options.candidates
        ids, texts, of_line = visible(lines, self._lexicon, history.user, limit)
        of_template = self._filled(templates, history, ids, texts)
        likely = [names.ranked.ids[index] for index in names.ranked.order(_NAMES)]
        of_names = LinesOfNames(self._memory, history.user, likely)
        self._add(of_names, history.user, ids, texts)
        features = np.zeros((len(ids), _WIDTH), np.float32)
        lines.write(features, of_line, 0)
        templates.write(features, of_template, FEATURES)
        recent = view.last[0].line, view.last[1].line
        write_uses(features[:, _USES], ids, history.lines, view, recent)
        self._write_names(features, ids, texts, of_names, names.ranked)
        likeness = Likeness(self._readings, history, view, place)
        likeness.write(features[:, _LIKENESS], ids, texts)
        moment = self.ranking.moment(view, lines.totals)
        shares = best_shares(features, 0), best_shares(features, FEATURES)
        said = [len(ids) / limit, names.ranked.probabilities[-1], names.ranked.first()]
        none = np.concatenate([moment, *shares, said]).astype(np.float32)
        question = Question.of(features, moment, none, ids, paired_keys(keys, history.user))
        values = [self._readings.of(text).last_value for text in texts]
        question = question.also_paired(values, keys[list(PAIRED)])
        ranked = Ranked(ids, texts, question, self.ranking.ranker.rank(question))
        return LineMoment(lines, templates, of_names, ranked)

    def _filled(
        self, templates: Evidence, history: History, ids: list[int], texts: list[str]
    ) -> Rows:
        """Fill the best templates, add what is new to `ids` and `texts`.

        The candidate of each template.
        """
        known = {text_id: index for index, text_id in enumerate(ids)}
        _, forms, place = visible(templates, self._lexicon, history.user, self._options.candidates)
        candidates = [-1] * len(forms)
        for number, form in enumerate(forms):
            text = fill(form, history.value_at)
            if text is None:
                continue
            text_id = self._lexicon.id_of(text, LINE)
            if text_id not in known:
                known[text_id] = len(ids)
                ids.append(text_id)
                texts.append(text)
            candidates[number] = known[text_id]
        return np.where(place < 0, -1, np.array([*candidates, -1], np.intp)[place])

    def _add(self, of_names: LinesOfNames, user: int, ids: list[int], texts: list[str]) -> None:
        """Add what likely names stood for, where `user` may see it."""
        known = set(ids)
        for text_id in of_names.features:
            text = None if text_id in known else self._lexicon.seen_by(text_id, user)
            if text is not None:
                ids.append(text_id)
                texts.append(text)

    def _write_names(
        self,
        features: Floats,
        ids: list[int],
        texts: list[str],
        of_names: LinesOfNames,
        names: Ranked,
    ) -> None:
        """How likely each line's name is, and the line, given its name."""
        for row, text_id, text in zip(features, ids, texts, strict=True):
            place = names.place_of(self._readings.of(text).name_id)
            said = float(names.probabilities[place]) if place < len(names.ids) else _UNLIKELY
            row[_NAME] = said, log(said + _UNLIKELY) * 0.3, len(text) * 0.01
            row[_OF_NAME] = of_names.features.get(text_id, 0)
        shares = features[:, _OF_NAME]
        best = shares.max(1)
        likely = features[:, _NAME.start]
        products = [likely * shares[:, 0], likely * shares[:, 2], likely * best, best]
        features[:, _PRODUCTS] = np.log(np.stack(products, 1) + _UNLIKELY) * 0.3

    def learn(self, moment: LineMoment, history: History, line: str) -> None:
        """`line` came."""
        came = self._lexicon.id_of(line, LINE)
        visits = moment.lines.learn(came)
        self.ranking.learn(moment.ranked, came, history.step, visits)
        self._lexicon.used(came, line, history.user)
        moment.of_names.learn(self._lexicon.id_of(name_of(line), NAME), came)
        form = abstract(line, history.place_of)
        form_id = self._lexicon.id_of(form, TEMPLATE)
        moment.templates.learn(form_id)
        self._lexicon.used(form_id, form, history.user)
