"""The graph of a template's steps: what waits for what.

A `depends_on` entry names a step or a parallel group (all of its members). The members of a
parallel group become ready together: each waits for what any of them waits for. Steps that another
one sends to (a branch, a handler) wait for that one, and a milestone is waited for too.

Steps of `on_failure` and `finally` make graphs of their own; they may look at every step before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from shared.workflow.definition import Step
from shared.workflow.errors import Problem
from shared.workflow.flow import targets
from shared.workflow.routes import Routes, routes


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps by id in topological order, with edges in both directions and all ancestors."""

    order: tuple[str, ...]
    dependencies: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]
    ancestors: Mapping[str, frozenset[str]]
    routes: Routes


def build(
    steps: Sequence[Step], on_failure: Sequence[Step] = (), always: Sequence[Step] = ()
) -> tuple[Graph | None, list[Problem]]:
    """The graph, or `None` and what is wrong: unknown dependencies, clashing names, cycles."""
    problems: list[Problem] = []
    sections = {"steps": steps, "on_failure": on_failure, "finally": always}
    waits = {name: _section(name, members, problems) for name, members in sections.items()}
    if problems:
        return None, problems
    dependencies = dict(chain.from_iterable(each.items() for each in waits.values()))
    order = tuple(chain.from_iterable(_topological(each) for each in waits.values()))
    if len(order) < len(dependencies):
        return None, [_cycle_problem(dependencies, set(order))]
    kept = tuple(tuple(step.id for step in sections[name]) for name in ("on_failure", "finally"))
    found = routes([*steps, *on_failure, *always], order, dependencies, *kept)
    return _graph(order, dependencies, found), []


def _section(
    section: str, steps: Sequence[Step], problems: list[Problem]
) -> dict[str, tuple[str, ...]]:
    """What each step of a section waits for."""
    groups = _groups(section, steps, problems)
    ids = {step.id for step in steps}
    direct = {
        step.id: _resolve(f"{section}/{index}", step, groups, ids, problems)
        for index, step in enumerate(steps)
    }
    for index, step in enumerate(steps):
        for field, target in _sends(step):
            if target not in ids or target == step.id:
                problems.append(_unknown_target(f"{section}/{index}/{field}", target, ids))
            else:
                direct[target].add(step.id)
        for handler in step.always:
            direct.get(handler, set()).update({*step.on_failure} & ids - {handler})
    return {} if problems else _level_groups(steps, groups, direct)


def _sends(step: Step) -> Iterator[tuple[str, str]]:
    for field, names in targets(step).items():
        for name in names:
            yield field, name


def _unknown_target(path: str, target: str, ids: set[str]) -> Problem:
    return Problem(
        path=path,
        code="unknown_step",
        message=f"{target!r} is not another step of this section",
        fix=_known_names(ids),
    )


def _groups(
    section: str, steps: Sequence[Step], problems: list[Problem]
) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    ids = {step.id for step in steps}
    for index, step in enumerate(steps):
        group = step.parallel_group
        if group is None:
            continue
        if group in ids:
            problems.append(
                Problem(
                    path=f"{section}/{index}/parallel_group",
                    code="group_name_taken",
                    message=f"{group!r} is also the id of a step",
                    fix="rename the group or the step",
                )
            )
        groups[group] = (*groups.get(group, ()), step.id)
    return groups


def _resolve(
    path: str,
    step: Step,
    groups: Mapping[str, tuple[str, ...]],
    ids: set[str],
    problems: list[Problem],
) -> set[str]:
    found: set[str] = set()
    for field, name in _named(step):
        if name in groups and field == "depends_on":
            found.update(groups[name])
        elif name in ids and not (field == "milestone" and name == step.id):
            found.add(name)
        else:
            problems.append(
                Problem(
                    path=f"{path}/{field}",
                    code="unknown_dependency",
                    message=f"step {step.id!r} depends on {name!r}, which does not exist",
                    fix=_known_names(ids - {step.id} | set(groups)),
                )
            )
    until = step.milestone.until if step.milestone is not None else None
    if until is not None and until not in ids - {step.id}:
        problems.append(_unknown_target(f"{path}/milestone/until", until, ids))
    return found


def _named(step: Step) -> Iterator[tuple[str, str]]:
    for name in step.depends_on:
        yield "depends_on", name
    if step.milestone is not None:
        yield "milestone", step.milestone.reached


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


def _graph(
    order: tuple[str, ...], dependencies: Mapping[str, tuple[str, ...]], routes: Routes
) -> Graph:
    ancestors: dict[str, frozenset[str]] = {}
    sections = {*routes.on_failure, *routes.always}
    main = frozenset(order) - sections
    for step in order:
        before = dependencies[step]
        ancestors[step] = frozenset(before).union(*(ancestors[name] for name in before))
        if step in sections:
            ancestors[step] |= main
        if step in routes.always:
            ancestors[step] |= frozenset(routes.on_failure)
    return Graph(order, dict(dependencies), _reverse(dependencies), ancestors, routes)


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
