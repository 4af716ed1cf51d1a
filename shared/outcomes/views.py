"""What the models hold, as documents: written by who folds, read by who is asked.

Each has a kind, a key that is unique in it, and a rank by which lists are ordered, highest first.
Times are epoch milliseconds, durations seconds, rates and shares 0 to 1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.outcomes.experiments import Verdict
from shared.outcomes.leaning import LevelKind
from shared.outcomes.mattering import SURE
from shared.outcomes.resolving import Kind
from shared.outcomes.tuning import Measure, Setting

LEVELS: Final = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
"""The levels at which durations are kept; those of `shared.forecast.experience`."""

Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Base of everything here: frozen, and nothing that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class View(Part):
    """A document of its own. Which of its fields it is kept, ordered and narrowed by is declared by
    their names; an empty name: by none."""

    kind: ClassVar[str]
    key_field: ClassVar[str]
    rank_field: ClassVar[str] = ""
    group_field: ClassVar[str] = ""

    @property
    def key(self) -> str:
        """Unique among those of its kind."""
        return str(getattr(self, self.key_field))

    @property
    def rank(self) -> float:
        """Orders lists, highest first."""
        return float(getattr(self, self.rank_field)) if self.rank_field else 0.0

    @property
    def group(self) -> str:
        """What lists can be narrowed to."""
        return str(getattr(self, self.group_field)) if self.group_field else ""


class Chance(Part):
    """A rate of success, what it is between with 95 %, and the Beta distribution that says so."""

    probability: Share
    low: Share
    high: Share
    alpha: float = Field(gt=0)
    beta: float = Field(gt=0)


class Counted(Part):
    """A Beta distribution alone."""

    alpha: float = Field(gt=0)
    beta: float = Field(gt=0)


class Leaning(Part):
    """What a chance comes from: a level, whose it is, the runs (or attempts) counted there and
    those that succeeded, and its share of the whole."""

    level: LevelKind
    name: str = ""
    runs: int = 0
    succeeded: int = 0
    share: Share


class Durations(Part):
    """Durations of what completed, at the `LEVELS`; 1 % accurate. Empty without any."""

    count: int = 0
    at: tuple[float, ...] = ()


class Tried(Part):
    """Attempts, fading with age: `again` followed a failed one; `final` failures were not worth
    another try; for `absent` ones nobody was there; `timeouts` are failures, too."""

    ended: float = 0.0
    failed: float = 0.0
    final: float = 0.0
    lost: float = 0.0
    absent: float = 0.0
    again: float = 0.0
    again_failed: float = 0.0
    timeouts: float = 0.0


class OnAgent(Part):
    """A step on one agent."""

    agent: str
    attempts: int
    succeeded: int
    chance: Chance
    durations_s: Durations = Durations()


class StepView(Part):
    """What is believed of the attempts at a step."""

    step: str
    command: str
    attempts: int
    chance: Chance
    leaning: tuple[Leaning, ...]
    tried: Tried
    durations_s: Durations
    agents: tuple[OnAgent, ...] = ()


class ValueView(Part):
    """A value of a parameter (as JSON) that may matter, with the chance of runs with it where it
    does. `shared`: several users have used it."""

    parameter: str
    value: str
    runs: int
    succeeded: int
    chance: Chance
    others: Counted
    """Of runs with other values, where this one is odd."""
    odd: Share
    """How likely it is the one value that is unlike all others."""
    each: Share
    """How likely each value of the parameter has a rate of its own."""
    shared: bool

    @property
    def matters(self) -> float:
        """How likely it is to matter."""
        return self.odd + self.each


class TemplateView(View):
    """What is believed of the runs of a template."""

    kind: ClassVar[str] = "template"
    key_field: ClassVar[str] = "template_id"
    rank_field: ClassVar[str] = "at_ms"

    template_id: str
    category: str
    version: str
    """The version that ran last."""
    runs: int
    succeeded: int
    at_ms: int
    chance: Chance
    leaning: tuple[Leaning, ...]
    durations_s: Durations
    steps: tuple[StepView, ...] = ()
    values: tuple[ValueView, ...] = ()

    @property
    def sure_values(self) -> tuple[ValueView, ...]:
        """Those of parameters of which it is sure that their values make runs differ."""
        matters: dict[str, float] = {}
        for one in self.values:
            matters[one.parameter] = matters.get(one.parameter, one.each) + one.odd
        return tuple(one for one in self.values if matters[one.parameter] >= SURE)


class CategoryView(View):
    """What is believed of a template of a category that was never run; an empty name stands for
    every category that was never run itself."""

    kind: ClassVar[str] = "category"
    key_field: ClassVar[str] = "category"

    category: str
    chance: Chance
    leaning: tuple[Leaning, ...]

    @property
    def key(self) -> str:
        """The category."""
        return self.category or "*"


class CommandView(View):
    """What is believed of a step with a command that was never run in its template."""

    kind: ClassVar[str] = "command"
    key_field: ClassVar[str] = "command"

    command: str
    chance: Chance
    leaning: tuple[Leaning, ...]
    tried: Tried
    durations_s: Durations


class AgentView(View):
    """An agent: how many times as high the odds of failure are on it as on other agents at the same
    steps (`factor`), and the standard deviation of the logarithm of that."""

    kind: ClassVar[str] = "agent"
    key_field: ClassVar[str] = "agent"
    rank_field: ClassVar[str] = "factor"

    agent: str
    attempts: int
    failed: int
    factor: float
    deviation: float = 0.0
    at_ms: int


class ResolutionView(Part):
    """What was done about a failure, and how often the run passed then. `what`: the parameter, the
    version, the agent, the workflow …; `value`: of a parameter, once several users have used it."""

    what_kind: Kind
    what: str = ""
    value: str = ""
    tried: int
    helped: int
    chance: Share
    execution: str = ""
    """The last run that passed."""
    at_ms: int = 0


class Named(Part):
    """How often something occurred."""

    name: str
    count: int


class SignatureView(View):
    """A failure as it is known: its pattern, where and when it occurs, what resolved it."""

    kind: ClassVar[str] = "signature"
    key_field: ClassVar[str] = "id"
    rank_field: ClassVar[str] = "last_ms"

    id: str
    code: str
    pattern: str
    example: str
    tokens: tuple[str, ...]
    count: int
    runs: int
    first_ms: int
    last_ms: int
    weight: float
    commands: tuple[Named, ...] = ()
    steps: tuple[Named, ...] = ()
    agents: tuple[Named, ...] = ()
    values: tuple[Named, ...] = ()
    hours_utc: tuple[int, ...] = ()
    days: tuple[Named, ...] = ()
    latest: tuple[str, ...] = ()
    users: int = 0
    """How many users saw it; more than two are told as two."""
    resolutions: tuple[ResolutionView, ...] = ()

    @property
    def group(self) -> str:
        """Only patterns of as many words, and of the same code, can match a message."""
        return f"{self.code} {len(self.tokens)}"


class GainView(Part):
    """What a change is expected to do: to the share of attempts that fail, or to the seconds that
    one costs when it goes wrong."""

    measure: Measure
    before: float
    after: float
    low: float
    high: float


Status = Literal["open", "applied", "kept", "reverted", "dismissed"]


class ExperimentView(Part):
    """A change that is being tried: against which version, which runs there are, how it stands."""

    base_version: str
    version: str
    floor: Share
    """The share of runs of the base that succeeded, at least, with 95 %."""
    base_runs: int
    base_succeeded: int
    runs: int = 0
    succeeded: int = 0
    verdict: Verdict = "running"
    p_worse: Share = 1.0
    """A result like this would come about at most so likely, if the change were no worse."""
    began_ms: int
    ended_ms: int = 0
    reverted_by: str = ""
    """The version that took it back."""


class ProposalView(View):
    """A change of one setting that runs suggest, and what became of it."""

    kind: ClassVar[str] = "proposal"
    key_field: ClassVar[str] = "id"
    rank_field: ClassVar[str] = "at_ms"
    group_field: ClassVar[str] = "status"

    id: str
    template_id: str
    version: str
    step: str
    setting: Setting
    current: float | int | str
    proposed: float | int | str
    gain: GainView
    cases: int
    why: str
    evidence: tuple[str, ...] = ()
    safe: bool = True
    base_runs: int = 0
    base_succeeded: int = 0
    """The runs of `version`, which the change will be compared with."""
    status: Status = "open"
    at_ms: int = 0
    by: str = ""
    reason: str = ""
    pinned: bool = False
    """A person took it back: the setting stays as it is, whatever runs suggest."""
    experiment: ExperimentView | None = None


InsightKind = Literal["success_pattern", "failure_warning", "tuning", "new_workflow"]


class InsightView(View):
    """Something learned that is worth telling."""

    kind: ClassVar[str] = "insight"
    key_field: ClassVar[str] = "id"
    rank_field: ClassVar[str] = "at_ms"
    group_field: ClassVar[str] = "insight"

    id: str
    insight: InsightKind
    title: str
    text: str
    template_id: str = ""
    step: str = ""
    agent: str = ""
    about: str = ""
    """The signature, the proposal or the workflow that it is about."""
    confidence: Share
    cases: int
    at_ms: int
    memory_id: str = ""


VIEWS: Final[tuple[type[View], ...]] = (
    TemplateView,
    CategoryView,
    CommandView,
    AgentView,
    SignatureView,
    ProposalView,
    InsightView,
)
