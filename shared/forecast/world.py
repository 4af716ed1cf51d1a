"""What a forecast may know of the world around a template. (Loads nothing that computes.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.commands.spec import CommandSpec
from shared.forecast.experience import Experience
from shared.forecast.learned import NOTHING_LEARNED, Learned
from shared.workflow.program import Program
from shared.workflow.selecting import LiveAgent

MAX_DEPTH: Final = 4
"""Sub-workflows are simulated down to here; deeper ones are assumed."""


@dataclass(frozen=True, slots=True)
class Known:
    """A template that may run as a sub-workflow: its program, and what its earlier runs showed."""

    program: Program
    experience: Experience


@dataclass(frozen=True, slots=True)
class World:
    """What a forecast may know of the world. `agents` are the live ones, None where that is not
    known; `templates` those that are called, by id and version; `commands` their specifications;
    `learned` what commands did in any template."""

    commands: Mapping[str, CommandSpec]
    agents: Sequence[LiveAgent] | None = None
    templates: Mapping[tuple[str, str], Known] = field(default_factory=dict)
    learned: Learned = field(default_factory=lambda: NOTHING_LEARNED)
