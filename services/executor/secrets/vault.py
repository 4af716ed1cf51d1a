"""The secrets of one agent: asked for by name, for one step, within the agent's policy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from services.executor.commands.base import Failed
from services.executor.commands.refusal import refused
from services.executor.policy import Policy, Refused
from shared.contracts.tasks import Task
from shared.ports.secrets import SecretProvider, SecretUnusableError
from shared.runtime.secret_store import check_secret

log = structlog.get_logger()

LookedUp = Literal["there", "missing", "refused", "unusable"]


@dataclass(frozen=True)
class Vault:
    """What the providers hold, for whom the policy lets it have. The first provider that has a
    secret counts."""

    agent: str
    providers: Sequence[SecretProvider]
    policy: Policy

    async def secrets_for(self, task: Task, names: Iterable[str]) -> dict[str, str] | Failed:
        """The secrets of these names, or why the step cannot have one of them."""
        for name in names:
            decision = self.policy.secret(name, task.command, task.template_id)
            if isinstance(decision, Refused):
                return refused(decision)
        return await asyncio.to_thread(self._found, task, names)

    def looked_up(self, name: str, command: str, template: str) -> tuple[LookedUp, str]:
        """Whether a step of this command, in a workflow of this template, would get the secret, and
        why not. Blocks; the value is not told."""
        decision = self.policy.secret(name, command, template)
        if isinstance(decision, Refused):
            return "refused", f"{decision.message} ({decision.rule})"
        try:
            value, _ = self._find(name)
            if value is None:
                return "missing", self._missing(name).message
            check_secret(name, value)
        except SecretUnusableError as error:
            return "unusable", f"agent {self.agent}: {error}"
        return "there", ""

    def _found(self, task: Task, names: Iterable[str]) -> dict[str, str] | Failed:
        found: dict[str, str] = {}
        for name in names:
            try:
                value, where = self._find(name)
                if value is None:
                    return self._missing(name)
                check_secret(name, value)
            except SecretUnusableError as error:
                return Failed("secret_unusable", f"agent {self.agent}: {error}")
            found[name] = value
            log.info("secret used", secret=name, provider=where, **_who(task))
        return found

    def _find(self, name: str) -> tuple[str | None, str]:
        for provider in self.providers:
            value = provider.find(name)
            if value is not None:
                return value, provider.described
        return None, ""

    def _missing(self, name: str) -> Failed:
        asked = "; ".join(provider.described for provider in self.providers)
        message = (
            f"agent {self.agent} has no secret {name}: asked {asked or 'no provider'}. Give it to "
            f"this agent (on its host: hv secrets set {name}), or target one that has it"
        )
        return Failed("secret_missing", message)


def _who(task: Task) -> dict[str, str]:
    return {
        "execution": task.execution_id,
        "step": task.step,
        "template": task.template_id,
        "command": task.command,
    }
