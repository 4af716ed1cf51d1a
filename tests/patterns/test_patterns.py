"""Every pattern's example is played, and leads to the trace that stands in its file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.templates.document import parse
from shared.workflow import events as ev
from shared.workflow import messages as msg
from tests.unit.workflow.scenario import Run

FOLDER = Path(__file__).parent
EXAMPLES = sorted(FOLDER.glob("wcp_*.yaml"))
PAGE = FOLDER.parents[1] / "docs/reference/control-flow.md"
UNSEEN = ("timer.", "execution.created", "execution.started", "step.started", "approval.")


def play(run: Run, move: dict[str, Any]) -> None:
    """Let one thing happen."""
    match move:
        case {"grant": _} | {"vote": _}:
            _answer(run, move)
        case {"complete": step}:
            started = run.start(step)
            assert started == ["step.started"]
            run.finish(step, output=move.get("output", {}), output_bytes=10)
        case {"child": step}:
            child = run.step(step).child
            assert child is not None
            run.tell(msg.ChildEnded(step=step, attempt=1, child=child, status="completed"))
        case {"signal": name}:
            run.tell(msg.SignalReceived(id=name, name=name))
        case {"add": step, "after": after, "items": items}:
            run.tell(msg.InstancesAdded(step=step, after=after, items=tuple(items)))
        case {"fire": timer}:
            if timer in run.state.timers:
                run.fire(timer)
        case {"cancel_region": region}:
            run.tell(msg.RegionCancelRequested(region=region))
        case {"cancel": True}:
            run.cancel()
        case _:
            raise AssertionError(f"nobody knows how to play {move}")


def _answer(run: Run, move: dict[str, Any]) -> None:
    if "grant" in move:
        slot = move["grant"]
        run.tell(msg.SlotGranted(slot=slot, key=run.state.slots[slot].key))
    else:
        run.vote("alice", move["vote"], approved=move["approved"])


def told(events: tuple[ev.AnyEvent, ...]) -> list[str]:
    """What of a decision the trace shows."""
    lines = []
    for event in events:
        if event.type.startswith(UNSEEN):
            continue
        kind, _, what = event.type.partition(".")
        lines.append(
            f"{what} {event.step}" if isinstance(event, ev.StepEvent) else f"{kind} {what}"
        )
    return lines


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_pattern_leads_to_its_trace(path: Path) -> None:
    """Each move leads to exactly what the example's trace says."""
    example: Any = parse(path.read_text(encoding="utf-8")).value
    run = Run(*example["steps"])
    run.request()
    trace = [told(run.events)]
    for move in example["play"]:
        play(run, move)
        trace.append(told(run.events))
    assert trace == example["trace"]


def test_the_page_names_every_example() -> None:
    """The table in the documentation names exactly the examples that there are."""
    named = set(re.findall(r"`(wcp_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert named == {path.stem for path in EXAMPLES}
