"""Random templates of a size that many worlds can afford, and the sub-workflow that they call."""

from __future__ import annotations

import random
from typing import Final

from shared.workflow.definition import Template
from shared.workflow.fleets import Target
from tests.simulation.core_templates import random_template
from tests.simulation.system.slots import limited

MOST_STEPS: Final = 9
AGENTS: Final = ("agent-0", "agent-1", "agent-2")
CHILD: Final = Template.model_validate(
    {
        "id": "child",
        "name": "Child",
        "parameters": {
            "n": {"type": "integer", "default": 1},
            "plain": {"type": "array", "default": []},
        },
        "steps": [
            {"id": "first", "command": "noop", "on_lost": "rerun"},
            {"id": "second", "command": "look", "depends_on": ["first"]},
        ],
        "outputs": {"n": "${{ params.n }}"},
    }
)


def template_of(rng: random.Random, name: str) -> Template:
    """A random template under this name; some of its steps ask for one agent or a capability."""
    while True:
        template = random_template(rng)
        if len(template.every_step) <= MOST_STEPS:
            break
    steps = []
    for step in template.steps:
        place: dict[str, object] = {}
        if step.command and rng.random() < 0.15:
            place["target"] = Target(host=rng.choice(AGENTS))
        elif step.command and rng.random() < 0.1:
            place["required_capabilities"] = ("special",)
        if step.command and rng.random() < 0.1:
            place["timeout_s"] = rng.choice((1.0, 5.0))
        steps.append(step.model_copy(update=place))
    changed = template.model_copy(update={"id": name, "steps": tuple(steps)})
    return limited(
        Template.model_validate(changed.model_dump(mode="json", by_alias=True, exclude_unset=True))
    )
