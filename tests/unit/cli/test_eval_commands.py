"""`hv eval commands`: what it prints, draws and refuses."""

import gzip
import json
from pathlib import Path

import pytest

from services.cli.app import main

ROWS: list[dict[str, object]] = [
    {"user": user, "command": command, "ts": f"2024-01-01T00:{minute:02}:{second:02}Z"}
    for user, second in (("ann", 1), ("bob", 2))
    for minute, command in enumerate(["ls -l", "git pull", "make"] * 8)
]
FIGURES = {"n", "acc1", "acc3", "acc5", "mrr", "ece", "predict_us", "update_us", "memory_mb"}


def trace(folder: Path, rows: list[dict[str, object]], packed: bool = False) -> Path:
    """A file of these rows."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path = folder / ("trace.jsonl.gz" if packed else "trace.jsonl")
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.mark.parametrize("granularity", ["name", "line"])
def test_it_prints_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], granularity: str
) -> None:
    """With --json: all figures, of plain and packed files together."""
    files = [str(trace(tmp_path, ROWS, packed)) for packed in (False, True)]
    assert main(["eval", "commands", *files, "--granularity", granularity, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures.keys() == FIGURES
    assert figures["n"] == 2 * len(ROWS)
    assert 0.5 < figures["acc1"] <= figures["acc3"] <= figures["acc5"] <= 1
    assert figures["memory_mb"] > 0
    assert figures["predict_us"]["p99"] >= figures["predict_us"]["mean"] * 0.5


def test_it_replays_by_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--interleaved: users in turn, by their times; a time that is missing is told."""
    path = trace(tmp_path, ROWS)
    assert main(["eval", "commands", str(path), "--interleaved"]) == 0
    assert "first is right" in capsys.readouterr().out
    timeless = trace(tmp_path, [{"user": "u", "command": "ls"}])
    assert main(["eval", "commands", str(timeless), "--interleaved"]) == 2
    assert "1 have none" in capsys.readouterr().err


def test_it_draws(tmp_path: Path) -> None:
    """--plot writes two pictures."""
    pytest.importorskip("matplotlib")
    path = trace(tmp_path, ROWS)
    assert main(["eval", "commands", str(path), "--plot", str(tmp_path / "plots")]) == 0
    drawn = sorted(each.name for each in (tmp_path / "plots").iterdir())
    assert drawn == ["trace-name-accuracy.png", "trace-name-calibration.png"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no commands"),
        (b'{"user": "u", "command": "ls"}\n\n{"user": 1}\n', "line 3"),
        (gzip.compress(b'{"user": "u", "command": "ls"}\n' * 99)[:-9], "gzip"),
        (b"\x1f\x8bnothing", "gzip"),
        (b'{"user": "u", "command": "' + b"x" * (1 << 20) + b'"}', "longer than"),
    ],
    ids=["empty", "wrong row", "cut off", "not packed", "endless"],
)
def test_bad_files_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, reason: str
) -> None:
    """What cannot be read is told with its line, and the exit code is 2."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(data)
    assert main(["eval", "commands", str(path)]) == 2
    assert reason in capsys.readouterr().err


def test_a_missing_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is named."""
    assert main(["eval", "commands", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
