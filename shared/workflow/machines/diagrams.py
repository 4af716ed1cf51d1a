"""The reference page of the state machines, drawn from their tables."""

from __future__ import annotations

from typing import Any, Final

from shared.workflow.machines import approval, execution, step, timer
from shared.workflow.machines.table import Machine

_MACHINES: Final[tuple[tuple[Machine[Any], str | None], ...]] = (
    (execution.EXECUTION, execution.__doc__),
    (step.STEP, step.__doc__),
    (timer.TIMER, timer.__doc__),
    (approval.APPROVAL, approval.__doc__),
)

_INTRODUCTION: Final = """# State machines

Drawn from the tables in `shared/workflow/machines/` by `shared.workflow.machines.diagrams`; a test
fails when page and tables differ. Whatever a table does not list raises `UndefinedTransitionError`.
The names on the arrows are events, without their category.
"""


def render() -> str:
    """The whole page, in Markdown with Mermaid diagrams."""
    sections = (_section(machine, law or "") for machine, law in _MACHINES)
    return "\n".join((_INTRODUCTION, *sections))


def _section(machine: Machine[Any], law: str) -> str:
    title = f"## {machine.name.capitalize()}"
    text = law.strip()
    return f"{title}\n\n{text}\n\n```mermaid\n{machine.mermaid()}\n```\n"
