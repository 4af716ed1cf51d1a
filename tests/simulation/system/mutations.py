"""Deliberately broken variants of the production code, each by one patched function.

A simulation that passes all of them would prove nothing: each must be caught by some seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final, cast
from unittest.mock import patch

from services.executor.coordinator.cache import StateCache
from services.executor.coordinator.coordinator import Coordinator
from services.executor.coordinator.family import Family
from services.executor.coordinator.translation import Translator
from services.executor.coordinator.turns import Turns
from services.executor.coordinator.writer import WriteBehind
from services.executor.runner.claiming import Claims, Verdict
from services.executor.runner.runner import Runner
from shared.workflow import (
    attempts,
    concurrency_key,
    decide,
    gate_answers,
    instances,
    lifecycle,
    routing,
    settling,
    validating,
)
from shared.workflow.definition import OnLost
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import CancelRequested, RunValidated, TimerFired
from shared.workflow.program import CompiledStep
from shared.workflow.slot_events import SlotAsked

Patch = AbstractContextManager[Any]
MUTATIONS: Final[dict[str, Callable[[], Patch]]] = {}


@contextmanager
def mutated(
    name: str | None, known: Mapping[str, Callable[[], Patch]] | None = None
) -> Iterator[None]:
    """The production code with this defect; without a name as it is. Raises `KeyError`."""
    with ExitStack() as stack:
        if name is not None:
            stack.enter_context((MUTATIONS if known is None else known)[name]())
        yield


def _mutation(make: Callable[[], Patch]) -> Callable[[], Patch]:
    MUTATIONS[make.__name__.removeprefix("_").replace("_", "-")] = make
    return make


def _together(*patches: Patch) -> Patch:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack


# The coordinator


@_mutation
def _no_dedup_of_entries() -> Patch:
    """An entry that the state has applied is applied again."""
    original = Turns._apply_one

    def again(self: Turns, raw: Any) -> None:
        with patch.object(StateCache, "get", _older(raw.seq)):
            original(self, raw)

    return patch.object(Turns, "_apply_one", again)


def _older(seq: int) -> Callable[[StateCache, str], Any]:
    original = StateCache.get

    def get(self: StateCache, execution_id: str) -> Any:
        stored = original(self, execution_id)
        return stored and stored.model_copy(update={"seq": min(stored.seq, seq - 1)})

    return get


@_mutation
def _acknowledged_before_written() -> Patch:
    """The journal is told first, the store after it."""
    original = WriteBehind._flush

    async def flush(self: WriteBehind) -> None:
        for partition, seq in self._floors.items():
            await self._reader.acknowledge(partition, seq)
        await original(self)

    return patch.object(WriteBehind, "_flush", flush)


@_mutation
def _states_before_effects() -> Patch:
    """A state is stored before the effects of its turn are durable."""
    original = WriteBehind._flush

    async def flush(self: WriteBehind) -> None:
        self._forgotten.clear()
        await self._write(list(self._dirty.values()))
        await original(self)

    return patch.object(WriteBehind, "_flush", flush)


@_mutation
def _states_before_quarantine() -> Patch:
    """A later state is stored before what was put aside is recorded."""
    original = WriteBehind._flush

    async def flush(self: WriteBehind) -> None:
        self._forgotten.clear()
        dirty, flights = list(self._dirty.values()), list(self._flights)
        for flight in flights:
            await flight
        await self._write(dirty)
        await original(self)

    return patch.object(WriteBehind, "_flush", flush)


@_mutation
def _old_batches_applied() -> Patch:
    """A batch from before its partition was lost is applied after it, on states from before too."""

    async def opened(self: Coordinator, partition: int) -> None:
        self.turns.begin(partition)
        self.turns.opened(partition, await self._reader.open(partition))

    return _together(
        patch.object(Turns, "_is_of_now", lambda _self, _batch, _partition: True),
        patch.object(Coordinator, "_open", opened),
    )


@_mutation
def _stale_owner_writes() -> Patch:
    """What was lost with its partition stays in hand, and is written."""
    return _together(
        patch.object(WriteBehind, "forget", lambda _self, _partition: None),
        patch.object(StateCache, "drop_partition", lambda _self, _partition: None),
    )


@_mutation
def _no_events_on_replay() -> Patch:
    """What may have been carried out before a crash is not carried out again."""
    original = Translator.carry_out

    def carry_out(self: Translator, *args: Any, again: bool) -> None:
        if not again:
            original(self, *args, again=again)

    return patch.object(Translator, "carry_out", carry_out)


@_mutation
def _parent_not_told() -> Patch:
    """A sub-workflow ends, and nobody tells the step that called it."""
    return patch.object(Family, "to_parent", lambda _self, _state, _parent: None)


@_mutation
def _children_of_a_moment_silent() -> Patch:
    """A sub-workflow that is over in its first moment tells nobody."""
    original = Family.to_parent

    def to_parent(self: Family, state: Any, parent: Any) -> None:
        if state.created_at_ms != state.ended_at_ms:
            original(self, state, parent)

    return patch.object(Family, "to_parent", to_parent)


# The runner


@_mutation
def _claims_ignored() -> Patch:
    """A task is started without asking anybody."""

    async def claim(_self: Claims, _held: Any) -> Verdict:
        return Verdict.RUN

    return patch.object(Claims, "claim", claim)


@_mutation
def _decisions_ignored() -> Patch:
    """A claim that is in the journal is taken for the leave to start."""

    async def claimed(self: Claims, held: Any) -> Verdict:
        await self._state(held)
        self._grant(held, 0, self._elapsed_s())
        return Verdict.RUN

    return patch.object(Claims, "_claimed", claimed)


@_mutation
def _only_copy_acknowledged() -> Patch:
    """What looks like a second copy of a task is acknowledged, though it may be the only one."""
    original = Claims._who_runs

    async def who_runs(self: Claims, held: Any, agent: str, question: Any) -> Verdict:
        if held.delivery.deliveries == 1 and held.delivery.resent:
            return Verdict.DONE
        return await original(self, held, agent, question)

    return patch.object(Claims, "_who_runs", who_runs)


@_mutation
def _acknowledged_before_reported() -> Patch:
    """A task is acknowledged before its report is in the journal."""
    original = Runner._report

    async def report(self: Runner, held: Any, report: Any) -> None:
        await held.delivery.acknowledge()
        await original(self, held, report)

    return patch.object(Runner, "_report", report)


# The core


@_mutation
def _join_of_any() -> Patch:
    """A step starts as soon as one of those that it waits for has ended."""
    original = routing.verdict

    def verdict(turn: Any, step_id: str) -> Any:
        before = [turn.step(name) for name in turn.program.graph.dependencies[step_id]]
        if any(one.status is StepStatus.COMPLETED for one in before):
            return True
        return original(turn, step_id)

    return patch.object(settling, "verdict", verdict)


@_mutation
def _stale_timers_count() -> Patch:
    """A timer that was set anew or cleared since counts all the same."""
    original = lifecycle.timer_fired

    def timer_fired(turn: Any, fired: Any) -> None:
        timer = turn.state.timers.get(fired.timer)
        if timer is not None:
            fired = fired.model_copy(update={"generation": timer.generation})
        original(turn, fired)

    return _rule(TimerFired, timer_fired)


@_mutation
def _cancels_forgotten() -> Patch:
    """A request to cancel changes nothing."""
    return _rule(CancelRequested, lambda _turn, _request: None)


@_mutation
def _lost_attempts_repeated() -> Patch:
    """What was lost is run again, whatever the policy says."""
    original = attempts._apply_on_lost

    def apply_on_lost(turn: Any, report: Any) -> None:
        with patch.object(CompiledStep, "on_lost", OnLost.RERUN):
            original(turn, report)

    return patch.object(attempts, "_apply_on_lost", apply_on_lost)


@_mutation
def _one_instance_too_many() -> Patch:
    """A loop runs one more instance at a time than it allows."""
    original = instances._start_some

    def start_some(turn: Any, step_id: str, room: int) -> None:
        original(turn, step_id, room + 1)

    return patch.object(instances, "_start_some", start_some)


@_mutation
def _locks_ignored() -> Patch:
    """A lock keeps nobody out."""
    return patch.object(settling, "is_locked", lambda _turn, _step: False)


@_mutation
def _one_slot_too_many() -> Patch:
    """A concurrency key grants one slot more than it has."""
    original = concurrency_key._Turn._grant

    def grant(self: Any) -> None:
        more = [one.model_copy(update={"limit": one.limit + 1}) for one in self._waiting]
        self._waiting[:] = more
        original(self)

    return patch.object(concurrency_key._Turn, "_grant", grant)


@_mutation
def _slots_kept() -> Patch:
    """Who has ended does not give its slot back."""
    original = Translator._to_key

    def to_key(self: Translator, after: Any, event: Any, version: int) -> None:
        if isinstance(event, SlotAsked):
            original(self, after, event, version)

    return patch.object(Translator, "_to_key", to_key)


@_mutation
def _any_hash_approves() -> Patch:
    """An approval of something else counts."""
    return patch.object(gate_answers, "_why_unfit", lambda _gate, _answer: None)


def _rule(message: type, instead: Callable[[Any, Any], None]) -> Patch:
    """Patch the rule for one kind of message."""
    return patch.dict(cast("dict[type, Any]", decide._RULES), {message: instead})


@_mutation
def _runs_begin_unvalidated() -> Patch:
    """What a schedule starts begins without anybody's look."""
    return patch.object(validating, "has_to_be_validated", lambda _turn, _request: False)


@_mutation
def _a_refusal_is_not_heard() -> Patch:
    """Whatever was found, the run begins."""
    original = lifecycle.run_validated

    def deaf(turn: Any, answer: Any) -> None:
        original(turn, answer.model_copy(update={"refused": ""}))

    return patch.dict(decide._RULES, {RunValidated: deaf})
