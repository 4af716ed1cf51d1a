"""Texts to templates, by words and cues alone (the encoder is tested by itself)."""

import math
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.suggest.matcher import Labelled, Matcher
from shared.templates.loader import builtin
from shared.workflow.definition import Step, Template


@cache
def of_built_ins() -> Matcher:
    """One for all tests of the file: half a second of work, for which collecting need not
    wait."""
    return Matcher(builtin())


def template(id_: str, name: str, description: str, *situations: str) -> Template:
    step = Step(id="only", command="noop")
    return Template(
        id=id_, name=name, description=description, situations=situations, steps=(step,)
    )


ROOMS = (
    template(
        "clean",
        "Clean a room",
        "Sweeps the floor and wipes the tables.",
        "The floor is dirty",
        "There is dust on every table",
        "Somebody spilled coffee in the corridor",
    ),
    template(
        "book",
        "Book a room",
        "Reserves a room for a meeting.",
        "We need a room for ten people tomorrow",
        "Reserve the large room for a workshop",
        "Is any meeting room free at noon?",
    ),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The shop answers every request with error 500 since noon", "incident_response"),
        ("CVE-2031-1 lets a remote attacker run code, update now", "security_alert"),
        ("Planned downtime on 4 May from 01:00 to 02:00 UTC for an upgrade", "maintenance_window"),
        ("Change keepalive_timeout to 30 in nginx.conf on all web servers", "config_update"),
        ("How to find out which package a file belongs to", "knowledge_sharing"),
        ("Please somebody take care of the licences by Friday", "task_delegation"),
        ("My cat sleeps all day in the sun", None),
    ],
)
def test_plain_texts_are_understood(text: str, expected: str | None) -> None:
    """Each built-in template is found by a text of its kind, and small talk by none."""
    best = of_built_ins().match(text).best
    assert (best.template if best is not None else None) == expected


def test_the_same_text_has_the_same_answer() -> None:
    """Made twice from the same templates, it answers alike to the last digit."""
    text = "replace the switch on Sunday night"
    assert Matcher(builtin()).match(text) == of_built_ins().match(text)


def test_templates_of_ones_own_are_matched() -> None:
    """Nothing is made for the built-in templates alone."""
    matcher = Matcher(ROOMS)
    found = [
        answer.best.template if answer.best else None
        for answer in map(matcher.match, ("dust on the floor", "a room for our meeting tomorrow"))
    ]
    assert found == ["clean", "book"]


def test_a_template_without_situations_is_found_by_its_words() -> None:
    """Its name and description are all there is, and they are used."""
    rocket = template("rocket", "Launch a rocket", "Fuels and launches a rocket into orbit.")
    answer = Matcher((*ROOMS, rocket)).match("launch the rocket into orbit")
    assert answer.matches[0].template == "rocket"


def test_it_learns_what_it_is_told() -> None:
    """After a few labelled texts of a new kind, others of it are understood."""
    matcher = Matcher(ROOMS)
    for text in (
        "zorblax is flimming",
        "flimming zorblax again",
        "the zorblax flimms a lot",
        "much flimming of zorblax",
    ):
        matcher.learn(text, "clean")
    best = matcher.match("zorblax flimming today").best
    assert best is not None
    assert best.template == "clean"


def test_it_learns_that_nothing_fits() -> None:
    """A label of nothing is learned like any other."""
    matcher = Matcher(ROOMS)
    text = "reserve judgement about the room in the report"
    before = matcher.match(text).nothing
    matcher.learn(text, None)
    assert matcher.match(text).nothing > before


def test_learning_answers_as_before_it() -> None:
    """What is returned was said without the label: it may be judged by it."""
    matcher = Matcher(ROOMS)
    before = matcher.match("wipe the whiteboard")
    assert matcher.learn("wipe the whiteboard", "clean") == before


def test_it_can_be_made_again_from_what_it_learned() -> None:
    """Kept labels give the same answers, nearly: the descent takes another way to the same end."""
    matcher = Matcher(ROOMS)
    for text, label in (("crumbs everywhere", "clean"), ("a place for a talk", "book")):
        matcher.learn(text, label)
    again = Matcher(ROOMS, learned=matcher.learned)
    for text in ("crumbs on the carpet", "a place for the interview"):
        one, other = matcher.match(text), again.match(text)
        assert one.matches[0].template == other.matches[0].template
        assert one.confidence == pytest.approx(other.confidence, abs=0.15)


def test_what_is_forgotten_has_no_effect_any_more() -> None:
    """Without its text, it answers as one that was never taught it."""
    matcher = Matcher(ROOMS)
    matcher.learn("crumbs everywhere", "book")
    assert matcher.forget("crumbs everywhere")
    assert not matcher.forget("crumbs everywhere")
    fresh = Matcher(ROOMS, sharpness=matcher.sharpness)
    assert matcher.match("crumbs on the table") == fresh.match("crumbs on the table")


def test_what_is_learned_is_bounded() -> None:
    """Beyond the bound the oldest labels go, and it goes on learning."""
    matcher = Matcher(ROOMS, most_learned=8)
    for number in range(20):
        matcher.learn(f"crumbs in corner {number}", "clean")
        assert len(matcher.learned) <= 10
    assert matcher.learned[-1] == Labelled("crumbs in corner 19", "clean")


def test_being_right_or_wrong_moves_the_confidence() -> None:
    """The sharpness falls where it was sure and wrong, and rises where it was right."""
    wrong, right = Matcher(ROOMS), Matcher(ROOMS)
    wrong.learn("The floor is dirty", "book")
    right.learn("The floor is rather dirty", "clean")
    assert wrong.sharpness < 1 < right.sharpness


def test_labels_of_gone_templates_are_left_out() -> None:
    """A template may be removed after something was learned about it."""
    matcher = Matcher(ROOMS, learned=[Labelled("old", "gone"), Labelled("dirt", "clean")])
    assert matcher.learned == (Labelled("dirt", "clean"),)


def test_an_unknown_template_cannot_be_learned() -> None:
    """A label must name a template."""
    with pytest.raises(KeyError):
        Matcher(ROOMS).learn("x", "nowhere")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=500))
def test_answers_are_probabilities(text: str) -> None:
    """Whatever is asked, all templates and nothing share one, and the likeliest comes first."""
    answer = of_built_ins().match(text)
    chances = [one.confidence for one in answer.matches]
    assert len(chances) == 6
    assert math.isclose(sum(chances) + answer.nothing, 1, abs_tol=1e-3)
    assert chances == sorted(chances, reverse=True)
    assert answer.confidence == max(*chances, answer.nothing)


@pytest.mark.parametrize("change", [str.strip, lambda text: f"  {text}\n"])
def test_surrounding_space_says_nothing(change: Callable[[str], str]) -> None:
    """A text is the same with space around it, but for rounding."""
    text = "Disk full on db-2"
    assert of_built_ins().match(change(text)).confidence == pytest.approx(
        of_built_ins().match(text).confidence, abs=1e-5
    )
