"""What `hv rerun` and `hv bulk` say, and the moments that they take."""

from __future__ import annotations

import pytest

from services.cli import bulk, operating
from services.cli.executions import kept_before, operated
from services.cli.faces import now_ms
from services.cli.moments import moment_ms
from services.cli.outcome import CliError
from services.cli.workflows import breakpoints_of
from shared.contracts.api.executions import ExecutionView, MarkView, RerunView, StepView
from shared.contracts.api.operating import BulkAnswer, BulkItem, RerunAnswer
from shared.workflow.captured import Captured
from shared.workflow.messages import Actor
from shared.workflow.state import Pause, Rollback

OLGA = Actor(id="olga")


def test_a_re_run_says_what_it_keeps_and_why_the_rest_runs() -> None:
    """Kept, again with the reason, anew, children, gates, dropped parameters."""
    answer = RerunAnswer(
        rerun_of="ex_1",
        template_id="t",
        template_version="1.0.0",
        kept=("a",),
        again={"b": "it failed", "c": "it comes after b, which runs again"},
        anew=("d",),
        children={"b": "ex_7"},
        approvals=("workflow",),
        dropped_parameters=("old",),
    )
    said = "\n".join(operating.told_of(answer))
    for part in (
        "Would run ex_1 again (t 1.0.0):",
        "kept    a",
        "again   b: it failed; goes on in ex_7",
        "anew    d",
        "gate    workflow",
        "dropped parameter old",
    ):
        assert part in said
    assert "watch" not in said
    accepted = operating.told_of(answer.model_copy(update={"execution_id": "ex_2"}))
    assert accepted[0] == "Accepted t 1.0.0: ex_2 (runs ex_1 again)"
    assert accepted[-1].endswith("watch ex_2")


def test_bulk_says_what_came_of_each() -> None:
    """And that a dry run did nothing."""
    items = (
        BulkItem(execution_id="ex_1", template_id="t", status="running", result="would_apply"),
        BulkItem(
            execution_id="ex_2",
            template_id="t",
            status="failed",
            result="not_applicable",
            detail="it has ended",
        ),
    )
    counts = {"would_apply": 1, "not_applicable": 1}
    answer = BulkAnswer(action="run_now", dry_run=True, items=items, counts=counts, more=True)
    assert bulk.told_of(answer) == [
        "ex_1  t  running  would apply",
        "ex_2  t  failed  not applicable: it has ended",
        "run now: 1 would apply, 1 not applicable",
        "More fit than the limit lets in: narrow the filter, or repeat.",
        "Nothing was done yet: repeat with --yes.",
    ]
    done = items[0].model_copy(update={"result": "accepted", "new_execution_id": "ex_9"})
    answer = BulkAnswer(action="rerun", dry_run=False, items=(done,), counts={"accepted": 1})
    assert bulk.told_of(answer) == ["ex_1  t  running  accepted -> ex_9", "rerun: 1 accepted"]
    nothing = BulkAnswer(action="cancel", dry_run=True, items=(), counts={})
    assert bulk.told_of(nothing) == ["No execution fits."]


def test_show_tells_what_people_did() -> None:
    """A pause, breakpoints, marks, what was kept, and which execution is repeated."""
    view = ExecutionView(
        id="ex_1",
        template_id="t",
        template_version="1.0.0",
        category="custom",
        status="paused",
        ended=False,
        parameters={},
        requested_by=OLGA,
        labels={},
        approval="none",
        outputs={},
        version=1,
        created_at_ms=1,
        started_at_ms=1,
        updated_at_ms=1,
        ended_at_ms=0,
        rerun=RerunView(execution_id="ex_0", by=OLGA, reason="once more"),
        rollback=Rollback(number=2, strategy="manual", by=OLGA, status="rolled_back"),
        pause=Pause(number=3, by=OLGA, reason="lunch"),
        breakpoints=("b", "c"),
        steps=(
            StepView(
                id="a",
                status="completed",
                marked=MarkView(verdict="completed", by=OLGA, reason="by hand"),
            ),
            StepView(id="k", status="completed", kept_from="ex_0"),
        ),
    )
    assert operated(view) == [
        "runs ex_0 again: once more",
        "rollback 2 (manual) by olga: rolled_back",
        "paused by olga: lunch",
        "will pause before b, c",
        "a marked completed by olga: by hand",
        "k was run in ex_0",
    ]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (None, ""),
        (Captured(agent="web-1", items=2, files=2, bytes=12 * 1024), "2 files, 12 KiB"),
        (Captured(agent="web-1", items=3, files=1, bytes=5), "1 file, 2 other things, 5 B"),
        (Captured(agent="web-1", items=1), "1 thing"),
        (Captured(agent="web-1"), "nothing was there"),
        (Captured(agent="web-2", items=1, files=1, bytes=2_621_440), "1 file, 2.5 MiB on web-2"),
    ],
)
def test_what_was_kept_before_a_step_is_told(kept: Captured | None, said: str) -> None:
    """How much of which kind, and where, if not on the agent of its last attempt."""
    assert kept_before(StepView(id="a", status="completed", agent="web-1", captured=kept)) == said


def test_moments() -> None:
    """Ago, or a time; anything else is refused with an example."""
    assert moment_ms(None, "--since") is None
    assert moment_ms("2026-05-01T12:00:00Z", "--since") == 1_777_636_800_000
    ago = moment_ms("2h", "--since")
    assert ago is not None
    assert abs(now_ms() - 7_200_000 - ago) < 60_000
    for wrong in ("yesterday", "2w", "", "2026-13-01"):
        with pytest.raises(CliError, match="is no moment"):
            moment_ms(wrong, "--since")


def test_breakpoints_are_steps_or_instances() -> None:
    """What can be no step is refused before it is sent."""
    assert breakpoints_of(["a", "build[3]"]) == ("a", "build[3]")
    with pytest.raises(CliError, match="no step"):
        breakpoints_of(["Build 3"])
