"""Random templates: valid graphs with groups, conditions, retries and every policy."""

from __future__ import annotations

import random
from typing import Any

from shared.workflow.definition import Template
from shared.workflow.program import CommandSignature
from tests.simulation.core_flow import add_flow

COMMANDS = {"look": CommandSignature(output={}, effect_free=lambda _parameters: True)}
"""`look` changes nothing, so that it need not be claimed; of `noop` nothing is known."""
ON_LOST = (None, "fail", "rerun", "ask")
PEOPLE = ("alice", "bob", "carol", "dave")
"""All in the group `ops`; dave in `bosses`, too."""
ENDS = ("completed", "completed_with_errors", "failed", "cancelled")


def random_template(rng: random.Random) -> Template:
    """A template of one to five layers; each step waits for some of the layers before."""
    steps: list[dict[str, Any]] = []
    names: list[str] = []
    for layer in range(rng.randint(1, 5)):
        group = f"g{layer}" if rng.random() < 0.4 else None
        before = list(names)
        for index in range(rng.randint(1, 3)):
            step = _step(rng, f"s{layer}_{index}", before, [s["id"] for s in steps])
            if group is not None:
                step["parallel_group"] = group
            steps.append(step)
        names += [group] if group is not None else []
        names += [s["id"] for s in steps if s["id"].startswith(f"s{layer}_")]
    rng.shuffle(steps)
    made = {
        "id": "random",
        "name": "Random",
        "parameters": {"flag": {"type": "boolean"}, "n": {"type": "integer", "default": 1}},
        "steps": steps,
        "outputs": _outputs(rng, [s["id"] for s in steps]),
        "policies": _policies(rng),
    }
    if rng.random() < 0.7:
        add_flow(rng, made)
    return Template.model_validate(made)


def _step(rng: random.Random, name: str, before: list[str], known: list[str]) -> dict[str, Any]:
    depends_on = rng.sample(before, k=min(len(before), rng.choice((0, 1, 1, 2))))
    ancestors = [d for d in depends_on if d in known]
    return {
        "id": name,
        "command": rng.choice(("noop", "noop", "look")),
        "depends_on": depends_on,
        "when": rng.choice(_conditions(ancestors)) if rng.random() < 0.4 else None,
        "parameters": {"n": rng.choice(_values(ancestors)), "plain": [1, {"a": None}]},
        "approval": random_approval(rng) if rng.random() < 0.12 else None,
        "start_timeout_s": rng.choice((1, 3, 60)),
        "retry": {
            "max_attempts": rng.choice((1, 1, 2, 4)),
            "delay_s": rng.choice((0, 0.5, 2)),
            "jitter": rng.choice((0, 0.5)),
        },
        "continue_on_failure": rng.random() < 0.4,
        "idempotent": rng.random() < 0.3,
        "on_lost": rng.choice(ON_LOST),
        "validation_checks": ["has(output.n)"] if rng.random() < 0.15 else [],
        "success_criteria": ["output.n >= params.n"] if rng.random() < 0.15 else [],
    }


def random_approval(rng: random.Random) -> dict[str, Any]:
    """A gate that the people of `PEOPLE` can open, whoever of them asked for the run."""
    rule: dict[str, Any] = {
        "quorum": rng.choice((1, 1, 2)),
        "allow_self_approval": rng.random() < 0.3,
        "comment_required": rng.random() < 0.2,
        "approvers": rng.choice(({}, {"users": list(PEOPLE)}, {"groups": ["ops"]})),
        "form": rng.choice(({}, {}, {"n": {"type": "integer", "default": 3}})),
        "remind_every_s": rng.choice((None, 1)),
        "expires_after_s": rng.choice((None, 2, 8)),
    }
    if rng.random() < 0.3:
        bosses = {"groups": ["bosses"]}
        late = {"escalate_after_s": 1} if rng.random() < 0.5 else {"on_expiry": "escalate"}
        rule |= {"escalate_to": bosses, "expires_after_s": 8, **late}
    return rule


def _conditions(ancestors: list[str]) -> list[str]:
    return ["params.flag", "!params.flag", "params.n > 0"] + [
        condition
        for name in ancestors
        for condition in (
            f"steps.{name}.status == 'completed'",
            f"steps.{name}.output.n > 1",
            f"has(steps.{name}.output.n)",
        )
    ]


def _values(ancestors: list[str]) -> list[Any]:
    return [1, "${{ params.n }}", "n is ${{ params.n + 1 }} of ${{ execution.id }}"] + [
        value
        for name in ancestors
        for value in (f"${{{{ steps.{name}.status }}}}", f"${{{{ steps.{name}.output.n + 1 }}}}")
    ]


def _outputs(rng: random.Random, steps: list[str]) -> dict[str, Any]:
    name = rng.choice(steps)
    return rng.choice(
        (
            {},
            {"status": f"${{{{ steps.{name}.status }}}}"},
            {"all": f"${{{{ steps.{name}.output }}}}"},
            {"n": f"${{{{ steps.{name}.output.n }}}}"},
        )
    )


def _policies(rng: random.Random) -> dict[str, Any]:
    return {
        "approval_required": rng.random() < 0.2,
        "approval": random_approval(rng) if rng.random() < 0.1 else None,
        "timeout_s": rng.choice((None, None, 5, 60)),
        "notifications": [{"on": [rng.choice(ENDS)]}],
    }
