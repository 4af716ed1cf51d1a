"""The contexts of a moment.

What the next command may depend on, each as a 64-bit key with a label.
"""

from collections.abc import Sequence

import numpy as np

from shared.learning.hashing import UInt64s, combine, hash_text, salted
from shared.learning.history import Past, Situation, View

WIDE = 5
"""The first contexts: they have many successors."""

LABELS = (
    "always",
    "at this prompt",
    "in this directory",
    "after this command in this shell",
    "after this command at this prompt",
    "after these two commands",
    "after these three commands",
    "after these four commands",
    "after this line",
    "after these two lines",
    "after these three lines",
    "after this line and the command before",
    "after a line of this shape",
    "after two lines of these shapes",
    "after this command with this ending",
    "after this shape with this ending",
    "after this command in this directory",
    "after this line in this directory",
    "two commands after",
    "two lines after",
    "after this and the third last command",
    "after the second and third last command",
    "after these three commands in any order",
    "after this value",
    "after this command with this value",
    "after this command at this point of the session",
    "after what was last new",
    "after what was last new and this command",
    "after so many repetitions",
    "after three lines of these shapes",
    "some time after the last line",
    "some time after the line before it",
    "some time after the third last line",
    "some time after the fourth last line",
)
COUNT = len(LABELS)
PAIRED = (0, 2, 3, 5, 8, 12, 14, 23)
"""The contexts whose pairs with a candidate have weights of their own."""

_WINDOW = 4
_SOME_TIME = 0x51DE


def contexts_of(view: View, situation: Situation) -> UInt64s:
    """One key for each of `LABELS`, all different."""
    cwd = hash_text(situation.cwd)
    shell = hash_text(situation.shell)
    prompt = hash_text("\0".join((situation.host, situation.osuser, situation.shell)))
    one, two, three, four = view.last[:4]
    parts: list[tuple[int, ...]] = [
        (),
        (prompt,),
        (cwd, shell),
        (one.name, shell),
        (one.name, prompt),
        (one.name, two.name),
        (one.name, two.name, three.name),
        (one.name, two.name, three.name, four.name),
        (one.line,),
        (one.line, two.line),
        (one.line, two.line, three.line),
        (one.line, two.name),
        (one.shape,),
        (one.shape, two.shape),
        (one.name, one.ending, one.more_lines),
        (one.shape, two.name, one.ending, one.more_lines),
        (one.name, cwd),
        (one.line, cwd),
        (two.name, shell),
        (two.line, shell),
        (one.name, three.name),
        (two.name, three.name),
        tuple(sorted((one.name, two.name, three.name))),
        (one.argument, shell),
        (one.name, one.argument),
        (one.name, min(view.session_step, 6)),
        (view.novel_line, shell),
        (view.novel_line, one.name),
        (one.name, view.repeats),
        (one.shape, two.shape, three.shape),
    ]
    keys = [combine(number, *each) for number, each in enumerate(parts)]
    return np.array(keys + _some_time_after(view.last), np.uint64)


def paired_keys(keys: UInt64s, user: int) -> UInt64s:
    """The keys of `PAIRED`: the collective's, then the user's own."""
    paired = keys[list(PAIRED)]
    return np.concatenate([paired, salted(paired, user)])


def _some_time_after(last: Sequence[Past]) -> list[int]:
    """Keys of the latest different lines, which do not tell how long ago each was."""
    lines = list(dict.fromkeys(each.line for each in last))[:_WINDOW]
    keys = [combine(_SOME_TIME, line) for line in lines]
    return keys + [combine(_SOME_TIME, 0, gap) for gap in range(_WINDOW - len(keys))]
