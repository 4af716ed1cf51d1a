"""Steps whose arguments are a parameter as a whole: of programs that are given others each time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.learning.records import RecordedCommand
from shared.mining.mine import mine
from shared.mining.proposals import Proposal
from shared.mining.shapes import FREE, free_shape_of, is_free, usual_shape
from shared.mining.splitting import parts_of
from shared.validation.subject import subject_of_template
from shared.validation.validate import validate
from tests.unit.mining.recorded import REGISTRY, session

USERS = ("ann", "bob", "eve")
TRIED = [
    f"-{short} --{long} in.bin" if n % 2 else f"--{long} -{short} {n} in.bin"
    for n, (short, long) in enumerate(zip("abcdefghijkl", "opqrstuvwxyz", strict=True))
]
"""Arguments of twelve forms."""


def _worked(middle: Sequence[str], each: int = 12) -> tuple[RecordedCommand, ...]:
    """Three users fetch something, run one of `middle`, and put something away."""
    found: list[RecordedCommand] = []
    for run in range(each * len(USERS)):
        user, host = USERS[run % len(USERS)], f"web{run % 4}"
        line = middle[run // len(USERS) % len(middle)].replace("USER", user)
        lines = [f"fetchit --from {host}", line, f"putaway --of {host}"]
        found += session(user, str(run), lines, at_s=run * 7_200)
    return tuple(found)


def _mined(commands: tuple[RecordedCommand, ...]) -> list[Proposal]:
    return list(mine(commands, REGISTRY).proposals)


def test_a_program_that_is_given_others_each_time_takes_all_its_arguments() -> None:
    """It is a step with a list that must be given, into `argv`, and never one that only looks."""
    (found,) = _mined(_worked([f"crackit {tried}" for tried in TRIED]))
    assert found.steps == (
        "fetchit --from <from>",
        "crackit <crackit_arguments>…",
        "putaway --of <from>",
    )
    given = found.template.parameters["crackit_arguments"]
    assert not given.has_default
    assert given.description is not None
    assert "Most used: --" in given.description
    step = found.template.steps[1]
    assert step.parameters["argv"] == '${{ ["crackit"] + params.crackit_arguments }}'
    assert not step.idempotent
    assert found.template.policies.approval_required
    assert any("all of its arguments" in one for one in found.review)
    assert validate(subject_of_template(found.template, REGISTRY), "standard").passed


def test_arguments_of_one_user_are_not_shown() -> None:
    """What a user alone gave is in no description, example or default of what all see."""
    (found,) = _mined(_worked([f"crackit {tried} --key USER-own" for tried in TRIED]))
    assert found.owner == ""
    assert "-own" not in found.model_dump_json()
    assert "crackit_arguments" in found.template.parameters


def test_a_usual_form_is_kept() -> None:
    """Where enough of the runs have one form, that is the step."""
    usual = ["crackit --slow in.bin"] * 4 + [f"crackit {tried}" for tried in TRIED[:4]]
    (found,) = _mined(_worked(usual))
    assert found.steps[1] == "crackit --slow in.bin"


def test_how_to_look_is_no_step() -> None:
    """A program that only looks, in other ways each time, is left out."""
    found = _mined(_worked([f"journalctl {tried}" for tried in TRIED]))
    assert all("journalctl" not in line for one in found for line in one.steps)
    assert found


@pytest.mark.parametrize("line", ["crackit", "git -c a=b push", "crackit $HOME", "crackit a | wc"])
def test_what_cannot_be_free(line: str) -> None:
    """No arguments, a first word that says what is done, and what needs a shell."""
    assert free_shape_of(parts_of(line, "/w")[0]) is None


def test_the_free_shape_is_the_last_resort() -> None:
    """It is taken only where no other one is in a quarter of the commands."""
    forms = [(user, parts_of(f"crackit {tried}", "/w")[0]) for tried in TRIED for user in USERS]
    assert usual_shape(forms, 2) == ("crackit", FREE)
    usual = [(user, parts_of("crackit --slow in.bin", "/w")[0]) for user in USERS] * 8
    shape = usual_shape([*forms, *usual], 2)
    assert shape is not None
    assert not is_free(shape)
