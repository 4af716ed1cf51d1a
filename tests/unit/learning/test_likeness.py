"""How lines look beside what was typed just before."""

import random

import numpy as np

from shared.learning.history import History, Recorded, Situation
from shared.learning.lexicon import Lexicon
from shared.learning.likeness import LIKENESS_FEATURES, Likeness, Readings
from shared.learning.next_command import NextCommandModel
from shared.learning.options import LearningOptions
from tests.unit.learning.traces import run

LEXICON = Lexicon(2, 100)
LONGER, SHORTER, SAME_NAME, KEPT, KEPT_FAILED, KEPT_NOVEL = range(6, 12)
SAME_CWD, SAME_HOST, FAILED, SUCCEEDED = range(12, 16)


def likeness(
    history: History, text: str, session: str = "s1", place: tuple[str, str] = ("/srv", "h")
) -> list[float]:
    """The features of `text` after `history`."""
    features = np.zeros((1, LIKENESS_FEATURES), np.float32)
    looked = Likeness(Readings(LEXICON), history, history.seen_from(session), place)
    looked.write(features, [LEXICON.id_of(text, "l")], [text])
    return [round(float(each), 3) for each in features[0]]


def history_of(*commands: Recorded) -> History:
    """A history of `commands`."""
    history = History(1)
    for command in commands:
        history.add(command, LEXICON)
    return history


def test_a_correction_keeps_most_of_the_line_that_failed() -> None:
    """What a line keeps of the last one, beginning and end, counts apart where that failed."""
    seen = likeness(history_of(run("gti status", code=127)), "git status")
    assert seen[KEPT] == seen[KEPT_FAILED] == seen[KEPT_NOVEL] == 0.8
    assert seen[SAME_NAME] == 0
    after_success = likeness(history_of(run("gti status", code=0)), "git status")
    assert (after_success[KEPT], after_success[KEPT_FAILED]) == (0.8, 0)


def test_a_line_that_goes_on_and_one_that_leaves_off() -> None:
    """Whether a line begins with the last one, or the last one with it."""
    history = history_of(run("ls -l"))
    assert likeness(history, "ls -l /tmp")[LONGER : SAME_NAME + 1] == [1, 0, 1]
    assert likeness(history, "ls")[LONGER : SAME_NAME + 1] == [0, 1, 1]


def test_the_same_line_is_no_change() -> None:
    """A repetition is told by how lines were used, and no change of the last one."""
    assert likeness(history_of(run("ls -l")), "ls -l")[LONGER:SAME_CWD] == [0] * 6


def test_values_of_the_last_line_of_the_last_few_and_new_ones() -> None:
    """What part of a line's values was in the last line, in the last few, and nowhere lately."""
    history = history_of(run("vim a.py"), run("cat b.py"))
    assert likeness(history, "diff a.py b.py")[2:6] == [0.6, 0.5, 1, 0]
    assert likeness(history, "rm c.py")[2:6] == [0.3, 0, 0, 1]
    assert likeness(history, "ls")[2:6] == [0, 0, 0, 0]


def test_where_a_line_was_used_and_how_it_ended() -> None:
    """The directory and the host of a line's latest use are compared with those of the moment."""
    at = Situation("ann", "s1", "/srv", "h")
    failed = history_of(Recorded(at, "make", 3), Recorded(at, "ls", 0))
    assert likeness(failed, "make", place=("/tmp", "h"))[SAME_CWD:] == [0, 1, 1, 0]
    assert likeness(failed, "ls", place=("/srv", "g"))[SAME_CWD:] == [1, 0, 0, 1]
    assert likeness(failed, "pwd")[SAME_CWD:] == [0, 0, 0, 0]


def test_a_new_session_has_no_last_line() -> None:
    """The last line of another session is not corrected; its values are near still."""
    seen = likeness(history_of(run("vim a.py")), "vim a.py x", session="s2")
    assert seen[LONGER:SAME_CWD] == [0] * 6
    assert seen[3:5] == [0, 0.5]


def test_a_model_learns_what_a_correction_looks_like() -> None:
    """Where misspelled lines that fail are followed by what was meant, in no order that contexts
    could hold, the ranker comes to weigh how much of a failed line is kept."""
    model = NextCommandModel("line", LearningOptions(hidden=8))
    lines = [f"cat {letter}report.txt" for letter in "abcdefghijklmnop"]
    for line in random.Random(1).choices(lines, k=100):
        model.learn(run(line.replace("report", "reprot"), code=1))
        model.learn(run(line, code=0))
    of_likeness = model.lines.ranking.ranker.weights["w"][-LIKENESS_FEATURES:]
    assert of_likeness[KEPT_FAILED] > 0.02
