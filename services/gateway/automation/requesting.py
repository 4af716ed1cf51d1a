"""What callers may ask of any automation, be it a schedule or a rule.

What is particular to a kind (what is checked before it is made, how it is shown) its subclass says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from services.gateway import problems
from services.gateway.automation.asking import ask
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import AutomationPorts, Parts
from services.gateway.permissions import Principal
from shared.automation.messages import AnyRequest, Deleted, Paused, Resumed, Saved
from shared.automation.specs import RuleSpec, ScheduleSpec
from shared.automation.states import Automation
from shared.ports.clock import Clock

State = TypeVar("State", bound=Automation)
Spec = TypeVar("Spec", ScheduleSpec, RuleSpec)
View = TypeVar("View", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Kind(Generic[State]):
    """What tells one kind from another: how its ids begin, its name, where it is listed."""

    prefix: str
    name: Literal["schedule", "rule"]
    listed_at: str
    state: type[State]


class AutomationOperations(ABC, Generic[State, Spec, View]):
    """Raises 404, 409, 422 and 503."""

    def __init__(self, kind: Kind[State], parts: Parts, templates: TemplateOperations) -> None:
        self._kind = kind
        self._ports: AutomationPorts = parts.automations
        self._templates = templates
        self._clock: Clock = parts.clock
        self._ids = parts.ids

    @abstractmethod
    async def _check(self, spec: Spec) -> None:
        """Raises 422 with what can be known now to be wrong with it."""

    @abstractmethod
    def _view(self, state: State) -> View:
        """As callers see it."""

    async def create(self, spec: Spec, principal: Principal) -> View:
        """Make one; it is durable when this returns."""
        await self._check(spec)
        saved = Saved(**self._by(principal), spec=spec)
        return await self._ask(self._ids.new(self._kind.prefix), saved)

    async def change(
        self, automation_id: str, spec: Spec, if_edition: int | None, principal: Principal
    ) -> View:
        """Write it anew, if it is still as the caller saw it."""
        await self._state(automation_id)
        await self._check(spec)
        saved = Saved(**self._by(principal), spec=spec, if_edition=if_edition)
        return await self._ask(automation_id, saved)

    async def pause(self, automation_id: str, reason: str, principal: Principal) -> View:
        """Start nothing until it is resumed."""
        await self._state(automation_id)
        return await self._ask(automation_id, Paused(**self._by(principal), reason=reason))

    async def resume(self, automation_id: str, principal: Principal) -> View:
        """Go on with what comes from now on; what would have run meanwhile is not made up."""
        await self._state(automation_id)
        return await self._ask(automation_id, Resumed(**self._by(principal)))

    async def delete(self, automation_id: str, principal: Principal) -> None:
        """Never start anything again; what runs goes on."""
        await self._state(automation_id)
        await self._ask(automation_id, Deleted(**self._by(principal)))

    async def get(self, automation_id: str) -> View:
        """One of them."""
        return self._view(await self._state(automation_id))

    async def views(self) -> tuple[View, ...]:
        """Every one, oldest first."""
        states = [one.state for one in await self._ports.store.all(self._kind.name)]
        return tuple(self._view(s) for s in states if isinstance(s, self._kind.state))

    async def _state(self, automation_id: str) -> State:
        found = await self._ports.store.get(automation_id)
        if found is None or not isinstance(found.state, self._kind.state):
            listed = f"GET {self._kind.listed_at} lists them."
            raise problems.not_found(self._kind.name, automation_id, listed)
        return found.state

    def _by(self, principal: Principal) -> dict[str, Any]:
        return {"request_id": self._ids.new("rq"), "by": principal.actor}

    async def _ask(self, automation_id: str, request: AnyRequest) -> View:
        now_ms = self._clock.now_ms()
        asked = await ask(self._ports, automation_id, request, self._kind.state, now_ms)
        return self._view(asked.state).model_copy(update={"pending": asked.pending})
