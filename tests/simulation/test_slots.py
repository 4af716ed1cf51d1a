"""Many executions and one concurrency key, whose messages are late, doubled and out of order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.concurrency_key import KeyState, SlotFreed, SlotWanted, key_id, key_turn
from shared.workflow.machines.step import StepStatus
from tests.unit.workflow.scenario import Run, step

SEEDS = range(150)
KEY = "deploy"
HELD = (StepStatus.SCHEDULED, StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.STOPPING)


class SlotWorld:
    """Executions of one template, the key, and what is on its way between them.

    Messages of one sender to one receiver stay in order, as in a journal; any may come twice.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.limit = self.chance.randint(1, 3)
        self.of_step = self.chance.random() < 0.5
        rule: dict[str, Any] = {
            "key": KEY,
            "limit": self.limit,
            "on_conflict": self.chance.choice(["queue", "queue", "reject", "replace"]),
        }
        self.runs: dict[str, Run] = {}
        for number in range(self.chance.randint(2, 6)):
            fields = {"concurrency": rule} if self.of_step else {}
            policies = {} if self.of_step else {"concurrency": rule}
            retry = {"max_attempts": 2, "delay_s": 1}
            run = Run(step("a", retry=retry, **fields), step("b"), policies=policies)
            self.runs[f"ex_{number}"] = run
        self.key: KeyState | None = None
        self.to_key: dict[str, list[SlotWanted | SlotFreed]] = {name: [] for name in self.runs}
        self.from_key: dict[str, list[msg.SlotMessage]] = {name: [] for name in self.runs}

    def play(self) -> None:
        for name, run in self.runs.items():
            run.request()
            self._sent(name, run)
        for _ in range(2_000):
            moves = self._moves()
            if not moves:
                return
            move, name = self.chance.choice(moves)
            getattr(self, move)(name)
            self._check()
        raise AssertionError("it does not end")

    def _moves(self) -> list[tuple[str, str]]:
        moves = [("_to_key", name) for name, waiting in self.to_key.items() if waiting]
        moves += [("_from_key", name) for name, waiting in self.from_key.items() if waiting]
        return moves + [("_work", name) for name, run in self.runs.items() if self._can_work(run)]

    def _to_key(self, name: str) -> None:
        message = self._next(self.to_key[name])
        self.key, told = key_turn(self.key, key_id(KEY), message, 1, 1)
        for one in told:
            self.from_key[one.execution_id].append(one.message)

    def _from_key(self, name: str) -> None:
        run = self.runs[name]
        run.tell(self._next(self.from_key[name]))
        self._sent(name, run)

    def _next(self, waiting: list[Any]) -> Any:
        """The next message; now and then it comes once more later."""
        message = waiting.pop(0)
        if self.chance.random() < 0.1:
            waiting.insert(0, message)
        return message

    def _can_work(self, run: Run) -> bool:
        return any(one.status in HELD for one in run.state.steps.values())

    def _work(self, name: str) -> None:
        run = self.runs[name]
        key, one = self.chance.choice(
            [(key, one) for key, one in run.state.steps.items() if one.status in HELD]
        )
        if one.status is StepStatus.SCHEDULED:
            run.start(key)
        elif one.status is StepStatus.RETRYING:
            run.fire(f"retry-{key}")
        elif one.status is StepStatus.STOPPING:
            run.finish(key, "cancelled")
        elif self.chance.random() < 0.1:
            run.cancel()
        elif self.chance.random() < 0.3:
            run.finish(key, "failed", failure=msg.Failure(code="x", message="x"))
        else:
            run.finish(key)
        self._sent(name, run)

    def _sent(self, name: str, run: Run) -> None:
        """What the coordinator would send for what was just decided."""
        for event in run.events:
            if isinstance(event, ev.SlotAsked):
                self.to_key[name].append(
                    SlotWanted(
                        key=event.key,
                        execution_id=name,
                        slot=event.slot,
                        limit=event.limit,
                        on_conflict=event.on_conflict,
                    )
                )
            elif isinstance(event, ev.SlotReleased):
                self.to_key[name].append(SlotFreed(execution_id=name, slot=event.slot))

    def _check(self) -> None:
        busy = sum(self._is_busy(run) for run in self.runs.values())
        assert busy <= self.limit, "more are under way than the key allows"

    def _is_busy(self, run: Run) -> bool:
        steps = [run.step("a")] if self.of_step else run.state.steps.values()
        return any(one.status in HELD for one in steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds(seed: int) -> None:
    """The limit holds at every moment, every execution ends, and then nobody holds or waits."""
    world = SlotWorld(seed)
    world.play()
    assert all(run.state.ended for run in world.runs.values())
    assert world.key is not None
    assert world.key.is_idle
