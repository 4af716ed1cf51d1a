"""`hv eval text`: figures about labelled texts, and what is said of files that are wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.app import build

TEXTS = (
    {"text": "Planned downtime on Sunday from 01:00 to 02:00 UTC", "label": "maintenance_window"},
    {"text": "My cat sleeps all day", "label": None},
)


def evaluate(path: Path, *more: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(build(), ["eval", "text", str(path), "--lexical", *more])
    return done.exit_code, done.stdout, done.stderr


def written(folder: Path, *lines: object) -> Path:
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_figures_are_one_object(tmp_path: Path) -> None:
    """With `--json` the figures are one object on standard output."""
    code, out, _ = evaluate(written(tmp_path, *TEXTS), "--json")
    assert code == 0
    figures = json.loads(out)
    assert set(figures) == {"n", "acc1", "macro", "ece", "nothing", "ms", "model"}
    assert (figures["n"], figures["acc1"], figures["model"]) == (2, 1.0, None)
    assert figures["nothing"] == {"precision": 1.0, "recall": 1.0}


def test_figures_for_people_stand_one_a_line(tmp_path: Path) -> None:
    """Without `--json` each figure has a line with its name."""
    code, out, _ = evaluate(written(tmp_path, *TEXTS))
    assert code == 0
    assert "calibration error" in out
    assert "none: words and cues alone" in out


def test_it_draws(tmp_path: Path) -> None:
    """--plot writes two pictures."""
    pytest.importorskip("matplotlib")
    code, _, _ = evaluate(written(tmp_path, *TEXTS), "--plot", str(tmp_path / "plots"))
    assert code == 0
    drawn = sorted(each.name for each in (tmp_path / "plots").iterdir())
    assert drawn == ["texts-text-accuracy.png", "texts-text-calibration.png"]


def test_feedback_is_learned_after_the_answer(tmp_path: Path) -> None:
    """A text of a new kind is not known the first time, and is known once it was told often."""
    odd = [{"text": f"zorblax flimming {n}", "label": "config_update"} for n in range(12)]
    path = written(tmp_path, *odd)
    _, plain, _ = evaluate(path, "--json")
    _, taught, _ = evaluate(path, "--json", "--feedback")
    assert json.loads(taught)["acc1"] > json.loads(plain)["acc1"]
    assert json.loads(taught)["acc1"] < 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[]", 'line 2: must be an object with "text"'),
        ('{"text": 7, "label": null}', 'line 2: must be an object with "text"'),
        ('{"text": "x"}', 'line 2: "label" is missing'),
        ('{"text": "x", "label": "nowhere"}', "line 2: \"label\" is no template: 'nowhere'"),
        ('{"text": "x", "label": 3}', 'line 2: "label" is no template: 3'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    """Bad input ends with code 2, and says where and what."""
    path = written(tmp_path, TEXTS[0])
    path.write_text(path.read_text("utf-8") + line + "\n", encoding="utf-8")
    code, _, error = evaluate(path)
    assert code == 2
    assert said in error


def test_a_file_without_texts_is_told(tmp_path: Path) -> None:
    """Blank lines are no texts."""
    path = tmp_path / "empty"
    path.write_text("\n\n", encoding="utf-8")
    code, _, error = evaluate(path)
    assert (code, "no texts" in error) == (2, True)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """It is an error of who typed it."""
    code, _, error = evaluate(tmp_path / "nowhere")
    assert (code, "No such file" in error) == (2, True)


def test_templates_of_ones_own_are_known(tmp_path: Path) -> None:
    """A label may name a template from a file, and texts are matched to it."""
    template = tmp_path / "rooms.yaml"
    template.write_text(
        "id: book_room\nname: Book a meeting room\nsituations:\n  - we need a meeting room\n"
        "  - reserve a meeting room for tomorrow\nsteps:\n  - {id: only, command: noop}\n",
        encoding="utf-8",
    )
    path = written(tmp_path, {"text": "reserve a meeting room", "label": "book_room"})
    code, out, _ = evaluate(path, "--json", "--template", str(template))
    assert (code, json.loads(out)["acc1"]) == (0, 1.0)


def test_a_template_file_that_is_none_is_told(tmp_path: Path) -> None:
    """The file's problems are told."""
    path = tmp_path / "bad.yaml"
    path.write_text("id: x\n", encoding="utf-8")
    code, _, error = evaluate(written(tmp_path, *TEXTS), "--template", str(path))
    assert (code, "bad.yaml" in error) == (2, True)
