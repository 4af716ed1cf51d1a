"""A small hive in memory: agents with policies and secrets, templates, keys, earlier runs."""

from __future__ import annotations

from typing import Any

from services.executor.policy import Policy
from services.executor.prechecks import Prechecks
from services.executor.secrets.vault import Vault
from services.validator.gathering import Gatherer, Patience
from services.validator.library import KeyLibrary
from services.validator.looking import Looking
from services.validator.ports import Sources
from shared.commands.registry import CommandRegistry
from shared.contracts import control
from shared.contracts.agents import AgentRecord
from shared.contracts.api.keys import ApiKey, Role
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.memory.actors import MemoryAutomationStore
from shared.memory.agents import MemoryAgentDirectory
from shared.memory.bus import MemoryBus
from shared.memory.clock import ManualClock
from shared.memory.control import MemoryControl
from shared.memory.executions import MemoryExecutionQueries
from shared.memory.keys import MemoryKeyStore
from shared.memory.outcomes import MemoryOutcomeViews
from shared.memory.secrets import MemorySecrets
from shared.memory.templates import MemoryTemplateStore
from shared.ports.templates import StoredTemplate
from shared.validation.finding import Finding
from shared.workflow.definition import Template

NOW_MS = 1_700_000_000_000


class SmallHive:
    """Everything that a validator reads."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW_MS)
        self.agents = MemoryAgentDirectory(MemoryBus(self.clock))
        self.control = MemoryControl()
        self.templates = MemoryTemplateStore()
        self.executions = MemoryExecutionQueries()
        self.keys = MemoryKeyStore()
        self.automations = MemoryAutomationStore()
        self.outcomes = MemoryOutcomeViews()
        self.commands = CommandRegistry.builtin()
        self.library = KeyLibrary(self.templates, 60.0)

    @property
    def sources(self) -> Sources:
        """The ports as the validator has them."""
        return Sources(
            agents=self.agents,
            control=self.control,
            templates=self.templates,
            executions=self.executions,
            keys=self.keys,
            automations=self.automations,
            outcomes=self.outcomes,
            clock=self.clock,
        )

    async def agent(
        self,
        name: str,
        policy: Policy | None = None,
        *,
        answers: bool = True,
        skew_ms: int = 0,
        secrets: dict[str, str] | None = None,
        **record: Any,
    ) -> None:
        """An agent that lives, and answers for itself."""
        fields = {"capabilities": ("shell", "http", "file"), "slots": 4, **record}
        await self.agents.announce(
            AgentRecord(
                name=name,
                host=name,
                version="1",
                started_at_ms=NOW_MS,
                seen_at_ms=NOW_MS,
                **fields,
            )
        )
        if answers:
            chosen = policy or Policy()
            vault = Vault(name, [MemorySecrets(secrets or {})], chosen)
            seat = self.control.seat(name)
            prechecks = Prechecks(chosen, vault, ManualClock(NOW_MS + skew_ms), probe_s=0.5)
            await seat.answer(control.PRECHECK, prechecks.answer)

    async def key(self, name: str, role: Role = Role.OPERATOR, *groups: str) -> None:
        """A person with a key."""
        key = ApiKey(id=name, name=name, role=role, groups=groups, created_at_ms=1)
        await self.keys.add(key, name)

    async def store(self, template: Template) -> None:
        """A stored template."""
        await self.templates.put(StoredTemplate(template, template.id, NOW_MS))

    async def ask(
        self, template: Template, level: str = "strict", **question: Any
    ) -> ValidationAnswer:
        """What the validator answers."""
        await self.library.read()
        patience = Patience(ask_s=0.3, probe_s=2.0)
        gatherer = Gatherer(self.sources, self.commands, self.library, patience)
        looking = Looking(self.sources, self.commands, gatherer)
        asked = {"template": template, "level": level, "parameters": {}, "runs": 100, **question}
        return await looking.look(ValidationQuestion.model_validate(asked))

    async def findings(
        self, template: Template, level: str = "strict", **question: Any
    ) -> list[Finding]:
        """What the validator finds."""
        return list((await self.ask(template, level, **question)).findings)


def template(*steps: dict[str, Any], **others: Any) -> Template:
    """A template of these steps."""
    made = {"id": "t", "name": "T", "steps": list(steps), **others}
    return Template.model_validate(made)


def shell(name: str = "a", **others: Any) -> dict[str, Any]:
    """A step that runs a script."""
    return {
        "id": name,
        "command": "shell",
        "parameters": {"script": "systemctl restart x"},
        **others,
    }


def codes(findings: list[Finding]) -> list[str]:
    """The rules that found something, in order."""
    return [finding.code for finding in findings]
