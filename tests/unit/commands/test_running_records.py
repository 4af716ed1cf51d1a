"""Notes of running programs: what is abandoned, and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.executor.commands.running_records import Note, RunningRecords


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that lives."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_a_note_lasts_until_it_is_forgotten(tmp_path: Path) -> None:
    """What was noted by an earlier process with this pid is abandoned; what is forgotten is not
    there, and forgetting twice is harmless."""
    records = RunningRecords(tmp_path / "running")
    assert list(records.abandoned()) == []
    records.note("a" * 32, "ex_1.step.1.0")
    assert [(note.mark, note.attempt) for note in records.abandoned()] == [
        ("a" * 32, "ex_1.step.1.0")
    ]
    records.forget("a" * 32)
    records.forget("a" * 32)
    assert list(records.abandoned()) == []


def test_programs_of_a_living_process_are_not_abandoned(other: subprocess.Popen[bytes]) -> None:
    """The owner is known by pid and start: while it lives its programs are its own; a later process
    that got its pid is another one, and so is nobody."""
    started = psutil.Process(other.pid).create_time()
    note = Note("a" * 32, "ex_1.step.1.0", other.pid, started)
    assert not note.is_abandoned
    assert replace(note, owner_started_s=started - 3_600).is_abandoned
    other.kill()
    other.wait()
    assert note.is_abandoned


def test_a_note_that_cannot_be_read_is_removed(tmp_path: Path) -> None:
    """One damaged note does not keep the others from being found."""
    records = RunningRecords(tmp_path)
    records.note("b" * 32, "ex_1.step.1.0")
    for name, text in (("a", "{"), ("c", json.dumps({"mark": 1})), ("d", "[]")):
        (tmp_path / f"{name}.json").write_text(text)
    assert [note.mark for note in records.abandoned()] == ["b" * 32]
    assert [file.name for file in tmp_path.iterdir()] == [f"{'b' * 32}.json"]


def test_a_program_runs_even_where_it_cannot_be_noted(tmp_path: Path) -> None:
    """Where notes cannot be written (a full disk, a file in the way) nothing is raised."""
    (tmp_path / "running").write_text("in the way")
    records = RunningRecords(tmp_path / "running")
    records.note("a" * 32, f"ex_{os.getpid()}.step.1.0")
    assert list(records.abandoned()) == []
