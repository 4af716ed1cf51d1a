"""Why a text was matched as it was."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.suggest.matcher import Matcher
from shared.suggest.reasons import telling
from shared.templates.loader import builtin

ADVISORY = "Good morning. CVE-2031-7 lets remote attackers bypass the login of foo before 2.4. Bye."


@cache
def of_built_ins() -> Matcher:
    """One for all tests of the file: half a second of work, for which collecting need not
    wait."""
    return Matcher(builtin())


def test_reasons_agree_with_the_answer() -> None:
    """Template and confidence are those of the match."""
    reasons, answer = of_built_ins().explain(ADVISORY), of_built_ins().match(ADVISORY)
    assert answer.best is not None
    assert reasons.template == answer.best.template == "security_alert"
    assert reasons.confidence == pytest.approx(answer.confidence)


def test_signs_are_quoted_from_the_text() -> None:
    """What is said to be seen stands there, as whole words."""
    reasons = of_built_ins().explain(ADVISORY)
    signs = [sign for cue in reasons.cues for sign in cue.signs]
    assert "CVE-2031-7" in signs
    assert "attackers" in signs
    assert all(sign in ADVISORY for sign in signs)


def test_the_telling_sentence_is_found() -> None:
    """Of three sentences the one with the signs is told, whole."""
    assert of_built_ins().explain(ADVISORY).telling == (
        "CVE-2031-7 lets remote attackers bypass the login of foo before 2.4."
    )


def test_only_what_speaks_for_the_answer_is_told() -> None:
    """Cues move the odds up, the strongest first."""
    odds = [cue.odds for cue in of_built_ins().explain(ADVISORY).cues]
    assert odds == sorted(odds, reverse=True)
    assert min(odds) > 0


def test_keywords_of_the_template_are_named() -> None:
    """A keyword that its author wrote is told as such."""
    reasons = of_built_ins().explain("a vulnerability was found in our web server")
    assert "Keywords of the template: vulnerability." in reasons.sentences


def test_the_likest_situation_is_quoted() -> None:
    """Situations are public, as their template is."""
    text = "Planned maintenance of the web hosts on Saturday"
    (first, *_) = of_built_ins().explain(text).similar
    assert first.text == "Planned maintenance of the web hosts on Saturday night."
    assert "Planned maintenance of the web hosts on Saturday night." in str(
        of_built_ins().explain(text).sentences
    )


def test_what_people_wrote_is_not_quoted() -> None:
    """A learned text counts and stays where it is: it may be private."""
    matcher = Matcher(builtin())
    for number in range(6):
        matcher.learn(f"the Q{number} numbers of acme corp for Peter", "task_delegation")
    reasons = matcher.explain("the Q9 numbers of acme corp for Peter")
    assert reasons.template == "task_delegation"
    assert reasons.similar[0].text is None
    assert "Peter" not in str(reasons.sentences)


def test_nothing_has_reasons_too() -> None:
    """Where nothing fits it says so, and what would have come next."""
    reasons = of_built_ins().explain("My cat sleeps in the garden all day")
    assert reasons.template is None
    assert reasons.sentences[0].startswith("No template is likelier")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300))
def test_every_answer_can_be_explained(text: str) -> None:
    """Whatever is asked, there are reasons, and their parts are those there are."""
    reasons = of_built_ins().explain(text)
    assert set(reasons.parts) == {"meaning", "cues", "words", "similar"}
    assert 0 <= reasons.confidence <= 1


def test_a_text_without_marks_has_no_telling_sentence() -> None:
    """Nothing is told of nothing."""
    assert telling("One. Two.", []) == ""
    assert telling("One. Two 3.5 times. Three", [(6, 1.0)]) == "Two 3.5 times."
