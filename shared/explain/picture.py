"""The picture that findings are made of: an execution, and the facts around it, as of one moment.

Whoever gathers it leaves out what cannot be known now (`None`): nothing is found about that, and
nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.agents import AgentRecord
from shared.contracts.api.explain import Explanation, Usual
from shared.contracts.delegations import Delegation
from shared.contracts.quarantine import QuarantineEntry
from shared.workflow.concurrency_key import KeyState
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState


@dataclass(frozen=True, slots=True)
class Coordination:
    """Who moves the execution: the partition, the owner of its lease (`None`: nobody), and how many
    entries of it are not acknowledged (`None`: not known)."""

    partition: int
    owner: str | None
    lag: int | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """How the last runs of the template went: how many, how many completed, and how long each step
    (`gate:<name>`: each gate) took."""

    runs: int = 0
    completed: int = 0
    usual: Mapping[str, Usual] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undoing:
    """The rollback that holds the execution: its `status`, since when it has that, and the
    execution that does the work. `service`: whether any rollback service answers (`None`: nobody
    needs one now, or nobody knows)."""

    status: str
    since_ms: int = 0
    run: str = ""
    items: int = 0
    ticked: int = 0
    service: bool | None = None


@dataclass(frozen=True, slots=True)
class KnownBefore:
    """A failure of a step that was known before this execution: as what, how often it occurred, and
    what was done before runs passed again, in words, the likeliest to help first."""

    step: str
    id: str
    pattern: str
    count: int
    helped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that the findings look at. `state` is `None` where nothing is stored, or where it
    cannot be read (`damage`). `heard_ms` is when a step's command last wrote a line. `children` are
    the explanations of the executions that steps called, `delegations` what steps wait for, both by
    step; `keys` are the concurrency keys that it waits for. `known` are failures of its steps."""

    execution_id: str
    now_ms: int
    state: ExecutionState | None = None
    damage: str = ""
    program: Program | None = None
    agents: Sequence[AgentRecord] | None = None
    coordination: Coordination | None = None
    quarantined: Sequence[QuarantineEntry] = ()
    past: Past = Past()
    children: Mapping[str, Explanation] = field(default_factory=dict)
    delegations: Mapping[str, Delegation] = field(default_factory=dict)
    keys: Mapping[str, KeyState] = field(default_factory=dict)
    heard_ms: Mapping[str, int] = field(default_factory=dict)
    undoing: Undoing | None = None
    known: Sequence[KnownBefore] = ()

    def agent(self, name: str) -> AgentRecord | None:
        """The record of a live agent."""
        return next((a for a in self.agents or () if a.name == name), None)
