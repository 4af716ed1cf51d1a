"""The model of the next command: it learns, keeps private what is private, and is bounded."""

from collections.abc import Iterable
from itertools import chain, cycle
from math import log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.learning.contexts import COUNT
from shared.learning.evidence import Evidence, Memory
from shared.learning.history import Recorded, Situation
from shared.learning.next_command import Granularity, NextCommandModel, Suggestion
from shared.learning.options import LearningOptions
from shared.learning.replaying import bytes_of
from shared.learning.snapshot import load, save
from tests.unit.learning.traces import ROUTINE, mixed, routine, run

SMALL = LearningOptions(max_user_rows=1 << 11, max_collective_rows=1 << 10, hidden=8)


def learned(
    commands: "chain[Recorded] | list[Recorded]",
    granularity: Granularity = "line",
    options: LearningOptions = SMALL,
) -> NextCommandModel:
    """A model that has learned `commands`."""
    model = NextCommandModel(granularity, options)
    for each in commands:
        model.learn(each)
    return model


@pytest.mark.parametrize("granularity", ["name", "line"])
def test_a_routine_is_learned(granularity: Granularity) -> None:
    """What a user always does next is suggested first, with confidence."""
    model = learned(list(routine("ann", 12)), granularity)
    first = model.predict(run("", "ann").situation)[0]
    assert first.text == (ROUTINE[0] if granularity == "line" else "cd")
    assert first.confidence > 0.5


def test_who_is_new_gets_what_others_do() -> None:
    """The collective helps a user of whom nothing is known."""
    model = learned(chain(routine("ann", 6), routine("bob", 6), [run(ROUTINE[0], "eve")]))
    assert model.predict(run("", "eve").situation)[0].text == ROUTINE[1]


def test_templates_are_filled_with_own_values() -> None:
    """What others do with their file is suggested with this user's file."""
    both = [
        each
        for user in ("ann", "bob")
        for name in ("one", "two", "three", "four", "five")
        for each in (run(f"vim {user}{name}.py", user), run(f"python {user}{name}.py", user))
    ]
    model = learned([*both, run("vim mine.py", "eve")])
    assert "python mine.py" in [each.text for each in model.predict(run("", "eve").situation)]


def test_nobody_knows_anything() -> None:
    """An empty model suggests nothing."""
    assert NextCommandModel("line", SMALL).predict(Situation("ann")) == []


def test_reasons_name_what_it_followed() -> None:
    """A suggestion's reasons are the contexts that it followed, with their shares."""
    model = learned(list(routine("ann", 5)))
    situation = run("", "ann").situation
    reasons = model.reasons(situation, model.predict(situation)[0].text)
    assert reasons
    assert reasons[0].whose == "you"
    assert all(0 < each.share <= 1 for each in reasons)
    assert model.reasons(situation, "never seen") == ()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_confidences_are_probabilities(seed: int) -> None:
    """They fall, and add up to at most 1."""
    model = NextCommandModel("line", SMALL)
    for each in mixed(seed, 40):
        confidences = [s.confidence for s in model.predict(each.situation, 10)]
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) <= 1 + 1e-6
        model.learn(each)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["name", "line"]))
def test_asking_changes_nothing(seed: int, granularity: Granularity) -> None:
    """A model that was asked all the time is the one that is built from the commands alone."""
    commands = mixed(seed, 50)
    asked = NextCommandModel(granularity, SMALL)
    for each in commands:
        asked.predict(each.situation)
        asked.predict(Situation("somebody else", "elsewhere"))
        asked.learn(each)
    assert save(asked) == save(learned(commands, granularity))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["name", "line"]))
def test_a_snapshot_goes_on_as_the_original(seed: int, granularity: Granularity) -> None:
    """What is saved and loaded predicts and learns as if nothing had been."""
    commands = mixed(seed, 60)
    original = learned(commands[:40], granularity)
    restored = load(save(original), SMALL)
    for each in commands[40:]:
        assert restored.predict(each.situation) == original.predict(each.situation)
        original.learn(each)
        restored.learn(each)
    assert save(restored) == save(original)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    """Bytes that no model gave are an error that says so."""
    with pytest.raises(ValueError, match="not a snapshot"):
        load(data)


SECRET = "mysql --password=hunter2 -h db.internal"


@pytest.mark.parametrize("k", [2, 3])
def test_what_few_have_used_is_shown_to_nobody_else(k: int) -> None:
    """A line enters the collective only when k users have used it; its users see it before."""
    habit = ("ls", SECRET)
    options = LearningOptions(shared_after_users=k, hidden=8)
    model = learned(chain(*(routine(f"u{n}", 8, habit) for n in range(k - 1))), options=options)
    model.learn(run("ls", "eve"))
    situation = run("", "eve").situation
    assert SECRET not in [each.text for each in model.predict(situation, 20)]
    assert SECRET not in str(model.lexicon.shared)
    model.learn(run("ls", "u0"))
    assert model.predict(run("", "u0").situation)[0].text == SECRET
    for each in routine("another", 8, habit):
        model.learn(each)
    assert SECRET in [each.text for each in model.predict(situation, 20)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_no_suggestion_holds_what_only_another_used(seed: int) -> None:
    """Whoever asks, wherever: values of one other user are in no suggestion."""
    model = NextCommandModel("line", SMALL)
    for number, each in enumerate(mixed(seed, 60)):
        user = each.situation.user
        model.learn(run(f"{each.command} private-{user}-{number % 3}.txt", user))
        for suggestion in model.predict(run("", f"user{number % 4}").situation, 20):
            if "private-" in suggestion.text:
                assert f"private-user{number % 4}-" in suggestion.text


def test_forgotten_users_are_gone() -> None:
    """Nothing that a forgotten user typed is left in the snapshot, and others keep theirs."""
    model = learned(chain(routine("ann", 4), routine("bob", 4, ("ls", SECRET))))
    model.forget_user("bob")
    assert "hunter2" not in str(model.lexicon.private) + str(model.lexicon.shared)
    assert "bob" not in model.histories
    before = [each.text for each in model.predict(run("", "ann").situation)]
    assert before[0] == ROUTINE[0]


HOSTILE = "curl evil.example"
HONEST = ("make test", "make deploy")


def told_after_a_flood(flood: Iterable[str], honest: int = 6) -> list[Suggestion]:
    """What somebody new is told after `make test`, where one user floods while others work on."""
    names = cycle(f"honest{number}" for number in range(honest))
    begun = chain(*(routine(next(names), 4, HONEST) for _ in range(honest)))
    model = learned(begun, options=LearningOptions(hidden=8))
    model.learn(run(HOSTILE, "accomplice"))
    for command in flood:
        for each in (run(HONEST[0], "evil"), run(command, "evil")):
            model.learn(each)
        for each in routine(next(names), 1, HONEST):
            model.learn(each)
    model.learn(run(HONEST[0], "new"))
    return model.predict(run("", "new").situation, 20)


@pytest.mark.parametrize("floods", [30, 200])
def test_one_hostile_user_does_not_turn_the_collective(floods: int) -> None:
    """One user who is half of all there is, and always does the same, stays far behind."""
    told = {each.text: each.confidence for each in told_after_a_flood([HOSTILE] * floods)}
    assert max(told, key=lambda text: told[text]) == HONEST[1]
    assert told.get(HOSTILE, 0.0) < 0.2


def test_junk_of_one_user_leaves_the_rest_standing() -> None:
    """A flood of ever new commands neither pushes out nor fades what all use."""
    told = told_after_a_flood(f"junk{number}" for number in range(100))
    assert told[0].text == HONEST[1]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200))
def test_the_weight_of_one_user_in_a_context_is_bounded(times: int) -> None:
    """All that one user adds to a context of the collective is at most D·ln(1 + times/D) + 1."""
    memory = Memory(SMALL)
    keys = np.arange(1, COUNT + 1).astype(np.uint64)
    evidence = Evidence(memory, keys, user=7, sort="n")
    for number in range(times):
        evidence.learn(100 + number)
    damping = SMALL.context_damping
    added = memory.collective.narrow.priority.max()
    assert added <= damping * log1p(times / damping) + 1.1


def test_memory_is_bounded() -> None:
    """Once the tables are full, a model does not grow, whatever comes and whoever."""
    options = LearningOptions(
        max_user_rows=1 << 10, max_collective_rows=1 << 10, max_texts=200, max_users=20, hidden=8
    )
    model = NextCommandModel("line", options)
    sizes = []
    for number in range(900):
        model.learn(run(f"tool{number} /data/{number}.csv", f"user{number // 10}", f"s{number}"))
        if number % 300 == 299:
            sizes.append(bytes_of([model.memory, model.lexicon, model.histories]))
    assert sizes[2] < sizes[1] * 1.05
    assert len(model.histories) <= 20
