"""What `hv show` tells about an execution, and what it leaves out."""

import pytest

from services.cli import rendering
from services.cli.executions import OUTPUT_LIMIT, OUTPUT_LINES, described
from services.cli.progress import Progress
from tests.unit.cli.test_progress import drawn, events, view

OUTPUT = {
    "exit_code": 0,
    "stdout": "one\ntwo  columns\n",
    "stderr": "",
    "stderr_bytes": 0,
    "stdout_truncated": False,
    "changed": False,
}


def shown(output: dict[str, object], limit: int | None = OUTPUT_LIMIT) -> str:
    """The page about an execution whose first step has this output."""
    steps = [one.model_dump() for one in view().steps]
    steps[0] |= {"status": "completed", "output": output}
    parts = described(view(steps=steps), limit)
    return "".join(drawn(part) for part in parts)


def test_an_output_is_told_without_what_says_nothing() -> None:
    """Empty values and bounds that were not reached have no line; a no and a zero do."""
    text = shown(OUTPUT)
    assert "exit_code: 0" in text
    assert "changed: false" in text
    for silent in ("stderr", "_bytes", "_truncated"):
        assert silent not in text


def test_lines_stay_lines() -> None:
    """An output of several lines stands under its name as it was, blanks and all."""
    assert "  stdout:\n    one\n    two  columns\n" in shown(OUTPUT).replace(" \n", "\n")


def test_long_outputs_are_cut_and_say_so() -> None:
    """Of many lines the first are shown, and how many there are more."""
    text = shown({"stdout": "\n".join(f"line {number}" for number in range(OUTPUT_LINES + 5))})
    assert f"line {OUTPUT_LINES - 1}" in text
    assert f"line {OUTPUT_LINES}" not in text
    assert "… and 5 more lines (--full)" in text
    assert "x" * OUTPUT_LIMIT not in shown({"stdout": "x" * 1000}).replace("\n", "")


def test_in_full_nothing_is_left_out() -> None:
    """With --full every value is there, whole."""
    text = shown({**OUTPUT, "more": "\n".join(map(str, range(50)))}, limit=None)
    assert "stdout_truncated: false" in text
    assert "    49" in text


@pytest.mark.parametrize("called_as", ["hv", "./hv"])
def test_who_watches_learns_how_to_approve(monkeypatch: pytest.MonkeyPatch, called_as: str) -> None:
    """An execution that waits for approval shows the command that gives it, and not afterwards."""
    monkeypatch.setenv("HV_CALLED_AS", called_as)
    created, requested, granted = events(
        ("execution.created", {"steps": ["build"]}),
        ("approval.requested", {}),
        ("approval.granted", {}),
    )
    progress = Progress("ex_1")
    progress.apply(created)
    progress.apply(requested)
    hint = f"waits for approval: {called_as} approve ex_1"
    assert hint in drawn(rendering.tree(progress, 2_000))
    stored = view(status="waiting", approval="requested")
    assert hint in drawn(rendering.tree(Progress.of(stored), 2_000))
    progress.apply(granted)
    assert hint not in drawn(rendering.tree(progress, 2_000))


def test_how_an_attempt_was_stopped_is_told() -> None:
    """With signals, exit and processes; what could not be proven says so, with the reason."""
    gone = {"gone": True, "pids": [7, 8], "reason": "none alive", "signals": ["SIGTERM"]}
    unknown = {"gone": False, "reason": "agent a1 did not confirm within 60 s"}
    steps = [one.model_dump() for one in view().steps]
    steps[0]["attempts"] = [
        {"number": 1, "outcome": "cancelled", "proof": gone | {"exit": "SIGTERM"}},
        {"number": 2, "outcome": "lost", "proof": unknown},
        {"number": 3, "outcome": "completed"},
    ]
    text = "".join(drawn(part) for part in described(view(steps=steps), OUTPUT_LIMIT))
    name = steps[0]["id"]
    assert f"{name}, attempt 1: gone (SIGTERM, SIGTERM, processes 7 8): none alive" in text
    assert f"{name}, attempt 2: not proven to be gone: agent a1 did not confirm" in text
    assert "attempt 3:" not in text
