"""The templates that come with the product raise nothing, up to strict."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.stack.layout import REPO_ROOT
from shared.commands.registry import CommandRegistry
from shared.validation.subject import subject_of_text
from shared.validation.validate import validate

COMMANDS = CommandRegistry.builtin()
TEMPLATES = sorted((REPO_ROOT / "shared" / "templates").glob("*/*.yaml"))
EXAMPLES = sorted((REPO_ROOT / "docs" / "examples").glob("*.yaml"))


def test_there_are_some() -> None:
    """They are where this test looks for them."""
    assert len(TEMPLATES) >= 7
    assert EXAMPLES


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_nothing_is_found(path: Path) -> None:
    """No false alarm, and nothing to mend."""
    found = validate(subject_of_text(path.read_text(), COMMANDS), "strict")
    assert found.findings == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_pass_at_standard(path: Path) -> None:
    """What the guide shows raises nothing at the level of every save."""
    found = validate(subject_of_text(path.read_text(), COMMANDS), "standard")
    assert found.findings == ()
