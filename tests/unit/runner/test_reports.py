"""What the journal is told of a program that failed."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from services.executor.commands.base import Failed
from services.executor.runner.redaction import Redaction
from services.executor.runner.reports import LAST_WORDS, _last_words
from shared.runtime.sealing import Sealer


def words(output: dict[str, Any], *sensitive: str, secret: str = "", code: str = "") -> str:
    redaction = Redaction(Sealer(Fernet.generate_key()), sensitive)
    if secret:
        redaction.learn([secret])
    return _last_words(Failed(code or "unexpected_exit", "exit code 1", True, output), redaction)


def test_the_last_line_says_why() -> None:
    """Of what stands in standard error, without what is blank."""
    assert (
        words({"stderr": "trying\n  cannot connect: refused \n\n"}) == ": cannot connect: refused"
    )
    assert len(words({"stderr": "x" * 5_000})) == LAST_WORDS + 2


@pytest.mark.parametrize("output", [{}, {"stderr": ""}, {"stderr": " \n"}, {"stderr": None}])
def test_without_one_nothing_is_added(output: dict[str, Any]) -> None:
    """The message stays as it is."""
    assert words(output) == ""


def test_what_is_secret_is_not_said() -> None:
    """Secrets are masked before the line is cut; a sensitive stream is not quoted, nor one that was
    cut off, which may end within a secret."""
    line = "x" * (LAST_WORDS - 3) + "hunter2-hunter2"
    assert "hunter" not in words({"stderr": line}, secret="hunter2-hunter2")
    assert words({"stderr": "token is abc"}, "stderr") == ""
    assert words({"stderr": "half of hunt", "stderr_truncated": True}) == ""


def test_other_failures_are_told_as_they_are() -> None:
    """Only of a program that ended badly."""
    assert words({"stderr": "a warning"}, code="not_json") == ""
