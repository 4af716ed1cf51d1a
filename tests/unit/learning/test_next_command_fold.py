"""The model of the next command, as a fold."""

from itertools import pairwise

from shared.learning.fold import Fold
from shared.learning.history import Situation
from shared.learning.next_command_fold import NextCommandFold
from shared.learning.options import LearningOptions
from tests.unit.learning.fold_laws import FoldLaws, a_record, fold_in

SMALL = LearningOptions(max_user_rows=1 << 11, max_collective_rows=1 << 10, hidden=8)


class TestNextCommandFold(FoldLaws):
    """It keeps the laws."""

    def make(self) -> Fold:
        return NextCommandFold(SMALL)


def test_it_learns_the_commands_of_the_record() -> None:
    """Every command of the record is one that the model has learned, and nothing else is."""
    items = a_record(4)
    fold = NextCommandFold(SMALL)
    fold_in(fold, items)
    assert fold.model.learned == sum(item.type == "command" for _, item in items)
    assert fold.model.predict(Situation("ann", "s9"))


def test_the_laws_are_fed_with_all_kinds() -> None:
    """The items that folds are tried with have every kind, and places that rise with gaps."""
    items = a_record(1)
    assert {each.type for _, each in items} == {"command", "run", "feedback"}
    steps = [after - before for (before, _), (after, _) in pairwise(items)]
    assert min(steps) == 1 < max(steps)
