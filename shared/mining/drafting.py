"""A template from a lifted workflow: its parameters, steps, ways back and policies.

What may change something is run only after somebody approved it, and what was learned to undo a
step is never run before somebody approved that: the policy asks at both gates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.mining.acts import Act
from shared.mining.episodes import Episode, Slot
from shared.mining.forms import form_of
from shared.mining.lifting import BETWEEN, LiftedParameter, LiftedStep, Lifting, Place, Word
from shared.mining.looking import looks
from shared.mining.naming import (
    identifier,
    kind_of_values,
    meaning,
    name_of_place,
    pattern_of,
    type_of,
    unique,
)
from shared.mining.order import Order
from shared.mining.rendering import shell_of, shown
from shared.mining.shapes import Shape, is_free
from shared.mining.splitting import Part
from shared.mining.timing import duration_s, retry, timeout_s
from shared.mining.undoing import UndoPair
from shared.mining.words import quoted
from shared.workflow.declared import Parameter, ParameterType
from shared.workflow.definition import Template

DOMINANT: Final = 0.6
"""Share of runs with one value from which it becomes the default."""
MOST_EXAMPLES: Final = 3
LONGEST_TEXT: Final = 200
"""Characters of a default or an example."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A workflow ready to be written: its order, what it has in common, and by step and run what
    was run (None: that run left it out). `samples` holds one command of each step's shape."""

    order: Order
    lifting: Lifting
    acts: Mapping[Slot, Sequence[Act | None]]
    samples: Mapping[Slot, Part]
    shapes: Mapping[Slot, Shape]
    episodes: tuple[Episode, ...]
    users: int
    runs: int
    shared_after: int

    def step(self, slot: Slot) -> LiftedStep:
        """What all runs have for a step."""
        return self.lifting.steps[self.order.slots.index(slot)]

    @property
    def sessions(self) -> int:
        """Stretches in which it was run."""
        return len({one.stretch for one in self.episodes})

    def looks(self, slot: Slot) -> bool:
        """Whether a step is known to change nothing, whatever it is given."""
        return looks(self.samples[slot]) and not is_free(self.shapes[slot])


@dataclass(frozen=True, slots=True)
class Draft:
    """A template, the lines of its steps, and what to look at before it is accepted."""

    template: Template
    lines: tuple[str, ...]
    review: tuple[str, ...]
    names: tuple[str, ...]
    """Of the parameters, by their numbers."""


def draft(evidence: Evidence, pairs: Sequence[UndoPair], template_id: str, title: str) -> Draft:
    """The template of a workflow. `title` is its name."""
    names = _names(evidence)
    parameters = {
        name: _parameter(one, evidence.shared_after)
        for name, one in zip(names, evidence.lifting.parameters, strict=True)
    }
    ids = _step_ids(evidence)
    steps, review = [], []
    undone = 0
    for slot in evidence.order.slots:
        step = _step(evidence, slot, ids, names, parameters)
        undo = _undo(evidence, slot, pairs)
        if undo is not None:
            step["rollback"] = {"command": "shell", "parameters": shell_of(
                undo[0], evidence.step(slot).cwd, names, parameters)}  # fmt: skip
            review.append(
                f"{ids[slot]}: `{shown(undo[0], names)}` was learned to undo it, from "
                f"{undo[1].stretches} sessions in which both were run; see that it does."
            )
            undone += 1
        elif not evidence.looks(slot):
            review.append(f"{ids[slot]}: nothing that undoes it was seen; say how, if it must be.")
        if is_free(evidence.shapes[slot]):
            review.append(f"{ids[slot]}: it is given all of its arguments; fix those that you can.")
        steps.append(step)
    data: dict[str, Any] = {
        "id": template_id,
        "version": "1.0.0",
        "name": title[:200],
        "description": f"Found in what people ran: {evidence.runs} runs by "
        f"{evidence.users} {'user' if evidence.users == 1 else 'users'}.",
        "category": "mined",
        "tags": ["mined"],
        "steps": steps,
    }
    if parameters:
        data["parameters"] = {name: _data(one) for name, one in parameters.items()}
    policies = _policies(changes=not all(map(evidence.looks, evidence.order.slots)), undone=undone)
    if policies:
        data["policies"] = policies
    usual = [duration_s([a for a in evidence.acts[s] if a]) for s in evidence.order.slots]
    if all(one is not None for one in usual):
        data["estimated_duration_s"] = round(sum(one or 0.0 for one in usual), 1)
    lines = tuple(shown(evidence.step(slot).words, names) for slot in evidence.order.slots)
    return Draft(Template.model_validate(data), lines, tuple(review), names)


def _policies(*, changes: bool, undone: int) -> dict[str, Any]:
    policies: dict[str, Any] = {}
    if changes:
        policies["approval_required"] = True
    if undone:
        policies["rollback"] = {"approval": {}}
    return policies


def _step(
    evidence: Evidence,
    slot: Slot,
    ids: Mapping[Slot, str],
    names: Sequence[str],
    parameters: Mapping[str, Parameter],
) -> dict[str, Any]:
    lifted = evidence.step(slot)
    acts = [act for act in evidence.acts[slot] if act is not None]
    step: dict[str, Any] = {
        "id": ids[slot],
        "name": shown(lifted.words, names)[:200],
        "description": f"In {len(acts)} of {evidence.runs} runs.",
        "command": "shell",
        "parameters": shell_of(lifted.words, lifted.cwd, names, parameters),
    }
    after = evidence.order.after[slot]
    if after:
        step["depends_on"] = [ids[one] for one in after]
    limit = timeout_s(acts)
    if limit is not None:
        step["timeout_s"] = float(limit)
    again = retry(acts)
    if again is not None:
        step["retry"] = again
    if evidence.looks(slot):
        step["idempotent"] = True
    return step


def _undo(
    evidence: Evidence, slot: Slot, pairs: Sequence[UndoPair]
) -> tuple[tuple[Word, ...], UndoPair] | None:
    """The words that undo a step, and the pair that says so."""
    words = evidence.step(slot).words
    if any(word.kind != "word" for word in words):
        return None
    pair = next((p for p in pairs if p.fits([word.text for word in words])), None)
    if pair is None:
        return None
    return tuple(
        words[part] if isinstance(part, int) else Word("word", (part,), part) for part in pair.undo
    ), pair


def _step_ids(evidence: Evidence) -> dict[Slot, str]:
    ids: dict[Slot, str] = {}
    for slot in evidence.order.slots:
        ids[slot] = unique(identifier(short(evidence.step(slot))), ids.values())
    return ids


def short(step: LiftedStep) -> str:
    """A step in two words: its program, and the first fixed word that says more."""
    texts = [w.text for w in step.words if w.kind == "word" and w.text is not None]
    bare = texts[1:] if texts[:1] in (["sudo"], ["doas"]) and len(texts) > 1 else texts
    if not bare:
        return "step"
    more = next((t for t in bare[1:] if t.isascii() and t.replace("-", "").isalpha()), "")
    said = more if more and not more.startswith("-") and len(more) < 20 else ""
    return f"{bare[0].rpartition('/')[2]} {said}".strip()


def _names(evidence: Evidence) -> tuple[str, ...]:
    names: list[str] = []
    for parameter in evidence.lifting.parameters:
        kind = kind_of_values(_each(parameter))
        found = [_name_at(evidence, place, kind) for place in parameter.places]
        best = min(found, key=lambda one: one[0]) if found else (9, "value")
        if parameter.is_list and not best[1].endswith("s"):
            best = best[0], f"{best[1]}s"
        names.append(unique(identifier(best[1]), names))
    return tuple(names)


def _name_at(evidence: Evidence, place: Place, kind: str) -> tuple[int, str]:
    if place.word < 0:
        return 0, "directory"
    words = evidence.lifting.steps[place.step].words
    slot = evidence.order.slots[place.step]
    if is_free(evidence.shapes[slot]):
        return 0, f"{short(evidence.step(slot))} arguments"
    form = form_of(evidence.samples[slot])
    start = next((c for c in reversed(form.commands) if c.at <= place.word), None)
    at = start.at if start is not None else 0
    program = start.name if start is not None else ""
    before = words[at + 1 : place.word]
    fixed = [w.text for w in before if w.text is not None and not w.text.startswith("-")]
    argument = 1 + sum(not (w.text or "").startswith("-") for w in before) - len(fixed)
    option = words[place.word - 1].text or "" if place.word > at + 1 else ""
    own = words[place.word].pieces
    if place.atom and own and isinstance(own[0], str) and own[0].startswith("--"):
        return 0, identifier(own[0])
    if own and isinstance(own[0], str) and own[0].endswith("=") and place.atom:
        return 1, identifier(own[0].rstrip("="))
    return name_of_place(
        program, [f for f in fixed if f], argument, kind, option if option[:1] == "-" else ""
    )


def _each(lifted: LiftedParameter) -> list[str]:
    """Every value; those of lists one by one."""
    values = [value for value, _, _ in lifted.counted()]
    return [one for value in values for one in value.split(BETWEEN)] if lifted.is_list else values


def _list_parameter(lifted: LiftedParameter, shared_after: int) -> Parameter:
    counted = lifted.counted()
    many = sum(runs for _, runs, _ in counted)
    items: dict[str, Any] = {"type": "string", "minLength": 1}
    pattern = pattern_of(_each(lifted), "other")
    if pattern and not lifted.is_free:
        items["pattern"] = pattern
    known = [
        (value.split(BETWEEN), runs)
        for value, runs, users in counted
        if users >= shared_after and len(value) <= LONGEST_TEXT
    ]
    data: dict[str, Any] = {"type": "array", "items": items, "minItems": 1, "maxItems": 1_000}
    if lifted.is_free:
        data["description"] = _all_arguments([value for value, _ in known[:MOST_EXAMPLES]])
    if known and known[0][1] >= DOMINANT * many and not lifted.is_free:
        data["default"] = known[0][0]
    elif known:
        data["examples"] = tuple(value for value, _ in known[:MOST_EXAMPLES])
    return Parameter.model_validate(data)


def _all_arguments(usual: Sequence[Sequence[str]]) -> str:
    """What a list of all arguments is, with the usual ones."""
    told = "; ".join(" ".join(quoted(one) for one in value) for value in usual)
    return (
        "All arguments of the program, options too, one text each: they differ from run to run. "
        + (f"Most used: {told}" if told else "None was used by enough people to be shown.")
    )


def _parameter(lifted: LiftedParameter, shared_after: int) -> Parameter:
    if lifted.is_list:
        return _list_parameter(lifted, shared_after)
    counted = lifted.counted()
    many = sum(runs for _, runs, _ in counted)
    values = [value for value, _, _ in counted]
    kind = kind_of_values(values)
    integer = type_of(values) is ParameterType.INTEGER
    known = [
        (int(value) if integer else value, runs)
        for value, runs, users in counted
        if users >= shared_after and len(value) <= LONGEST_TEXT
    ]
    data: dict[str, Any] = {"type": "integer" if integer else "string"}
    if meaning(kind):
        data["description"] = meaning(kind)
    if known and known[0][1] >= DOMINANT * many:
        data["default"] = known[0][0]
    elif known:
        data["examples"] = tuple(value for value, _ in known[:MOST_EXAMPLES])
    pattern = None if integer else pattern_of(values, kind)
    if pattern:
        data["pattern"] = pattern
    if not integer:
        data["minLength"] = 1
    return Parameter.model_validate(data)


def has_default(lifted: LiftedParameter, shared_after: int) -> bool:
    """Whether a parameter gets a default."""
    return _parameter(lifted, shared_after).has_default


def _data(parameter: Parameter) -> dict[str, Any]:
    return parameter.model_dump(mode="json", by_alias=True, exclude_unset=True)


def usual_part(parts: Sequence[Part]) -> Part:
    """The command that was run most often."""
    counts = Counter(part.text for part in parts)
    best = max(counts, key=lambda text: (counts[text], text))
    return next(part for part in parts if part.text == best)
