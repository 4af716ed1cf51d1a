"""What the validator reads. All of it is read only: the protocols here have nothing that writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.agents import AgentRecord
from shared.contracts.api.keys import ApiKey
from shared.contracts.automations import StoredAutomation
from shared.contracts.control import AnswerT, QuestionT, Verb
from shared.outcomes.views import CommandView
from shared.ports.clock import Clock
from shared.ports.control import Answers
from shared.ports.templates import StoredTemplate, TemplateQuery
from shared.workflow.definition import Template
from shared.workflow.state import ExecutionState


class ReadsAgents(Protocol):
    """The directory of live agents."""

    async def live(self) -> Sequence[AgentRecord]:
        """All live agents, by name."""
        ...


class AsksAgents(Protocol):
    """Questions to agents, who change nothing to answer the one that is asked here."""

    async def ask(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        agents: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask these agents."""
        ...

    async def ask_all(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        expected: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask every agent."""
        ...


class ReadsTemplates(Protocol):
    """Template versions."""

    async def get(self, template_id: str, version: str) -> Template | None:
        """One immutable version, or `None`."""
        ...

    async def search(self, query: TemplateQuery) -> Sequence[StoredTemplate]:
        """The newest version of each template that fits, ordered by id."""
        ...


class ReadsExecutions(Protocol):
    """What became of earlier runs."""

    async def recent(self, template_id: str, limit: int) -> Sequence[ExecutionState]:
        """The newest executions of a template that have ended."""
        ...


class ReadsKeys(Protocol):
    """API keys, without their secrets."""

    async def all(self) -> Sequence[ApiKey]:
        """Every key."""
        ...


class ReadsAutomations(Protocol):
    """Schedules and rules."""

    async def all(self, kind: str) -> Sequence[StoredAutomation]:
        """All of a kind that are not deleted."""
        ...


class ReadsOutcomes(Protocol):
    """What is learned of outcomes."""

    async def get(self, kind: type[CommandView], key: str) -> CommandView | None:
        """What is known of a command, or `None`."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that the validator reads."""

    agents: ReadsAgents
    control: AsksAgents
    templates: ReadsTemplates
    executions: ReadsExecutions
    keys: ReadsKeys
    automations: ReadsAutomations
    outcomes: ReadsOutcomes
    clock: Clock
