"""Control flow for random templates, one function a feature: each changes a definition in place."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

Definition = dict[str, Any]


def add_flow(rng: random.Random, made: Definition) -> None:
    """Add some features to some of the definition's steps."""
    for feature in FEATURES:
        if rng.random() < 0.15:
            feature(rng, made)


def _commands(made: Definition) -> list[dict[str, Any]]:
    return [step for step in made["steps"] if "command" in step]


def _loop(rng: random.Random, made: Definition) -> None:
    for step in _commands(made):
        if rng.random() < 0.3:
            step["foreach"] = {
                "items": rng.choice(("[1, 2, 3]", "[]", "{'k': 'v'}", "params.n", "[7, 8]")),
                "concurrency": rng.choice((1, 2, 1_000)),
                "join": rng.choice(("all", "all", "any", 2)),
                "cancel_rest": rng.random() < 0.5,
                "max_failures": rng.choice((0, 1, 3)),
            }


def _fleet(rng: random.Random, made: Definition) -> None:
    make_fleets(rng, made, share=0.4)


def make_fleets(rng: random.Random, made: Definition, share: float) -> None:
    """Let this share of the commands run on fleets."""
    for step in _commands(made):
        if "foreach" in step or rng.random() >= share:
            continue
        target: dict[str, Any] = {
            "where": "agent.load < 1.0 || params.flag",
            "max_failure": rng.choice((0, 1, "50%")),
            "stop_on": rng.choice(
                ("first_failure", "max_failure", ["canary_failure", "max_failure"], [])
            ),
            "allow_empty": rng.random() < 0.5,
            "on_target_lost": rng.choice(("fail", "skip")),
        }
        if rng.random() < 0.7:
            target |= {"strategy": "rolling", "batch": rng.choice((1, 2, "40%"))}
        if rng.random() < 0.5:
            target["canary"] = rng.choice((1, "30%"))
            target["approve_after_canary"] = {} if rng.random() < 0.2 else None
        if rng.random() < 0.3:
            target["pause_between_s"] = 1
        if rng.random() < 0.2:
            target["approve_between"] = {}
        step["target"] = target


def _repeat(rng: random.Random, made: Definition) -> None:
    step = rng.choice(made["steps"])
    if "command" in step:
        step["until"] = {
            "condition": "output.n > 1",
            "max_rounds": rng.choice((1, 2, 5)),
            "delay_s": rng.choice((0, 1)),
        }


def _call(rng: random.Random, made: Definition) -> None:
    for step in _commands(made):
        if rng.random() < 0.4:
            del step["command"]
            step["workflow"] = {"template": "child", "version": "1.0.0"}
            step["validation_checks"] = step["success_criteria"] = []


def _join(rng: random.Random, made: Definition) -> None:
    for step in made["steps"]:
        if step.get("depends_on") and rng.random() < 0.5:
            step["join"] = rng.choice(("any", 1, len(step["depends_on"])))


def _otherwise(rng: random.Random, made: Definition) -> None:
    conditional = [s for s in made["steps"] if s.get("when")]
    if conditional:
        step = rng.choice(conditional)
        step["else"] = [_new(rng, made, f"else_{step['id']}")]


def _switch(rng: random.Random, made: Definition) -> None:
    cases = [
        {"when": when, "then": [_new(rng, made, f"case_{index}")]}
        for index, when in enumerate(rng.sample(("params.flag", "params.n > 5", "true"), k=2))
    ]
    route: dict[str, Any] = {"cases": cases, "match": rng.choice(("first", "every"))}
    if rng.random() < 0.5:
        route["else"] = [_new(rng, made, "case_else")]
    before = [rng.choice(made["steps"])["id"]] if rng.random() < 0.5 else []
    before = [name for name in before if not name.startswith("case_")]
    made["steps"].append({"id": "route", "switch": route, "depends_on": before})


def _choice(rng: random.Random, made: Definition) -> None:
    options: list[dict[str, Any]] = [
        {"signal": "go", "accept": "data.n > 1", "then": [_new(rng, made, "went")]},
        {"after_s": rng.choice((1, 3)), "then": [_new(rng, made, "gave_up")]},
    ]
    if rng.random() < 0.3:
        options.append({"signal": "go", "accept": "data.missing == 1"})
    made["steps"].append({"id": "decide", "wait_for": {"options": options}})


def _handlers(rng: random.Random, made: Definition) -> None:
    for step in rng.sample(made["steps"], k=min(2, len(made["steps"]))):
        for field in ("on_failure", "finally"):
            if rng.random() < 0.7:
                step[field] = [_new(rng, made, f"{field}_{step['id']}")]


def _sections(rng: random.Random, made: Definition) -> None:
    for section in ("on_failure", "finally"):
        if rng.random() < 0.8:
            first = {"id": f"{section}_1", "command": "noop"}
            second = {"id": f"{section}_2", "command": "noop", "depends_on": [first["id"]]}
            made[section] = [first, second]
            first["parameters"] = {"why": "${{ failure.code }}"}  # type: ignore[assignment]


def _regions(rng: random.Random, made: Definition) -> None:
    for step in made["steps"]:
        if rng.random() < 0.4:
            step["region"] = "r"
    rng.choice(made["steps"])["cancels"] = ["r"]


def _milestone(rng: random.Random, made: Definition) -> None:
    reached, until = rng.choice(made["steps"])["id"], rng.choice(made["steps"])["id"]
    name = _new(rng, made, "marked")
    made["steps"][-1]["milestone"] = {"reached": reached, "until": until}
    assert name == made["steps"][-1]["id"]


def _lock(rng: random.Random, made: Definition) -> None:
    for step in made["steps"]:
        if rng.random() < 0.5:
            step["lock"] = "l"


def _new(rng: random.Random, made: Definition, name: str) -> str:
    """A new step without dependencies of its own; gives its name."""
    made["steps"].append(
        {
            "id": name,
            "command": "noop",
            "retry": {"max_attempts": rng.choice((1, 2)), "delay_s": 1},
            "on_lost": "rerun",
            "continue_on_failure": rng.random() < 0.3,
        }
    )
    return name


FEATURES: Final[tuple[Callable[[random.Random, Definition], None], ...]] = (
    _loop,
    _fleet,
    _repeat,
    _call,
    _join,
    _otherwise,
    _switch,
    _choice,
    _handlers,
    _sections,
    _regions,
    _milestone,
    _lock,
)
