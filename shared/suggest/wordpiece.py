"""Words of a text as numbers of a vocabulary: the WordPiece rules of BERT, lower case.

The law (Devlin et al. 2019, and the reference implementation's order of things):

* Control characters go, all white space is one space, letters lose case and accents.
* Punctuation and Chinese characters stand alone.
* A word is cut into the longest pieces that the vocabulary has, from the left; pieces after the
  first begin with `##`. A word that cannot be cut, or of more than 100 letters, is unknown.
* `[CLS]` comes first and `[SEP]` last, and what does not fit into the bound is dropped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

MAX_WORD: Final = 100
"""Letters of a word beyond which it counts as unknown."""

_CHARACTERS_A_TOKEN: Final = 24
"""Characters read for each token wanted: nothing of a long text is worked through in vain."""

_CJK: Final = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """A vocabulary, and texts as ids of its pieces."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces` in the order of their ids; `[UNK]`, `[CLS]` and `[SEP]` are among them."""
        self._ids = {piece: index for index, piece in enumerate(pieces)}
        self._unknown = self._ids["[UNK]"]
        self._first = self._ids["[CLS]"]
        self._last = self._ids["[SEP]"]

    def ids(self, text: str, most: int) -> list[int]:
        """The ids of a text, `most` at most, its first and last mark included."""
        found: list[int] = [self._first]
        for word in _words(text[: most * _CHARACTERS_A_TOKEN]):
            found.extend(self._pieces(word))
            if len(found) >= most:
                break
        return [*found[: most - 1], self._last]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > MAX_WORD:
            return [self._unknown]
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                index = self._ids.get(prefix + word[start:end])
                if index is not None:
                    pieces.append(index)
                    start = end
                    break
            else:
                return [self._unknown]
        return pieces


def _words(text: str) -> Iterator[str]:
    """Words and single signs of a text, in lower case, without accents."""
    letters: list[str] = []
    for character in unicodedata.normalize("NFD", _clean(text).lower()):
        if unicodedata.category(character) == "Mn":
            continue
        if character.isspace() or _stands_alone(character):
            if letters:
                yield "".join(letters)
                letters = []
            if not character.isspace():
                yield character
        else:
            letters.append(character)
    if letters:
        yield "".join(letters)


def _clean(text: str) -> str:
    return "".join(" " if c in "\t\n\r" else c for c in text if c in "\t\n\r" or not _is_control(c))


def _is_control(character: str) -> bool:
    return character in "\x00\ufffd" or unicodedata.category(character)[0] == "C"


def _stands_alone(character: str) -> bool:
    code = ord(character)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(character)[0] == "P" or any(a <= code <= b for a, b in _CJK)
