"""`hv eval mining`: what it prints of corpora and of traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli.app import main
from shared.mining.planted import Noise, corpus


def test_corpora_are_judged_by_their_noise(capsys: pytest.CaptureFixture[str]) -> None:
    """For each noise precision and recall are given; without anything planted nothing is found."""
    assert main(["eval", "mining", "--seeds", "1", "--json"]) == 0
    levels = {row["noise"]: row for row in json.loads(capsys.readouterr().out)["levels"]}
    assert levels["0.0"]["recall"] >= 0.9
    assert levels["0.0"]["precision"] >= 0.8
    assert levels["nothing planted"]["proposals"] == 0


def test_a_trace_is_mined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The proposals of a trace are shown, the best first, with what speaks for them."""
    path = tmp_path / "trace.jsonl"
    fields = ("user", "session", "command", "cwd", "host", "exit")
    rows = [
        {**{name: getattr(one, name) for name in fields}, "ts": one.at_ms / 1_000}
        for one in corpus(4, Noise(), sessions=20).commands
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["eval", "mining", str(path), "--first", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["commands"] == len(rows)
    assert len(found["proposals"]) == 2
    assert found["proposals"][0]["score"] >= found["proposals"][1]["score"]
    assert main(["eval", "mining", str(path), "--first", "1"]) == 0
    assert "runs in" in capsys.readouterr().out


def test_a_file_that_is_no_trace_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is told with its line."""
    path = tmp_path / "bad.jsonl"
    path.write_text('{"user": "ann"}\n')
    assert main(["eval", "mining", str(path)]) == 2
    assert "line 1" in capsys.readouterr().err
