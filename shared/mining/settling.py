"""Which steps of a found workflow are worth a step of a template, and whose it can be.

A step is left out that a template could not do for a person: one that only looks, at something else
each time; one that needs much said that nothing else in the workflow says; one whose text is new
each time, which is the work itself. And one whose runs have no form in common.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from shared.mining.acts import Act, Stretch
from shared.mining.drafting import Evidence, has_default, usual_part
from shared.mining.episodes import WHOLE, Episode, Slot, Workflow
from shared.mining.foreseeing import values_of
from shared.mining.forms import form_of
from shared.mining.lifting import LiftedParameter, Lifting, Member, lift
from shared.mining.looking import looks
from shared.mining.naming import kind_of_values
from shared.mining.order import order_of
from shared.mining.shapes import COMMON, Shape, has_shape, is_free, usual_shape
from shared.mining.splitting import Part
from shared.mining.words import value_of

MOST_ASKED: Final = 2
"""Values that only one step needs and that must be given for each run."""
NEW_EACH_TIME: Final = 0.8
"""Share of different texts among those of a parameter from which it is new each time."""
BELONGING: Final = 0.35
"""Share of the uses of its steps that a workflow has at least."""
BELONGING_OF_ONE: Final = 0.5
"""The same for a workflow of one user."""
TOGETHER: Final = 0.6
"""The same for each of two steps that have nothing to do with each other."""
CHOICES: Final = 5
"""Values that can still be chosen from."""
_PLACED: Final = frozenset({
    "git", "make", "npm", "yarn", "pnpm", "npx", "cargo", "go", "mvn", "gradle", "pytest", "tox",
    "terraform", "docker-compose", "ansible-playbook", "python", "pip", "bundle", "rake",
    "composer", "poetry", "uv", "hg", "svn", "vagrant", "sphinx-build", "cmake", "ninja", "ctest",
    "node", "ruby", "perl", "php", "tsc", "eslint", "ruff", "mypy", "black", "pre-commit",
})  # fmt: skip
"""Programs that do what the directory they run in says."""
_OF_FILES: Final = frozenset({
    "rm", "mkdir", "rmdir", "touch", "cp", "mv", "ln", "tar", "unzip", "zip", "gzip", "gunzip",
    "cat", "less", "head", "tail", "tee", "sed", "awk", "patch", "rsync", "bash", "sh",
})  # fmt: skip
"""Programs whose plain words are names of files."""


def settled(
    workflow: Workflow, stretches: Sequence[Stretch], ordered: float, shared_after: int
) -> Evidence | None:
    """The workflow with the steps that are worth it; None where fewer than two are. Only runs
    that fit what is left count."""
    evidence = _worth(workflow, stretches, ordered, shared_after)
    if evidence is None:
        return None
    fitting = fitting_runs(evidence)
    slots = evidence.order.slots
    episodes = tuple(
        Episode(e.stretch, {s: at for s, at in e.places.items() if s in slots})
        for e, fits in zip(evidence.episodes, fitting, strict=True)
        if fits
    )
    again = _worth(Workflow(slots, episodes), stretches, ordered, shared_after)
    if again is None or len(set(_texts(again))) < len(again.order.slots):
        return None
    return again if _holds_together(again, stretches) else None


def _holds_together(evidence: Evidence, stretches: Sequence[Stretch]) -> bool:
    """Whether it is one thing: its steps are used in it and not everywhere. Each of them is hardly
    ever used without the others where there are but two that have nothing to do with each other,
    and where more must be said than there are steps."""
    many = len(evidence.order.slots)
    lifting = evidence.lifting
    said = sum(len(own_values(lifting, n, evidence.shared_after)) for n in range(many))
    shares = _belonging(evidence, stretches)
    if said > many or (many == 2 and not _is_linked(evidence)):
        return min(shares) >= TOGETHER
    least = BELONGING if evidence.users > 1 else BELONGING_OF_ONE
    return sum(shares) / many >= least


def _is_linked(evidence: Evidence) -> bool:
    """Whether two steps are about the same: a parameter, or a fixed value."""
    pieces = [
        {p for word in step.words for p in word.pieces if isinstance(p, int)}
        for step in evidence.lifting.steps
    ]
    values = [_values(evidence.samples[slot]) for slot in evidence.order.slots]
    return bool(pieces[0] & pieces[1] or values[0] & values[1])


def _belonging(evidence: Evidence, stretches: Sequence[Stretch]) -> list[float]:
    """By step, the share of its uses that were in the runs, in the mean over the users: of what is
    used everywhere it is small."""
    whose = [stretches[e.stretch].user for e in evidence.episodes]
    users = set(whose)
    shares = []
    for slot in evidence.order.slots:
        shape = evidence.shapes[slot]
        inside = Counter(
            user for user, act in zip(whose, evidence.acts[slot], strict=True) if act is not None
        )
        uses: Counter[str] = Counter()
        for one in stretches:
            if one.user in users:
                uses[one.user] += sum(
                    act.key == slot[0] and has_shape(act.part, shape) for act in one.acts
                )
        known = [min(1.0, inside[user] / many) for user, many in uses.items() if many]
        shares.append(sum(known) / max(1, len(known)))
    return shares


def _texts(evidence: Evidence) -> list[tuple[object, ...]]:
    return [tuple(word.pieces for word in step.words) for step in evidence.lifting.steps]


def fitting_runs(evidence: Evidence) -> list[bool]:
    """Which runs had enough of the steps in their usual form, with the fixed words."""
    count = [0] * evidence.runs
    for slot, step in zip(evidence.order.slots, evidence.lifting.steps, strict=True):
        shape = evidence.shapes[slot]
        fixed = [
            (i, value_of(w.text)) for i, w in enumerate(step.words)
            if w.kind == "word" and w.text is not None
        ]  # fmt: skip
        for run, act in enumerate(evidence.acts[slot]):
            if act is not None and has_shape(act.part, shape):
                tokens = act.part.tokens
                count[run] += all(value_of(tokens[i].text) == text for i, text in fixed)
    least = max(2, math.ceil(WHOLE * len(evidence.order.slots)))
    return [many >= least for many in count]


def _worth(
    workflow: Workflow, stretches: Sequence[Stretch], ordered: float, shared_after: int
) -> Evidence | None:
    slots = list(workflow.slots)
    while len(slots) >= 2:
        evidence = _evidence(workflow, slots, stretches, ordered, shared_after)
        if isinstance(evidence, Evidence):
            left_out = _least_worth(evidence)
            if left_out is None:
                return evidence
            slots.remove(left_out)
        else:
            slots.remove(evidence)
    return None


def _evidence(
    workflow: Workflow,
    slots: Sequence[Slot],
    stretches: Sequence[Stretch],
    ordered: float,
    shared_after: int,
) -> Evidence | Slot:
    """What is known of these steps; a step that has no common form is given instead."""
    episodes = [
        Episode(e.stretch, {s: at for s, at in e.places.items() if s in slots})
        for e in workflow.episodes
    ]
    least = max(2, (len(slots) + 1) // 2)
    episodes = [e for e in episodes if len(e.places) >= least]
    if not episodes:
        return slots[-1]
    kept = Workflow(tuple(slots), tuple(episodes))
    acts = {slot: [_act(e, slot, stretches) for e in episodes] for slot in slots}
    shapes: dict[Slot, Shape] = {}
    for slot in slots:
        members = _members(acts[slot], episodes, stretches)
        shape = usual_shape([(m.user, m.part) for m in members if m is not None], shared_after)
        if shape is None:
            return slot
        shapes[slot] = shape
    samples = {slot: _sample(acts[slot], shapes[slot]) for slot in slots}
    whose = [stretches[e.stretch].user for e in episodes]
    order = order_of(kept, whose, ordered, _bound(slots, samples))
    columns = [_members(acts[slot], episodes, stretches) for slot in order.slots]
    lifting = lift(columns, shared_after, [_is_placed(samples[s]) for s in order.slots])
    if lifting is None:
        return slots[-1]
    users = len({stretches[e.stretch].user for e in episodes})
    return Evidence(
        order, lifting, acts, samples, shapes, tuple(episodes), users, len(episodes), shared_after
    )


def _act(episode: Episode, slot: Slot, stretches: Sequence[Stretch]) -> Act | None:
    at = episode.places.get(slot)
    return stretches[episode.stretch].acts[at] if at is not None else None


def _members(
    acts: Sequence[Act | None], episodes: Sequence[Episode], stretches: Sequence[Stretch]
) -> list[Member | None]:
    return [
        Member(stretches[e.stretch].user, act.part) if act is not None else None
        for act, e in zip(acts, episodes, strict=True)
    ]


def _sample(acts: Sequence[Act | None], shape: Shape) -> Part:
    """The most usual command of this shape."""
    parts = (act.part for act in acts if act is not None)
    return usual_part([part for part in parts if has_shape(part, shape)])


def _bound(slots: Sequence[Slot], samples: dict[Slot, Part]) -> set[frozenset[Slot]]:
    """Steps of which one must wait for the other: both are about the same thing, or run the same
    program, and one of them changes something."""
    bound = set()
    for index, one in enumerate(slots):
        for other in slots[index + 1 :]:
            if looks(samples[one]) and looks(samples[other]):
                continue
            if _things(samples[one]) & _things(samples[other]):
                bound.add(frozenset((one, other)))
    return bound


def _things(part: Part) -> set[str]:
    """What a command is about: its program and its values."""
    return {c.name for c in form_of(part).commands} | _values(part)


def _values(part: Part) -> set[str]:
    return {value for _, value in values_of(part)}


def _is_placed(part: Part) -> bool:
    """Whether what a command does depends on the directory it runs in."""
    form = form_of(part)
    names = {command.at for command in form.commands}
    of_files = any(command.name in _OF_FILES for command in form.commands)
    for index, token in enumerate(part.tokens):
        text = token.text
        if index in names:
            if text.startswith(("./", "../")) or text.rpartition("/")[2] in _PLACED:
                return True
        elif token.kind == "word" and (_is_relative(text) or (of_files and _is_name(text))):
            return True
    return any(command.name in _PLACED for command in form.commands)


def _is_name(text: str) -> bool:
    return not text.startswith(("-", "/", "~"))


def _is_relative(text: str) -> bool:
    value = value_of(text) or ""
    if not value or value.startswith(("-", "/", "~")) or "://" in value or "@" in value:
        return False
    return value in (".", "..") or "/" in value or kind_of_values([value]) == "file"


def _least_worth(evidence: Evidence) -> Slot | None:
    """A step to leave out, if one is: the one that needs most said."""
    worst: tuple[int, Slot] | None = None
    for number, slot in enumerate(evidence.order.slots):
        needs = _needs(evidence, number)
        if needs and (worst is None or needs > worst[0]):
            worst = needs, slot
    return worst[1] if worst is not None else None


def _needs(evidence: Evidence, number: int) -> int:
    """How much speaks against a step; 0 where it is worth it."""
    lifting, slot = evidence.lifting, evidence.order.slots[number]
    if lifting.steps[number].share < COMMON:
        return 9
    if is_free(evidence.shapes[slot]) and not _may_be_free(evidence, slot):
        return 9
    own = own_values(lifting, number, evidence.shared_after)
    if len(own) > MOST_ASKED:
        return 1 + len(own)
    if evidence.looks(slot) and not all(map(_is_choice, own)):
        return 1 + len(own)
    new = [one for one in own if not one.is_list and _is_new_each_time(one)]
    return 1 if new and not _is_message(evidence, number) else 0


def _may_be_free(evidence: Evidence, slot: Slot) -> bool:
    """Whether a step may be no more than its program: it does something, and most of the others
    say what they do. A list of programs is no workflow, and how to look is up to who looks."""
    free = sum(map(is_free, evidence.shapes.values()))
    return not looks(evidence.samples[slot]) and 2 * free < len(evidence.shapes)


def own_values(lifting: Lifting, number: int, shared_after: int) -> list[LiftedParameter]:
    """The parameters without a default that only this step has, but for its directory."""
    return [
        parameter
        for parameter in lifting.parameters
        if {place.step for place in parameter.places} == {number}
        and all(place.word >= 0 for place in parameter.places)
        and not _is_used_elsewhere(lifting, parameter, number)
        and not has_default(parameter, shared_after)
    ]


def _is_used_elsewhere(lifting: Lifting, parameter: LiftedParameter, number: int) -> bool:
    index = lifting.parameters.index(parameter)
    return any(
        index in word.pieces
        for at, step in enumerate(lifting.steps)
        if at != number
        for word in step.words
    )


def _is_choice(parameter: LiftedParameter) -> bool:
    """Whether nearly all runs had one of a few values."""
    counted = parameter.counted()
    many = sum(runs for _, runs, _ in counted)
    few = sum(runs for _, runs, _ in counted[:CHOICES])
    return many >= 2 * CHOICES and few >= NEW_EACH_TIME * many


def _is_new_each_time(parameter: LiftedParameter) -> bool:
    counted = parameter.counted()
    many = sum(runs for _, runs, _ in counted)
    if kind_of_values(value for value, _, _ in counted) not in ("text", "other"):
        return any(" " in value for value, _, _ in counted) and len(counted) > NEW_EACH_TIME * many
    return len(counted) > NEW_EACH_TIME * many


def _is_message(evidence: Evidence, number: int) -> bool:
    return any(word.text in ("-m", "--message") for word in evidence.lifting.steps[number].words)
