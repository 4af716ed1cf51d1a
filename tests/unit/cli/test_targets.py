"""How `hv targets` shows whom a fleet would run on, and what became of each target."""

from __future__ import annotations

from services.cli.targets import _became, _would_run
from shared.contracts.api.targets import FleetPreview, FleetView, TargetView, WouldRunOn
from tests.unit.cli.test_progress import drawn

PREVIEW = FleetPreview(
    step="reload",
    where="agent.labels.role == 'web'\x1b[2J",
    strategy="rolling",
    batches=(1, 2),
    canary=True,
    max_failure=1,
    targets=(
        WouldRunOn(target="w1", host="h1", labels={"role": "web"}, load=0.25, batch=1),
        WouldRunOn(target="w2", host="h2", batch=2),
        WouldRunOn(target="w3", host="h3", batch=2),
    ),
    others={"db1": "the selector does not match"},
)


def test_whom_it_would_run_on() -> None:
    """The batches, each target, and why each other agent is none; nothing repaints the terminal."""
    text = "".join(drawn(part) for part in _would_run(PREVIEW, 4))
    assert "rolling: 3 of 4 live agents (1 + 2, the first is the canary), 1 may fail" in text
    for part in ("w1", "25%", "role=web", "not db1: the selector does not match"):
        assert part in text
    assert "\x1b[2J" not in text


def test_nobody() -> None:
    """Where nobody matches that is said, and what the problem is."""
    fleet = PREVIEW.model_copy(
        update={"targets": (), "batches": (), "canary": False, "problem": "it uses steps.a"}
    )
    text = "".join(drawn(part) for part in _would_run(fleet, 1))
    assert "0 of 1 live agents (0)" in text
    assert "it uses steps.a" in text
    assert "TARGET" not in text


def test_what_became_of_each() -> None:
    """The counts, where the batches stand, why it was stopped, and a line for each target."""
    fleet = FleetView(
        step="reload",
        status="failed",
        batches=3,
        batch=2,
        stopped="stopped: its canary failed",
        total=2,
        failed=1,
        targets=(
            TargetView(
                step="reload[0]", target="w1", batch=1, status="failed", error="exit 1", attempts=2
            ),
            TargetView(step="reload[1]", target="w2", batch=2, status="skipped"),
        ),
    )
    text = "".join(drawn(part) for part in _became(fleet))
    assert "0 of 2 completed, 1 failed, 0 under way, batch 2 of 3" in text
    for part in ("stopped: its canary failed", "w1", "exit 1", "skipped"):
        assert part in text
