"""Suggestions as text: how likely, what would be filled in, what is needed, how to run it."""

from __future__ import annotations

from services.cli.suggestion_view import answer_lines
from shared.contracts.suggestions import (
    Needs,
    NextStep,
    Outlook,
    Prefilled,
    Progress,
    Reason,
    SuggestAnswer,
    Suggestion,
    WorkflowPart,
)

WORKFLOW = WorkflowPart(
    template_id="rollout",
    version="1.0.0",
    name="Rollout",
    parameters=(
        Prefilled(name="host", value="web-7", source="text", confidence=0.85, says="named"),
        Prefilled(name="window", value="", source="default", confidence=0.3, says="default"),
    ),
    outlook=Outlook(runs=4, completed=3, success=0.75, low=0.3, high=0.9, says="3 of 4 completed"),
    needs=Needs(approvals=("before it starts: anybody",), values=("version",), live_agents=0),
    progress=Progress(done=("drain",), of=2, rest=(NextStep(step="back", line="lbctl enable w"),)),
)
WHY = Reason(kind="steps", says="your last command stands for step drain", weight=0.3)
ANSWER = SuggestAnswer(
    suggestions=(
        Suggestion(
            id="sgt_1", kind="workflow", title="Rollout", confidence=0.82, workflow=WORKFLOW,
            reasons=(WHY,),
        ),
        Suggestion(
            id="sgc_1", kind="command", title="x", confidence=0.2, command="ls \x1b[2J", reasons=()
        ),
    )
)  # fmt: skip


def told(answer: SuggestAnswer, *, why: bool = False) -> str:
    return "\n".join(line.plain for line in answer_lines(answer, why=why))


def test_a_workflow_is_told_with_all_that_matters() -> None:
    """What is likely, known and lacking; defaults only where everything is asked for."""
    text = told(ANSWER)
    for part in ("82%", "Rollout", "step 1 of 2", "lbctl enable w", "host = web-7", "3 of 4"):
        assert part in text
    assert "values for version" in text
    assert "a live agent (there is none)" in text
    assert "run rollout" in text
    assert "window" not in text
    assert "window" in told(ANSWER, why=True)


def test_what_could_repaint_the_terminal_is_escaped() -> None:
    """A suggested line may come from anybody."""
    assert "\x1b" not in told(ANSWER)


def test_that_nothing_fits_is_said_first() -> None:
    """With how sure that is."""
    answer = SuggestAnswer(nothing=0.9, nothing_fits=True, says="No workflow fits this text.")
    assert told(answer) == "∅ No workflow fits this text.  (90% sure)"
