"""Operators: they ask, cancel, pause, answer gates, signal, and in the end tidy up."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from shared.ports.journal import Journal
from shared.workflow import messages as msg
from shared.workflow.gates import open_gates
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState
from tests.simulation.core_templates import PEOPLE
from tests.simulation.system.commands import Ledger
from tests.simulation.system.servers import Store


@dataclass
class People:
    """Everybody outside. `roots` are the executions that were accepted."""

    rng: random.Random
    store: Store
    journal: Journal
    ledger: Ledger
    roots: list[str] = field(default_factory=list)
    calm: bool = False
    _count: int = 0

    async def ask_for(self, execution_id: str, template_id: str) -> None:
        """Ask for an execution, maybe twice, and meddle with it."""
        rng = self.rng
        await asyncio.sleep(rng.uniform(0, 10))
        request = msg.ExecutionRequested(
            template_id=template_id,
            template_version="1.0.0",
            parameters={"flag": rng.random() < 0.5, "n": rng.choice((1, 1, 7))},
            requested_by=msg.Actor(id=rng.choice(PEOPLE)),
        )
        await self.journal.append(execution_id, request, f"request.{execution_id}")
        self.roots.append(execution_id)
        if rng.random() < 0.2:
            await self._say(execution_id, request)
        await self._meddle(execution_id)

    async def look_around(self) -> None:
        """Answer what asks, for ever."""
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 3))
            for stored in list(self.store.newest.values()):
                if not stored.state.ended:
                    await self._attend(stored.state)
            await self._wake()

    async def _meddle(self, execution_id: str) -> None:
        rng = self.rng
        if rng.random() < 0.25:
            await asyncio.sleep(rng.uniform(0, 8))
            force = rng.random() < 0.2
            await self._say(execution_id, msg.CancelRequested(force=force))
        for _ in range(rng.choice((0, 0, 0, 1))):
            await asyncio.sleep(rng.uniform(0, 5))
            await self._say(execution_id, msg.PauseRequested())
            await asyncio.sleep(rng.uniform(0, 8))
            await self._say(execution_id, msg.ResumeRequested())
        if rng.random() < 0.2:
            await asyncio.sleep(rng.uniform(0, 5))
            await self._say(execution_id, msg.RegionCancelRequested(region="r"))

    async def _attend(self, state: ExecutionState) -> None:
        rng, who = self.rng, state.execution_id
        for name, gate in list(open_gates(state)):
            for person in PEOPLE:
                if self.calm or rng.random() < 0.3:
                    await self._say(who, self._answer(person, name, gate.subject_hash))
        if state.status is ExecutionStatus.PAUSED and (self.calm or rng.random() < 0.1):
            await self._say(who, msg.ResumeRequested())
        for name, step in state.steps.items():
            if step.status is StepStatus.LOST and (self.calm or rng.random() < 0.3):
                verdict: Any = rng.choice(("completed", "failed", "rerun"))
                resolved = msg.LostResolved(
                    step=name, attempt=step.attempt, verdict=verdict, output={"n": 5}
                )
                await self._say(who, resolved)
            elif step.status is StepStatus.EXPANDED and rng.random() < 0.1:
                added = msg.InstancesAdded(step=name, after=step.instances, items=("more",))
                await self._say(who, added)
        if rng.random() < 0.05:
            signal = msg.SignalReceived(
                id=f"s{self._count}", name="go", data={"n": rng.choice((1, 2))}
            )
            await self._say(who, signal)

    def _answer(self, person: str, gate: str, subject_hash: str) -> msg.ApprovalAnswered:
        rng = self.rng
        groups = ("ops", "bosses") if person == "dave" else ("ops",)
        wrong = not self.calm and rng.random() < 0.2
        return msg.ApprovalAnswered(
            gate=gate,
            by=msg.Actor(id=person),
            groups=groups,
            key=f"key_{person}",
            approved=self.calm or rng.random() < 0.9,
            subject_hash="0" * 64 if wrong else subject_hash,
            comment="fine",
            input=rng.choice(({}, {"n": 4})) if not self.calm else {},
        )

    async def _wake(self) -> None:
        """What commands wait for happens, sooner or later."""
        waiting, self.ledger.waiting = self.ledger.waiting, []
        for leg, token in waiting:
            if not self.calm and self.rng.random() < 0.5:
                self.ledger.waiting.append((leg, token))
                continue
            woken = msg.AttemptWoken(step=leg[1], attempt=leg[2], leg=leg[3], token=token)
            await self._say(leg[0], woken)

    async def _say(self, execution_id: str, message: msg.JournalMessage) -> None:
        self._count += 1
        await self.journal.append(execution_id, message, f"people.{self._count}")
