"""What `hv shell-init` prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.shell_init import SHELLS, hook_of, quoted


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_complete(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place is filled in, and the shell can read it."""
    monkeypatch.setenv("HIVE_RECORD_SPOOL", str(tmp_path / "it's \\ a $(spool)"))
    text = hook_of(shell)
    assert "@S" not in text
    assert "@M" not in text
    program = shutil.which(shell)
    assert program, f"{shell} is not installed: apt-get install {shell}"
    subprocess.run([program, "-n"], input=text, text=True, check=True, timeout=30)


@settings(max_examples=8, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20))
def test_words_come_back(word: str) -> None:
    """Whatever a folder is called, each shell reads its name back."""
    for shell in SHELLS:
        program = shutil.which(shell)
        assert program, f"{shell} is not installed: apt-get install {shell}"
        said = subprocess.run(
            [program, "-c", f"printf '%s' {quoted(word, shell)}"],
            capture_output=True,
            check=True,
            timeout=30,
            env={"LANG": "C.UTF-8", "HOME": "/nonexistent"},
        )
        assert said.stdout.decode() == word
