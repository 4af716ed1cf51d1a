"""Analytics over REST: figures of what was run, from tables that are counted beforehand.

Times are epoch milliseconds, durations milliseconds, periods of UTC. What nothing is known of is
null, never 0 and never made up: a share of no runs is null, "no runs yet".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

By = Literal["hour", "day", "week", "month"]
Subject = Annotated[str, Field(max_length=200)]


class AnalyticsModel(BaseModel):
    """Base: frozen."""

    model_config = ConfigDict(frozen=True)


class Range(AnalyticsModel):
    """What was looked at: in whole hours, where hours are no longer kept in days, then in months.
    `as_of_ms` is when the newest of all that is counted ended; `by` how a series is divided."""

    from_ms: int
    to_ms: int
    by: By | None = None
    as_of_ms: int = 0


class ShareView(AnalyticsModel):
    """`share` of `of`; the true one lies between `low` and `high` with 95 % (Wilson)."""

    share: float
    low: float
    high: float
    of: int


class DurationView(AnalyticsModel):
    """How long `count` of something took; quantiles are right to 1 %."""

    count: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    most_ms: int


class RunFigures(AnalyticsModel):
    """Runs that ended. `success` is the share of completed ones of those that were not cancelled;
    null: no runs yet. `durations` are those of runs that came to their end."""

    runs: int = 0
    completed: int = 0
    with_errors: int = 0
    failed: int = 0
    cancelled: int = 0
    reruns: int = 0
    attempts: int = 0
    retries: int = 0
    success: ShareView | None = None
    durations: DurationView | None = None


class ApprovalFigures(AnalyticsModel):
    """Gates that people were asked at, and how long it took until they were closed."""

    asked: int = 0
    granted: int = 0
    rejected: int = 0
    expired: int = 0
    waits: DurationView | None = None


class RollbackFigures(AnalyticsModel):
    """Rollbacks that are over; `success` is the share that undid all they should. `by_policy`:
    nobody asked for it but the template."""

    over: int = 0
    rolled_back: int = 0
    incomplete: int = 0
    failed: int = 0
    by_policy: int = 0
    success: ShareView | None = None
    durations: DurationView | None = None


class SuggestionFigures(AnalyticsModel):
    """What became of suggestions that somebody answered; an edited one was taken, too."""

    accepted: int = 0
    edited: int = 0
    dismissed: int = 0
    taken: ShareView | None = None


class TimeSaved(AnalyticsModel):
    """An estimate of people's time that completed runs saved, between two bounds. `basis` says what
    it rests on."""

    estimate: Literal[True] = True
    least_ms: int
    most_ms: int
    handling_ms: int
    measured_gaps: int
    basis: str


class RunSlice(AnalyticsModel):
    """The runs of one hour, day, week or month; the first and the last may be parts of one."""

    from_ms: int
    to_ms: int
    runs: int = 0
    completed: int = 0
    with_errors: int = 0
    failed: int = 0
    cancelled: int = 0
    p50_ms: float | None = None
    p90_ms: float | None = None


class Overview(AnalyticsModel):
    """Everything, or one category or template, in short."""

    range: Range
    category: str | None = None
    template_id: str | None = None
    runs: RunFigures
    approvals: ApprovalFigures
    rollbacks: RollbackFigures
    suggestions: SuggestionFigures
    saved: TimeSaved
    series: tuple[RunSlice, ...] = ()


class TemplateLine(AnalyticsModel):
    """One template among others."""

    template_id: str
    category: str
    runs: RunFigures


class TemplateLines(AnalyticsModel):
    """Templates that ran, those with most runs first. `more` were left out."""

    range: Range
    items: tuple[TemplateLine, ...] = ()
    more: int = 0


class VersionLine(AnalyticsModel):
    """One version of a template."""

    version: str
    runs: RunFigures


class AttemptFigures(AnalyticsModel):
    """Attempts at steps that ended. `success` is the share of completed ones of those whose end is
    known (a lost one's is not); `busy_ms` how long agents worked at all of them together."""

    attempts: int = 0
    completed: int = 0
    failed: int = 0
    lost: int = 0
    busy_ms: int = 0
    success: ShareView | None = None
    durations: DurationView | None = None


class StepLine(AnalyticsModel):
    """One step. `time_share` and `failure_share` are its parts of all time and all failures that
    were looked at."""

    template_id: str
    category: str = ""
    step: str
    command: str
    attempts: AttemptFigures
    time_share: float | None = None
    failure_share: float | None = None


class StepLines(AnalyticsModel):
    """Steps, by the time they take or by their failures. `more` were left out."""

    range: Range
    order: Literal["time", "failures"]
    items: tuple[StepLine, ...] = ()
    more: int = 0


class Speed(AnalyticsModel):
    """How long the agent takes, as a multiple of what others take at the same steps in the same
    month: 0.5 is twice as quick. From `attempts`, of whole months."""

    ratio: float
    attempts: int


class AgentLine(AnalyticsModel):
    """One agent. `speed` is null where no other agent did the same. `undoing`: attempts that undid
    something."""

    agent: str
    attempts: AttemptFigures
    undoing: int = 0
    work_share: float | None = None
    speed: Speed | None = None


class AgentLines(AnalyticsModel):
    """Agents, those that worked longest first. `more` were left out."""

    range: Range
    items: tuple[AgentLine, ...] = ()
    more: int = 0


class FailureLine(AnalyticsModel):
    """A code with which a step failed: how many runs it ended, and how many attempts failed with it
    in runs that did not fail for it."""

    step: str
    code: str
    runs: int = 0
    recovered: int = 0


class AgentFailure(AnalyticsModel):
    """A code with which attempts of an agent failed."""

    code: str
    attempts: int


class TemplateDetail(Overview):
    """One template, closely."""

    versions: tuple[VersionLine, ...] = ()
    steps: tuple[StepLine, ...] = ()
    agents: tuple[AgentLine, ...] = ()
    failures: tuple[FailureLine, ...] = ()


class AgentDetail(AnalyticsModel):
    """One agent, closely: the steps it worked at longest, and what it failed with."""

    range: Range
    line: AgentLine
    steps: tuple[StepLine, ...] = ()
    failures: tuple[AgentFailure, ...] = ()


class RollbackLine(AnalyticsModel):
    """The rollbacks of one template's runs."""

    template_id: str
    category: str
    rollbacks: RollbackFigures


class RollbackSlice(AnalyticsModel):
    """The rollbacks that were over in one day, week or month."""

    from_ms: int
    to_ms: int
    over: int = 0
    rolled_back: int = 0
    incomplete: int = 0
    failed: int = 0


class RollbackAnalytics(AnalyticsModel):
    """Rollbacks, by time and by template."""

    range: Range
    rollbacks: RollbackFigures
    series: tuple[RollbackSlice, ...] = ()
    items: tuple[RollbackLine, ...] = ()
    more: int = 0


class SuggestionLine(AnalyticsModel):
    """Suggestions of one template; of commands all together, without a template."""

    kind: Literal["workflow", "command"]
    template_id: str = ""
    suggestions: SuggestionFigures


class SuggestionSlice(AnalyticsModel):
    """The answers to suggestions in one day, week or month."""

    from_ms: int
    to_ms: int
    accepted: int = 0
    edited: int = 0
    dismissed: int = 0


class SuggestionAnalytics(AnalyticsModel):
    """Suggestions, by time and by what was suggested."""

    range: Range
    suggestions: SuggestionFigures
    series: tuple[SuggestionSlice, ...] = ()
    items: tuple[SuggestionLine, ...] = ()
    more: int = 0
