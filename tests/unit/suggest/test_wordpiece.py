"""Texts as ids of word pieces."""

from hypothesis import given
from hypothesis import strategies as st

from shared.suggest.wordpiece import MAX_WORD, WordPiece

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "re", "##start", "##s", "the", "host", "!", "é", "e"]
WORDS = WordPiece(PIECES)


def pieces(text: str, most: int = 32) -> list[str]:
    return [PIECES[index] for index in WORDS.ids(text, most)]


def test_words_are_cut_into_the_longest_known_pieces() -> None:
    """What is not a piece itself is cut from the left, and pieces after the first are marked."""
    assert pieces("Restarts the host!") == [
        "[CLS]", "re", "##start", "##s", "the", "host", "!", "[SEP]",
    ]  # fmt: skip


def test_case_and_accents_do_not_count() -> None:
    """Letters lose both before they are looked up."""
    assert pieces("É THE") == ["[CLS]", "e", "the", "[SEP]"]


def test_what_cannot_be_cut_is_unknown() -> None:
    """One unknown part makes the whole word unknown, and so does too great a length."""
    assert pieces("rex " + "e" * (MAX_WORD + 1)) == ["[CLS]", "[UNK]", "[UNK]", "[SEP]"]


@given(st.text(max_size=400), st.integers(min_value=2, max_value=40))
def test_ids_are_bounded_and_framed(text: str, most: int) -> None:
    """Whatever is read, there are the two marks and never more ids than asked for."""
    found = WORDS.ids(text, most)
    assert 2 <= len(found) <= most
    assert (PIECES[found[0]], PIECES[found[-1]]) == ("[CLS]", "[SEP]")
    assert all(0 <= one < len(PIECES) for one in found)
