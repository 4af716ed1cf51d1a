"""What was done between a failure and the run that passed.

The law:

1. A failed run stays open until a later run answers it: the re-run of it, or the next run of its
   template on the same target within `WITHIN_MS`. An answer closes it; one that failed is open
   itself.
2. The answer *helped* if it completed, or if the step that had failed completed in it. It did not
   if that step failed once more. Anything else says nothing.
3. What was done is what differs: another version, other values of parameters, another agent for
   the step that failed, a step that a person marked or that was skipped; and the workflow that
   completed last on the same target in between. Where nothing differs it was done `again`.
4. The target of a run is what its parameters name that stand for one (`host`, `service` …); without
   those, the agents that it ran on.

It is correlation: several things that were done at once are all credited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shared.learning.records import RunRecord
from shared.outcomes.tally import make_room

WITHIN_MS: Final = 24 * 3_600_000
MAX_OPEN: Final = 2_000
MAX_TARGETS: Final = 2_000
MAX_BETWEEN: Final = 6
"""Workflows that completed last on a target that are remembered."""
_TARGET_WORDS: Final = (
    "host", "server", "node", "service", "target", "device", "instance", "cluster", "database",
    "site", "machine", "namespace", "environment",
)  # fmt: skip

Kind = Literal["again", "parameter", "version", "agent", "marked", "workflow"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was done: `what` is the parameter, the version, the agent, how it was marked,
    or the workflow's template; `value` the new value of a parameter, as JSON."""

    kind: Kind
    what: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A run that answered a failure: to which patterns, what was done, whether it helped."""

    signatures: tuple[int, ...]
    changes: tuple[Change, ...]
    helped: bool
    run: RunRecord


@dataclass(slots=True)
class OpenFailure:
    """A failed run that nothing has answered yet."""

    run_id: str
    template_id: str
    version: str
    at_ms: int
    failed_step: str
    signatures: tuple[int, ...]
    parameters: dict[str, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    """Those on which the step failed."""
    targets: tuple[str, ...] = ()


class Resolver:
    """Failures that are open, and what completed lately on each target."""

    def __init__(self) -> None:
        self.open: dict[str, OpenFailure] = {}
        self.completed: dict[str, list[tuple[int, str, str]]] = {}

    def follow(self, run: RunRecord, signatures: tuple[int, ...]) -> Answer | None:
        """Take a run that ended, with the patterns of its failures; gives what it answers."""
        targets = targets_of(run)
        earlier = self._answered(run, targets)
        answer = _answer(earlier, run, self._between(earlier, run)) if earlier else None
        if earlier is not None and answer is not None:
            self.open.pop(earlier.run_id, None)
        if run.status == "failed" and signatures:
            self.open[run.id] = _opened(run, signatures, targets)
            make_room(self.open, MAX_OPEN, lambda one: one.at_ms)
        elif run.status == "completed":
            self._note(run, targets)
        return answer

    def state(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "open": [
                [o.run_id, o.template_id, o.version, o.at_ms, o.failed_step,
                 o.signatures, o.parameters, o.agents, o.targets]
                for o in self.open.values()
            ],
            "completed": self.completed,
        }  # fmt: skip

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Resolver:
        """From what `state` gave."""
        made = cls()
        for run_id, template_id, version, at_ms, step, signatures, values, on, to in state["open"]:
            made.open[run_id] = OpenFailure(
                run_id, template_id, version, at_ms, step,
                tuple(signatures), values, tuple(on), tuple(to),
            )  # fmt: skip
        made.completed = {
            target: [(at, template, run) for at, template, run in some]
            for target, some in state["completed"].items()
        }
        return made

    def _answered(self, run: RunRecord, targets: tuple[str, ...]) -> OpenFailure | None:
        if run.resumed_from:
            return self.open.get(run.resumed_from)
        for one in reversed(self.open.values()):
            alike = one.template_id == run.template_id and bool(set(one.targets) & set(targets))
            if alike and 0 <= run.created_at_ms - one.at_ms <= WITHIN_MS:
                return one
        return None

    def _between(self, earlier: OpenFailure | None, run: RunRecord) -> str:
        """The template that completed last on the same target between a failure and its answer."""
        if earlier is None:
            return ""
        found = [
            (at_ms, template)
            for target in earlier.targets
            for at_ms, template, _ in self.completed.get(target, ())
            if earlier.at_ms <= at_ms <= run.created_at_ms and template != run.template_id
        ]
        return max(found)[1] if found else ""

    def _note(self, run: RunRecord, targets: tuple[str, ...]) -> None:
        for target in targets:
            kept = self.completed.pop(target, [])
            self.completed[target] = [*kept, (run.at_ms, run.template_id, run.id)][-MAX_BETWEEN:]
        make_room(self.completed, MAX_TARGETS, lambda one: one[-1][0])


def targets_of(run: RunRecord) -> tuple[str, ...]:
    """What a run was about, in the words of rule 4; names of kind and thing."""
    named = tuple(
        f"{name}={value}"
        for name, value in sorted(run.parameters.items())
        if isinstance(value, str) and value and any(w in name.lower() for w in _TARGET_WORDS)
    )
    return named or tuple(sorted({f"agent={one.agent}" for one in run.attempts if one.agent}))


def _opened(run: RunRecord, signatures: tuple[int, ...], targets: tuple[str, ...]) -> OpenFailure:
    step = failed_step_of(run)
    return OpenFailure(
        run_id=run.id,
        template_id=run.template_id,
        version=run.template_version,
        at_ms=run.at_ms,
        failed_step=step,
        signatures=signatures,
        parameters={name: json.dumps(value) for name, value in run.parameters.items()},
        agents=_agents_of(run, step),
        targets=targets,
    )


def _answer(earlier: OpenFailure, run: RunRecord, between: str) -> Answer | None:
    helped = _helped(earlier, run)
    if helped is None:
        return None
    changes = tuple(_changes(earlier, run))
    if between:
        changes = (*changes, Change("workflow", between))
    return Answer(earlier.signatures, changes or (Change("again"),), helped, run)


def _helped(earlier: OpenFailure, run: RunRecord) -> bool | None:
    if run.status == "completed":
        return True
    statuses = {one.step: one.status for one in run.steps}
    if statuses.get(earlier.failed_step) == "completed":
        return True
    return False if failed_step_of(run) == earlier.failed_step else None


def _changes(earlier: OpenFailure, run: RunRecord) -> Iterator[Change]:
    if run.template_version != earlier.version:
        yield Change("version", run.template_version)
    for name, value in sorted(run.parameters.items()):
        text = json.dumps(value)
        if earlier.parameters.get(name) != text:
            yield Change("parameter", name, text)
    agents = _agents_of(run, earlier.failed_step)
    if earlier.agents and agents and not set(agents) & set(earlier.agents):
        yield Change("agent", agents[0])
    for one in run.steps:
        if one.step == earlier.failed_step and not one.attempts:
            if one.status == "completed":
                yield Change("marked", "completed")
            elif one.status == "skipped":
                yield Change("marked", "skipped")


def _agents_of(run: RunRecord, step: str) -> tuple[str, ...]:
    return tuple(sorted({one.agent for one in run.attempts if one.step == step and one.agent}))


def failed_step_of(run: RunRecord) -> str:
    """The step that failed a run, without its instance."""
    return run.failed_step.partition("[")[0]
