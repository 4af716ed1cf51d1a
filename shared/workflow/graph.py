"""The graph of a template's steps: what waits for what.

A `depends_on` entry names a step or a parallel group (all of its members). The members of a
parallel group become ready together: each waits for what any of them waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.workflow.definition import Step
from shared.workflow.errors import Problem


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps by id in topological order, with edges in both directions and all ancestors."""

    order: tuple[str, ...]
    dependencies: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]
    ancestors: Mapping[str, frozenset[str]]


def build(steps: Sequence[Step]) -> tuple[Graph | None, list[Problem]]:
    """The graph, or `None` and what is wrong: unknown dependencies, clashing names, cycles."""
    problems: list[Problem] = []
    groups = _groups(steps, problems)
    direct = {
        step.id: _resolve(index, step, groups, {s.id for s in steps}, problems)
        for index, step in enumerate(steps)
    }
    if problems:
        return None, problems
    dependencies = _level_groups(steps, groups, direct)
    order = _topological(dependencies)
    if len(order) < len(dependencies):
        return None, [_cycle_problem(dependencies, set(order))]
    return _graph(order, dependencies), []


def _groups(steps: Sequence[Step], problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    ids = {step.id for step in steps}
    for index, step in enumerate(steps):
        group = step.parallel_group
        if group is None:
            continue
        if group in ids:
            problems.append(
                Problem(
                    path=f"steps/{index}/parallel_group",
                    code="group_name_taken",
                    message=f"{group!r} is also the id of a step",
                    fix="rename the group or the step",
                )
            )
        groups[group] = (*groups.get(group, ()), step.id)
    return groups


def _resolve(
    index: int,
    step: Step,
    groups: Mapping[str, tuple[str, ...]],
    ids: set[str],
    problems: list[Problem],
) -> set[str]:
    found: set[str] = set()
    for name in step.depends_on:
        if name in groups:
            found.update(groups[name])
        elif name in ids:
            found.add(name)
        else:
            problems.append(
                Problem(
                    path=f"steps/{index}/depends_on",
                    code="unknown_dependency",
                    message=f"step {step.id!r} depends on {name!r}, which does not exist",
                    fix=_known_names(ids - {step.id} | set(groups)),
                )
            )
    return found


def _known_names(names: set[str]) -> str:
    listed = ", ".join(sorted(names)[:10])
    return f"use one of: {listed}" if listed else "remove it: there is nothing to wait for"


def _level_groups(
    steps: Sequence[Step], groups: Mapping[str, tuple[str, ...]], direct: Mapping[str, set[str]]
) -> dict[str, tuple[str, ...]]:
    """Every member of a group waits for what any member waits for, except for each other."""
    shared = {
        group: set().union(*(direct[m] for m in members)) - set(members)
        for group, members in groups.items()
    }
    position = {step.id: index for index, step in enumerate(steps)}
    return {
        step.id: tuple(
            sorted(
                direct[step.id] | shared.get(step.parallel_group or "", set()),
                key=position.__getitem__,
            )
        )
        for step in steps
    }


def _topological(dependencies: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Kahn's algorithm; steps keep the author's order where the graph leaves it open."""
    waiting = {step: len(before) for step, before in dependencies.items()}
    dependents = _reverse(dependencies)
    ready = [step for step, count in waiting.items() if count == 0]
    order: list[str] = []
    for step in ready:
        order.append(step)
        for after in dependents[step]:
            waiting[after] -= 1
            if waiting[after] == 0:
                ready.append(after)
    return order


def _reverse(dependencies: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    dependents: dict[str, list[str]] = {step: [] for step in dependencies}
    for step, before in dependencies.items():
        for name in before:
            dependents[name].append(step)
    return {step: tuple(after) for step, after in dependents.items()}


def _graph(order: Sequence[str], dependencies: Mapping[str, tuple[str, ...]]) -> Graph:
    ancestors: dict[str, frozenset[str]] = {}
    for step in order:
        before = dependencies[step]
        ancestors[step] = frozenset(before).union(*(ancestors[name] for name in before))
    return Graph(tuple(order), dict(dependencies), _reverse(dependencies), ancestors)


def _cycle_problem(dependencies: Mapping[str, tuple[str, ...]], done: set[str]) -> Problem:
    cycle = _find_cycle({s: before for s, before in dependencies.items() if s not in done})
    return Problem(
        path="steps",
        code="cyclic_dependencies",
        message="steps wait for each other: " + " → ".join(cycle),
        fix=f"remove one dependency, for example {cycle[1]!r} from the depends_on of {cycle[0]!r}",
    )


def _find_cycle(dependencies: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Walk backwards until a step repeats: every blocked step has a blocked one before it."""
    step = next(iter(dependencies))
    path: list[str] = []
    while step not in path:
        path.append(step)
        step = next(name for name in dependencies[step] if name in dependencies)
    return [*path[path.index(step) :], step]
