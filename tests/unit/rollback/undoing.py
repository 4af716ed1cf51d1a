"""An execution that is undone, played by the core: forward, its plan, and the run of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.rollback.items import Plan
from shared.rollback.past import Ran
from shared.rollback.planning import Wish, make_plan
from shared.workflow.program import compile_template
from shared.workflow.state import StepState
from tests.unit.workflow.scenario import COMMANDS, Run, step

AT_MS = 5_000_000


def undone_by(name: str, *depends_on: str, **fields: Any) -> dict[str, Any]:
    """A step that says how it is undone: with its own id as the parameter `of`."""
    undo = {"command": "noop", "parameters": {"of": name}}
    return step(name, *depends_on, **{"rollback": undo, **fields})


def effects(command: str, _parameters: Mapping[str, Any]) -> str:
    """`look` changes nothing, any other command does."""
    return "none" if command == "look" else "reversible"


def ran(run: Run, children: Mapping[str, tuple[Ran, ...]] | None = None, **fields: Any) -> Ran:
    """What a run did."""
    return Ran(run.program, run.state, children or {}, **fields)


def plan_of(past: Run | Ran, **wish: Any) -> Plan:
    """The plan of its rollback."""
    found = ran(past) if isinstance(past, Run) else past
    return make_plan(found, Wish(**wish), effects, AT_MS)


def keys(plan: Plan) -> list[str]:
    """What is undone, in order."""
    return [item.key for item in plan.items]


class Undo:
    """The run of a plan."""

    def __init__(self, plan: Plan) -> None:
        assert plan.template is not None
        self.plan = plan
        self.run = Run(step("a"))
        self.run.template = plan.template
        self.run.program = compile_template(plan.template, COMMANDS)
        self.run.request_with(plan.parameters)

    @property
    def offered(self) -> dict[str, StepState]:
        """What agents are offered now, by key of the item."""
        steps = self.run.state.steps
        return {
            item.key: steps[item.place]
            for item in self.plan.items
            if item.place in steps and steps[item.place].status.value == "scheduled"
        }

    def place(self, key: str) -> str:
        """The instance that undoes an item."""
        return next(item.place for item in self.plan.items if item.key == key)

    def succeed(self, key: str, **output: Any) -> None:
        self.run.succeed(self.place(key), **output)

    def fail(self, key: str) -> None:
        self.run.fail(self.place(key), retryable=False)
