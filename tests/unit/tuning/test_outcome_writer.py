"""What is learned of outcomes is written, tuned and told: over the ports in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from services.learning.outcomes import OutcomeWriter
from shared.collective.insights import InsightDesk
from shared.contracts.collective import MemoryQuery
from shared.learning.fold import Fold
from shared.learning.records import RunRecord
from shared.memory.clock import ManualClock
from shared.memory.events import MemoryEvents
from shared.memory.memories import MemoryMemories
from shared.memory.outcomes import MemoryOutcomeViews
from shared.memory.templates import MemoryTemplateStore
from shared.outcomes.failures import FailureModel
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import SuccessModel
from shared.outcomes.trials import TrialModel
from shared.outcomes.views import (
    AgentView,
    CategoryView,
    CommandView,
    InsightView,
    ProposalView,
    SignatureView,
    TemplateView,
)
from shared.ports.templates import StoredTemplate
from shared.templates.content import content_hash
from shared.tuning.desk import TUNING, NotNowError, TuningDesk, UnknownProposalError
from tests.unit.outcomes.made_runs import NOW_MS, a_run
from tests.unit.outcomes.test_tuning import a_template

T = TypeVar("T")
SLOW = "rollout.deploy.timeout_s"


class Inline:
    """Computes at once."""

    async def run(self, work: Callable[[], T]) -> T:
        """Give what it gives."""
        return work()


def new_folds() -> list[Fold]:
    return [SuccessModel(), DurationModel(), FailureModel(), TrialModel()]


@dataclass
class World:
    """A writer over the ports in memory."""

    folds: list[Fold] | None = field(default_factory=new_folds)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))
    views: MemoryOutcomeViews = field(default_factory=MemoryOutcomeViews)
    templates: MemoryTemplateStore = field(default_factory=MemoryTemplateStore)
    memories: MemoryMemories = field(default_factory=MemoryMemories)
    events: MemoryEvents = field(default_factory=MemoryEvents)
    place: int = 0

    def __post_init__(self) -> None:
        self.tuning = TuningDesk(self.views, self.templates, {})
        telling = InsightDesk(self.views, self.memories, self.events)
        self.writer = OutcomeWriter(
            lambda: self.folds, self.views, self.templates, self.tuning, telling, Inline(),
            self.clock,
        )  # fmt: skip

    async def learn(self, runs: Sequence[RunRecord]) -> None:
        """Fold runs in, and write what is learned."""
        for run in runs:
            self.place += 1
            for fold in self.folds or ():
                fold.apply(run, self.place)
        await self.writer.round()

    async def store(self, policies: dict[str, Any] | None = None, **step: Any) -> None:
        """A template, as its author stored it."""
        template = a_template(policies, **step)
        await self.templates.put(StoredTemplate(template, content_hash(template), 1, "ann"))

    async def newest(self) -> StoredTemplate:
        """The newest version of it."""
        found = await self.templates.find("rollout")
        assert found is not None
        return found

    async def proposal(self) -> ProposalView:
        """The one that there is."""
        (found,) = await self.views.page(ProposalView)
        return found

    async def told(self) -> list[str]:
        """The kinds and subjects of all insights, the newest last."""
        found = await self.views.page(InsightView)
        return sorted(f"{one.insight} {one.about}" for one in found)


@pytest.fixture
def world() -> World:
    return World()


def quick(count: int, first: int = 0, **given: Any) -> list[RunRecord]:
    return [a_run(first + n, lasted_ms=2_000, **given) for n in range(count)]


async def test_what_is_learned_is_written(world: World) -> None:
    """Of a failed run: its template, category, command, agent and the failure."""
    await world.learn([a_run(1), a_run(2, False)])
    template = await world.views.get(TemplateView, "rollout")
    assert template is not None
    assert (template.runs, template.succeeded) == (2, 1)
    assert template.steps[0].agents[0].attempts == 2
    assert await world.views.keys(CategoryView) == ["*", "maintenance"]
    assert await world.views.keys(CommandView) == ["shell"]
    assert await world.views.keys(AgentView) == ["agent-a"]
    (failure,) = await world.views.page(SignatureView)
    assert failure.pattern == "connection to <IP> refused"


async def test_only_what_changed_is_written_again(world: World) -> None:
    """A run of one template leaves the views of others alone."""
    await world.learn([a_run(1), a_run(1, template="backup")])
    await world.views.remove(TemplateView, ["backup"])
    await world.learn([a_run(2)])
    assert await world.views.keys(TemplateView) == ["rollout"]


async def test_a_rebuilt_model_is_written_whole(world: World) -> None:
    """What the model of before knew and this one does not is gone; half of one is never written."""
    await world.learn([a_run(1, False), a_run(2)])
    world.folds = None
    await world.writer.round()
    assert len(await world.views.page(SignatureView)) == 1
    world.folds = new_folds()
    await world.learn([a_run(2)])
    assert await world.views.page(SignatureView) == []
    found = await world.views.get(TemplateView, "rollout")
    assert found is not None
    assert found.runs == 1


async def test_a_proposal_is_made_and_told(world: World) -> None:
    """Sixty quick runs under a timeout of five minutes."""
    await world.store()
    await world.learn(quick(60))
    found = await world.proposal()
    assert (found.id, found.status, found.proposed) == (SLOW, "open", 6.0)
    assert (found.base_runs, found.base_succeeded) == (60, 60)
    assert "tuning " + SLOW in await world.told()
    assert (await world.newest()).template.version == "1.0.0"


async def test_a_proposal_that_runs_no_longer_suggest_goes(world: World) -> None:
    """The next runs are slow."""
    await world.store()
    await world.learn(quick(60))
    await world.learn([a_run(100 + n, lasted_ms=200_000) for n in range(5)])
    assert await world.views.page(ProposalView) == []


async def test_an_applied_proposal_is_a_version_that_is_tried(world: World) -> None:
    """It is applied by a person, runs go well, and after a hundred it is kept."""
    await world.store()
    await world.learn(quick(60))
    applied = await world.tuning.apply(SLOW, "bob", NOW_MS)
    newest = await world.newest()
    assert (newest.template.version, newest.template.steps[0].timeout_s) == ("1.0.1", 6.0)
    assert newest.created_by == "bob"
    assert applied.experiment is not None
    assert applied.experiment.floor > 0.9
    await world.learn(quick(99, 100, template_version="1.0.1"))
    assert (await world.proposal()).status == "applied"
    await world.learn(quick(1, 300, template_version="1.0.1"))
    kept = await world.proposal()
    assert kept.status == "kept"
    assert kept.experiment is not None
    assert kept.experiment.runs == 100


async def test_a_change_that_is_worse_is_taken_back(world: World) -> None:
    """Runs of the new version fail: a further version has the old value, and that is told; it is
    not proposed again."""
    await world.store()
    await world.learn(quick(60))
    await world.tuning.apply(SLOW, "bob", NOW_MS)
    for n in range(6):
        await world.learn([a_run(100 + n, False, code="timeout", template_version="1.0.1")])
    newest = await world.newest()
    assert (newest.template.version, newest.template.steps[0].timeout_s) == ("1.0.2", 300.0)
    assert newest.created_by == TUNING
    reverted = await world.proposal()
    assert reverted.status == "reverted"
    assert reverted.experiment is not None
    assert reverted.experiment.reverted_by == "1.0.2"
    assert reverted.experiment.p_worse <= 0.05
    await world.learn(quick(80, 200, template_version="1.0.2"))
    assert (await world.proposal()).status == "reverted"


async def test_nothing_is_taken_back_behind_a_newer_version(world: World) -> None:
    """Somebody has changed the template meanwhile: the trial is over, their version stays."""
    await world.store()
    await world.learn(quick(60))
    await world.tuning.apply(SLOW, "bob", NOW_MS)
    theirs = (await world.newest()).template.model_copy(update={"version": "2.0.0"})
    await world.templates.put(StoredTemplate(theirs, content_hash(theirs), 2, "ann"))
    await world.learn([a_run(100 + n, False, template_version="1.0.1") for n in range(9)])
    assert (await world.newest()).template.version == "2.0.0"
    assert "has taken its place" in (await world.proposal()).reason


async def test_a_person_takes_a_change_back(world: World) -> None:
    """In its trial or after it; the setting is then pinned, though runs suggest another value."""
    await world.store({"tuning": "apply"})
    await world.learn(quick(60))
    done = await world.tuning.revert(SLOW, "bob", "too short at night", NOW_MS)
    newest = await world.newest()
    assert (newest.template.version, newest.template.steps[0].timeout_s) == ("1.0.2", 300.0)
    assert (done.status, done.by, done.pinned) == ("reverted", "bob", True)
    await world.learn([a_run(100 + n, lasted_ms=9_000) for n in range(60)])
    assert (await world.newest()).template.version == "1.0.2"
    with pytest.raises(NotNowError, match="is reverted: only what was applied"):
        await world.tuning.revert(SLOW, "bob", "", NOW_MS)
    with pytest.raises(UnknownProposalError):
        await world.tuning.revert("none", "bob", "", NOW_MS)


@pytest.mark.parametrize("policy", ["apply", "apply_with_agents"])
async def test_another_agent_is_chosen_where_the_policy_names_it(world: World, policy: str) -> None:
    """A step pinned to an agent that fails moves to one that does not, by itself only so; worse
    there, it moves back."""
    await world.store({"tuning": policy}, target={"host": "bad"}, timeout_s=6)
    runs = [a_run(n, n % 2 == 0, agent="bad", lasted_ms=2_000) for n in range(60)]
    await world.learn([*runs, *quick(60, 100, agent="good")])
    allowed = policy == "apply_with_agents"
    found = await world.proposal()
    assert (found.setting, found.proposed) == ("target.host", "good")
    assert found.status == ("applied" if allowed else "open")
    host = (await world.newest()).template.steps[0].target.host
    assert host == ("good" if allowed else "bad")
    if allowed:
        failed = [a_run(300 + n, False, template_version="1.0.1", agent="good") for n in range(30)]
        await world.learn(failed)
        assert (await world.newest()).template.steps[0].target.host == "bad"


async def test_a_template_may_let_it_be_applied(world: World) -> None:
    """With `policies.tuning: apply` nobody is asked."""
    await world.store({"tuning": "apply"})
    await world.learn(quick(60))
    newest = await world.newest()
    assert (newest.template.version, newest.created_by) == ("1.0.1", TUNING)
    assert (await world.proposal()).status == "applied"


async def test_what_was_dismissed_is_not_proposed_again(world: World) -> None:
    """Further runs suggest the same, and nobody is bothered."""
    await world.store()
    await world.learn(quick(60))
    await world.tuning.dismiss(SLOW, "bob", "no", NOW_MS)
    await world.learn(quick(5, 100))
    assert (await world.proposal()).status == "dismissed"
    with pytest.raises(NotNowError, match="is dismissed, not open"):
        await world.tuning.apply(SLOW, "bob", NOW_MS)
    with pytest.raises(UnknownProposalError):
        await world.tuning.apply("none", "bob", NOW_MS)


async def test_a_setting_that_was_changed_meanwhile_is_left_alone(world: World) -> None:
    """The proposal speaks of a value that is no longer there."""
    await world.store()
    await world.learn(quick(60))
    theirs = a_template(timeout_s=30).model_copy(update={"version": "1.1.0"})
    await world.templates.put(StoredTemplate(theirs, content_hash(theirs), 2, "ann"))
    with pytest.raises(NotNowError, match=r"timeout_s .* is 30\.0 in version 1\.1\.0"):
        await world.tuning.apply(SLOW, "bob", NOW_MS)


async def test_a_new_failure_is_told_once(world: World) -> None:
    """As an event, and as a memory that holds the pattern and no value."""
    runs = [a_run(n, False, message=f"user 'ann-{n}' at 10.0.0.{n} refused") for n in range(4)]
    await world.learn(runs[:2])
    assert await world.told() == []
    await world.learn(runs[2:])
    await world.learn([a_run(9, False, message="user 'eve' at 10.0.0.9 refused")])
    (failure,) = await world.views.page(SignatureView)
    assert await world.told() == [f"failure_warning {failure.id}"]
    recalled = await world.memories.recall(MemoryQuery(text="refused"), NOW_MS)
    assert [one.memory.category for one in recalled] == ["insight"]
    assert "ann" not in recalled[0].memory.content
    event = (await anext(world.events.read(0))).event
    assert await world.events.last_seq() == 1
    assert (event.type, event.data["about"]) == ("insight.failure_warning", failure.id)
    assert "ann" not in event.model_dump_json()


async def test_what_is_old_is_not_told(world: World) -> None:
    """A rebuild from history warns of nothing that is long past."""
    old = NOW_MS - 3 * 86_400_000
    await world.learn([a_run(n, False, at_ms=old) for n in range(9)])
    assert await world.told() == []


async def test_what_succeeds_is_told(world: World) -> None:
    """A template over many runs, and a value that several users have used."""
    await world.learn(
        [
            a_run(n, n % 4 != 1, by=f"user-{n % 3}", parameters={"zone": "ba"[n % 4 != 1]})
            for n in range(80)
        ]
    )
    await world.learn(quick(80, template="backup"))
    (failure,) = await world.views.page(SignatureView)
    assert await world.told() == [
        f"failure_warning {failure.id}",
        "success_pattern backup",
        "success_pattern rollout",
    ]


async def test_no_more_is_told_than_people_read(world: World) -> None:
    """Thirty new failures in one hour: twelve are told, others when they occur later."""
    words = [f"{a}{b}" for a in "abcde" for b in "klmnop"]
    runs = [a_run(n, False, message=f"{word} {word} broke down") for n, word in
            enumerate(words * 3)]  # fmt: skip
    await world.learn(runs)
    assert len(await world.told()) == 12
    world.clock.advance(3_700_000)
    await world.learn([a_run(900, False, message="ep ep broke down")])
    assert len(await world.told()) == 13
