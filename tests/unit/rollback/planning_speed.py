"""How long a plan takes to make, in CPU seconds of this process, for executions of many deeds:

.venv/bin/python -m tests.unit.rollback.planning_speed
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from shared.rollback.past import Ran
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import StepState
from tests.unit.rollback.undoing import plan_of, ran, undone_by
from tests.unit.workflow.scenario import Run


def loops(steps: int, instances: int) -> Ran:
    """A chain of loops that have completed."""
    item = {"command": "noop", "parameters": {"of": "${{ item }}"}}
    run = Run(
        *(
            undone_by(f"s{n}", *_before("s", n), foreach={"items": "[1]"}, rollback=item)
            for n in range(steps)
        )
    )
    run.request()
    found: dict[str, StepState] = {}
    for n in range(steps):
        run.succeed(f"s{n}[0]")
        one = run.step(f"s{n}[0]")
        found[f"s{n}"] = run.step(f"s{n}")
        found |= {f"s{n}[{index}]": one for index in range(instances)}
    return Ran(run.program, run.state.model_copy(update={"steps": found}))


def calls(count: int, steps: int) -> Ran:
    """A chain of calls that have completed, each of which called a chain of steps."""
    inner = Run(*(undone_by(f"s{n}", *_before("s", n)) for n in range(steps)))
    inner.request()
    for n in range(steps):
        inner.succeed(f"s{n}")
    called = {"workflow": {"template": "inner", "version": "1.0.0"}}
    outer = Run(*({"id": f"c{n}", "depends_on": _before("c", n), **called} for n in range(count)))
    outer.request()
    done = {"status": StepStatus.COMPLETED}
    found = {key: step.model_copy(update=done) for key, step in outer.state.steps.items()}
    state = outer.state.model_copy(update={"steps": found})
    return Ran(outer.program, state, {f"c{n}": (_later(ran(inner), n),) for n in range(count)})


CASES: Mapping[str, Callable[[], tuple[Ran, str]]] = {
    "a loop of 10,000 instances": lambda: (loops(1, 10_000), "graceful"),
    "100 loops of 100 instances": lambda: (loops(100, 100), "graceful"),
    "400 loops of 25 instances": lambda: (loops(400, 25), "graceful"),
    "40 calls of 50 steps, by hand": lambda: (calls(40, 50), "manual"),
    "100 calls of 100 steps, by hand": lambda: (calls(100, 100), "manual"),
}


def main() -> None:
    """Print a line for each case."""
    for name, made in CASES.items():
        past, strategy = made()
        began = time.process_time()
        plan = plan_of(past, strategy=strategy)
        took = time.process_time() - began
        print(f"{name}: {len(plan.items)} items, {plan.rounds} rounds, {took:.2f} s")


def _before(prefix: str, number: int) -> tuple[str, ...]:
    return (f"{prefix}{number - 1}",) if number else ()


def _later(past: Ran, number: int) -> Ran:
    """The same, some time later."""
    moved = {
        key: step.model_copy(
            update={
                "begun_at_ms": 1_000_000 * number + step.begun_at_ms,
                "started_at_ms": 1_000_000 * number + step.started_at_ms,
                "ended_at_ms": 1_000_000 * number + step.ended_at_ms,
            }
        )
        for key, step in past.state.steps.items()
    }
    return Ran(past.program, past.state.model_copy(update={"steps": moved}))


if __name__ == "__main__":
    main()
