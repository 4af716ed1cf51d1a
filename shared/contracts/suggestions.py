"""What the suggestion service is asked, and answers. Times are epoch milliseconds.

Every confidence is a probability: of all that is offered at 0.7, seven in ten are what was wanted.
Nothing is in an answer that its asker may not see: texts, lines and values of others come in only
once enough people have used them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from shared.contracts.collective import Contract
from shared.workflow.names import Slug

TEXT_LIMIT: Final = 20_000
"""Characters of a context; of a longer one send what matters."""
LINE_LIMIT: Final = 4_000
RECENT_LIMIT: Final = 50
MOST: Final = 20

Line = Annotated[str, Field(min_length=1, max_length=LINE_LIMIT)]
Share = Annotated[float, Field(ge=0, le=1)]
Fact = bool | int | float | Annotated[str, Field(max_length=LINE_LIMIT)]
Kind = Literal["workflow", "command"]
Verdict = Literal["accepted", "dismissed", "edited"]


class Asking(Contract):
    """Where the asker is. `recent_commands` are the last ones, the oldest first; without them those
    recorded of the session count."""

    recent_commands: tuple[Line, ...] = Field((), max_length=RECENT_LIMIT)
    session: str = Field("", max_length=200)
    host: str = Field("", max_length=200)
    cwd: str = Field("", max_length=1_000)
    limit: int = Field(5, ge=1, le=MOST)


class SuggestBody(Asking):
    """What is going on: `context` is what came in (an alert, a ticket, a page of log), `intent`
    what is wanted, `facts` what is known by name. All of it may be left out."""

    context: str = Field("", max_length=TEXT_LIMIT)
    intent: str = Field("", max_length=2_000)
    facts: dict[Annotated[str, Field(max_length=100)], Fact] = Field(
        default_factory=dict, max_length=50
    )
    kinds: tuple[Kind, ...] = Field(("workflow", "command"), min_length=1, max_length=2)


class SuggestQuestion(SuggestBody):
    """The same, and who asks."""

    user: str = Field(min_length=1, max_length=200)


class AutocompleteBody(Asking):
    """A sequence that was started, the oldest first; without one that of the session."""

    partial_sequence: tuple[Line, ...] = Field((), max_length=RECENT_LIMIT)


class AutocompleteQuestion(AutocompleteBody):
    """The same, and who asks."""

    user: str = Field(min_length=1, max_length=200)


class PastRun(Contract):
    """An execution that speaks for a suggestion."""

    execution_id: str
    status: str
    at_ms: int
    likeness: Share | None = None


ReasonKind = Literal["cue", "words", "similar_text", "similar_run", "sequence", "steps", "feedback"]


class Reason(Contract):
    """Why, in words (`says`) and in data. `weight` is what it adds to the log odds for cues and
    words, a likeness for what is similar, a share for sequences, steps and feedback."""

    kind: ReasonKind
    says: str
    weight: float
    words: tuple[str, ...] = ()
    context: str = ""
    """For a sequence: what was the same."""
    whose: Literal["", "you", "others"] = ""
    executions: tuple[PastRun, ...] = ()


ValueSource = Literal["facts", "commands", "text", "yours", "others", "agents", "default"]


class Prefilled(Contract):
    """A value for a parameter, where it comes from and how sure that is."""

    name: str
    value: JsonValue
    source: ValueSource
    confidence: Share
    says: str


class Outlook(Contract):
    """What became of earlier runs, computed from executions. Without any `success` is None. `low`
    to `high` holds the true share with 95 %; durations are quantiles of completed runs."""

    runs: int = 0
    completed: int = 0
    success: Share | None = None
    low: Share | None = None
    high: Share | None = None
    duration_p50_ms: int | None = None
    duration_p90_ms: int | None = None
    says: str = "no runs yet"


class Needs(Contract):
    """What a run needs: who must approve what, which capabilities no live agent has, and the values
    that are still missing."""

    approvals: tuple[str, ...] = ()
    capabilities_missing: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    """Agents that are named by steps and are not live."""
    live_agents: int | None = None
    """None: not known now."""
    values: tuple[str, ...] = ()
    """Required parameters for which nothing was found."""


class NextStep(Contract):
    """A step of a workflow that has not been done."""

    step: str
    name: str = ""
    command: str = ""
    line: str = ""
    """For a shell step whose line is known: the line."""


class Progress(Contract):
    """How far a sequence of commands is in a workflow: `done` of `of` steps."""

    done: tuple[str, ...]
    of: int
    rest: tuple[NextStep, ...]


class WorkflowPart(Contract):
    """What is suggested when it is a workflow."""

    template_id: Slug
    version: str
    name: str
    category: str = ""
    parameters: tuple[Prefilled, ...] = ()
    outlook: Outlook = Field(default_factory=Outlook)
    needs: Needs = Field(default_factory=Needs)
    progress: Progress | None = None


class Suggestion(Contract):
    """One suggestion: a workflow to run, or a command line. `id` is for feedback."""

    id: str
    kind: Kind
    title: str
    confidence: Share
    workflow: WorkflowPart | None = None
    command: str = ""
    reasons: tuple[Reason, ...] = ()


class SuggestAnswer(Contract):
    """Suggestions, the likeliest first. `nothing` is the probability that no workflow fits the text
    (None: there was no text); `nothing_fits` says that it is likelier than any workflow."""

    suggestions: tuple[Suggestion, ...] = ()
    nothing: Share | None = None
    nothing_fits: bool = False
    says: str = ""
    learned_to: int = Field(0, description="The place of the record up to which was learned.")
    took_us: int = 0


class AlertText(Contract):
    """An alert in words, and the key that it has in every delivery."""

    key: str = Field("", max_length=1_000)
    text: str = Field(min_length=1, max_length=LINE_LIMIT)


class AlertNotice(Contract):
    """Alerts that came in at a receiver: which workflow do they ask for?"""

    receiver: str = Field(min_length=1, max_length=200)
    alerts: tuple[AlertText, ...] = Field(max_length=20)


class Noticed(Contract):
    """How many workflows were offered for them."""

    offered: int = 0


class FeedbackBody(Contract):
    """What became of a suggestion. `suggested` is a template's id or a line; `chosen` what was
    taken instead (with `edited`), `text` what was asked for. `dismissed` with `nothing_fits` says
    that no workflow was wanted."""

    suggestion_id: str = Field(min_length=1, max_length=200)
    verdict: Verdict
    kind: Kind = "workflow"
    suggested: str = Field(min_length=1, max_length=LINE_LIMIT)
    chosen: str = Field("", max_length=LINE_LIMIT)
    text: str = Field("", max_length=LINE_LIMIT)
    nothing_fits: bool = False
    execution_id: str = Field("", max_length=200)


class FeedbackTaken(Contract):
    """The feedback is kept, without secrets; the same verdict on the same suggestion counts once.
    Of whoever has opted out of recording nothing is kept, as `why` says."""

    id: str
    recorded: bool = True
    why: str = ""
