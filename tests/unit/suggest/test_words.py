"""Words, stems, and the index over them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.suggest import words
from shared.suggest.bm25 import Bm25


@pytest.mark.parametrize(
    "alike",
    [
        ("restart", "restarts", "restarting", "restarted"),
        ("configuration", "configurations"),
        ("update", "updates", "updated", "updating"),
        ("vulnerability", "vulnerabilities"),
    ],
)
def test_forms_of_a_word_have_one_stem(alike: tuple[str, ...]) -> None:
    """Endings do not make another word."""
    assert len({words.stem(word) for word in alike}) == 1


def test_short_words_keep_their_ending() -> None:
    """A stem has four letters at least: `bus` is no plural, `red` no past tense."""
    assert [words.stem(word) for word in ("bus", "red", "does", "disk")] == [
        "bus", "red", "does", "disk",
    ]  # fmt: skip


def test_names_count_by_their_parts() -> None:
    """A file's name and an option are words, too; numbers and stop words are none."""
    assert words.counted("the proxy_read_timeout in nginx.conf 300") == Counter(
        [words.stem(one) for one in ("proxy", "read", "timeout", "nginx", "conf")]
    )


@pytest.mark.parametrize(
    ("name", "words_in_it"),
    [
        ("HostDown", "Host Down"),
        ("proxy_read_timeout", "proxy read timeout"),
        ("PostgreSQL", "PostgreSQL"),
        ("eBay", "eBay"),
    ],
)
def test_names_made_of_words_are_taken_apart(name: str, words_in_it: str) -> None:
    """Names of alerts and settings become words; names of products stay."""
    assert words.spaced(name) == words_in_it


@given(st.text(max_size=2_000))
def test_a_vector_has_length_one_or_nothing(text: str) -> None:
    """Whatever is read, the vector is of a fixed size and its length is one, or zero."""
    found = words.vector(words.counted(text), {}, 1.0)
    assert found.shape == (words.PLACES,)
    length = float(np.linalg.norm(found))
    assert length == pytest.approx(1.0, abs=1e-4) or length == 0


DOCUMENTS = [
    {"name": words.counted("Incident response"), "situations": words.counted("The site is down")},
    {"name": words.counted("Maintenance window"), "situations": words.counted("We reboot hosts")},
]


def test_the_template_with_the_words_scores_best() -> None:
    """Words that only one template has decide, and scores lie between 0 and 1."""
    first, second = Bm25(DOCUMENTS).scores(words.counted("an incident: site down"))
    assert 0 < first <= 1
    assert second == 0


def test_a_word_in_the_name_weighs_more() -> None:
    """The fields of a template do not count alike."""
    index = Bm25([{"name": words.counted("rocket")}, {"situations": words.counted("rocket")}])
    by_name, by_situation = index.scores(words.counted("rocket"))
    assert by_name > by_situation > 0


def test_a_situation_does_not_find_itself() -> None:
    """A text that a template brought along is judged by what else the template says."""
    text = words.counted("The site is down")
    index = Bm25(DOCUMENTS)
    assert index.scores(text)[0] > 0
    assert index.scores(text, own=0)[0] == 0


@given(st.text(max_size=300))
def test_scores_are_shares(text: str) -> None:
    """No text scores beyond what its own words could reach."""
    assert all(0 <= one <= 1 for one in Bm25(DOCUMENTS).scores(words.counted(text)))
