"""From a settled workflow to a proposal: what it is worth, whether it is new, and its template.

Not proposed is what is a template already, what was proposed before (it keeps its id and is told
anew with what is known now), and what was rejected or is the same to a person. What resembles
something rejected needs more support, the more it does.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.commands.registry import CommandRegistry
from shared.mining.drafting import Draft, Evidence, draft, short
from shared.mining.likeness import Signature, contained, nearest
from shared.mining.naming import identifier
from shared.mining.options import MiningOptions
from shared.mining.proposals import Proposal, Saving, Support
from shared.mining.rendering import text_of
from shared.mining.settling import own_values
from shared.mining.splitting import parts_of
from shared.mining.timing import thought_s
from shared.mining.undoing import UndoPair
from shared.validation.subject import subject_of_template
from shared.validation.validate import validate
from shared.workflow.definition import Template

MOST_EXAMPLES: Final = 3
RESEMBLES: Final = 0.4
"""From this likeness on to something rejected more support is needed."""
MORE_SUPPORT: Final = 4.0
"""How much more, at a likeness of 1: this much again."""
CONTAINED: Final = 0.9
"""Share of the steps that are in another proposal, from which it is a part of that."""
ALONE: Final = 2.0
"""How much more often than the whole a part must have been run to be proposed, too."""
SHARED: Final = 0.6
"""Share of a run's commands that are in a run of what is proposed already, from which it is one."""
EXPLAINED: Final = 0.5
"""Share of such runs from which a workflow is nothing else than what is proposed already."""
TO_START_S: Final = 5.0
"""Seconds that starting a workflow takes itself."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A proposal that was made before: whose, and what it runs."""

    id: str
    owner: str
    signature: Signature


@dataclass(frozen=True, slots=True)
class Known:
    """What is there already: templates, proposals that are open or were accepted, and rejected."""

    templates: tuple[Template, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    rejected: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A workflow with whose it is and what speaks for it."""

    evidence: Evidence
    owner: str
    sessions: int
    log10_p: float
    weeks: float


class Proposer:
    """Makes proposals, each of them once."""

    def __init__(
        self,
        registry: CommandRegistry,
        options: MiningOptions,
        known: Known,
        pairs: Mapping[int, Sequence[UndoPair]],
    ) -> None:
        self._registry = registry
        self._options = options
        self._known = known
        self._pairs = pairs
        self._templates = [signature_of_template(one) for one in known.templates]
        self._taken = {one.id for one in known.templates}
        self._made: list[tuple[str, Signature, int]] = []
        self._used: list[frozenset[_Spot]] = []

    def of(self, found: Finding) -> Proposal | None:
        """The proposal for a workflow; None where it is not new, not welcome, or not sound."""
        signature = signature_of(found.evidence)
        if not self._is_welcome(found, signature):
            return None
        proposal_id = self._id(found, signature)
        title = ", ".join(short(found.evidence.step(s)) for s in found.evidence.order.slots)
        template_id = self._template_id(title, proposal_id)
        pairs = self._pairs[found.evidence.shared_after]
        try:
            written = draft(found.evidence, pairs, template_id, title)
        except ValueError:
            return None  # it has more, longer or other texts than a template may have
        report = validate(subject_of_template(written.template, self._registry), "standard")
        if not report.passed:
            return None
        self._made.append((found.owner, signature, found.sessions))
        self._used.append(_spots(found.evidence))
        self._taken.add(template_id)
        warnings = tuple(dict.fromkeys(
            f"{one.code}: {one.message}" for one in report.of_severity("warning")
        ))  # fmt: skip
        return Proposal(
            id=proposal_id,
            owner=found.owner,
            title=title,
            template=written.template,
            steps=written.lines,
            signature=signature,
            support=_support(found),
            saving=_saving(found),
            score=round(_score(found), 3),
            examples=tuple(_examples(found.evidence, written)),
            review=written.review,
            warnings=warnings,
        )

    def _is_welcome(self, found: Finding, signature: Signature) -> bool:
        limit = self._options.alike
        if nearest(signature, self._templates)[0] >= limit:
            return False
        shown = [(made, n) for owner, made, n in self._made if owner in ("", found.owner)]
        if nearest(signature, [made for made, _ in shown])[0] >= limit:
            return False
        if any(
            contained(signature, made) >= CONTAINED and found.sessions < ALONE * sessions
            for made, sessions in shown
        ):
            return False
        many = len(signature)
        used = [
            spots
            for (owner, made, _), spots in zip(self._made, self._used, strict=True)
            if owner == found.owner and len(made) >= many
        ]
        if any(_explained(found.evidence, spots) >= EXPLAINED for spots in used):
            return False
        refused = [
            one.signature
            for one in self._known.rejected
            if one.owner in ("", found.owner) or not found.owner
        ]
        like = nearest(signature, refused)[0]
        if like >= limit:
            return False
        needed = self._options.min_sessions
        if like >= RESEMBLES:
            needed = math.ceil(needed * (1 + MORE_SUPPORT * like))
        return found.sessions >= needed

    def _id(self, found: Finding, signature: Signature) -> str:
        """The id of the earlier proposal that this one is, or one of its own."""
        mine = [one for one in self._known.earlier if one.owner == found.owner]
        like, which = nearest(signature, [one.signature for one in mine])
        if like >= self._options.alike:
            return mine[which].id
        text = "\n".join([found.owner, *sorted(" ".join(step) for step in signature)])
        return f"prop-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _template_id(self, title: str, proposal_id: str) -> str:
        name = identifier(title)[:40].rstrip("_")
        return name if name not in self._taken else f"{name}_{proposal_id[-6:]}"


_Spot = tuple[int, int]
"""A command that was run: its stretch, and its place there."""


def _spots(evidence: Evidence) -> frozenset[_Spot]:
    """The commands that are in runs of a workflow."""
    return frozenset((e.stretch, at) for e in evidence.episodes for at in e.places.values())


def _explained(evidence: Evidence, used: frozenset[_Spot]) -> float:
    """The share of the runs of a workflow whose commands are nearly all in runs of another one: the
    same work, seen once more with a step left out or something else between."""
    shared = sum(
        sum((e.stretch, at) in used for at in e.places.values()) >= SHARED * len(e.places)
        for e in evidence.episodes
    )
    return shared / max(1, evidence.runs)


def signature_of(evidence: Evidence) -> Signature:
    """What a workflow's steps run: the program and the fixed words of each."""
    return tuple(
        tuple(
            word.text
            for word in evidence.step(slot).words
            if word.text is not None and word.kind != "redirect"
        )
        for slot in evidence.order.slots
    )


def signature_of_template(template: Template) -> Signature:
    """The same of a template: of its steps that run programs."""
    return tuple(
        line
        for step in template.steps
        if step.command == "shell"
        for line in _lines(step.parameters)
    )


def _lines(parameters: dict[str, object]) -> Iterator[tuple[str, ...]]:
    argv = parameters.get("argv")
    if isinstance(argv, list | tuple):
        yield tuple(str(one) for one in argv if "${{" not in str(one))
    script = parameters.get("script")
    for line in str(script).splitlines() if isinstance(script, str) else ():
        for part in parts_of(line):
            yield tuple(t.text for t in part.tokens if "$" not in t.text and t.kind == "word")


def _support(found: Finding) -> Support:
    evidence = found.evidence
    return Support(
        users=evidence.users,
        sessions=found.sessions,
        runs=evidence.runs,
        log10_p=round(found.log10_p, 1),
        complete=round(_complete(evidence), 3),
    )


def _complete(evidence: Evidence) -> float:
    had = sum(sum(act is not None for act in acts) for acts in evidence.acts.values())
    return had / max(1, evidence.runs * len(evidence.acts))


def _saving(found: Finding) -> Saving:
    columns = [[a for a in acts if a is not None] for acts in found.evidence.acts.values()]
    measured = sum(any(act.gap_ms is not None for act in acts) for acts in columns) > 1
    per_run = max(0.0, sum(thought_s(acts) for acts in columns) - TO_START_S)
    per_week = per_run * found.evidence.runs / max(1.0, found.weeks)
    return Saving(per_run_s=round(per_run, 1), per_week_s=round(per_week, 1), measured=measured)


def _score(found: Finding) -> float:
    """Worth: steps that need no thought, as often as they were run, less what must be said."""
    evidence = found.evidence
    lifting = evidence.lifting
    many = len(lifting.steps)
    share = sum(step.share for step in lifting.steps) / many
    asked = sum(len(own_values(lifting, n, evidence.shared_after)) for n in range(many))
    acting = sum(not evidence.looks(slot) for slot in evidence.order.slots)
    quality = _complete(evidence) * share / (1 + asked / many)
    return quality * (many - 0.5) * (0.5 + acting / many) * math.log2(1 + found.sessions)


def _examples(evidence: Evidence, written: Draft) -> Iterator[tuple[str, ...]]:
    """Runs as they were, the fullest first; of values only those that enough users used, else
    their names."""
    known = [
        {value for value, _, users in one.counted() if users >= evidence.shared_after}
        for one in evidence.lifting.parameters
    ]
    shown: dict[tuple[str, ...], tuple[int, int]] = {}
    for run in range(evidence.runs):
        lines, hidden = _run(evidence, run, known, written.names)
        if len(lines) > 1:
            shown.setdefault(lines, (hidden - 2 * len(lines), run))
    yield from sorted(shown, key=shown.__getitem__)[:MOST_EXAMPLES]


def _run(
    evidence: Evidence, run: int, known: Sequence[set[str]], names: Sequence[str]
) -> tuple[tuple[str, ...], int]:
    """The lines of a run, and how many of its values are not shown."""
    values: list[str | None] = []
    for number, one in enumerate(evidence.lifting.parameters):
        value = one.values[run]
        values.append(value if value in known[number] else None)
    told = [value if value is not None else f"<{names[n]}>" for n, value in enumerate(values)]
    lines = tuple(
        _PLACE.sub(r"\1", text_of(step.words, told) or "")
        for slot, step in zip(evidence.order.slots, evidence.lifting.steps, strict=True)
        if evidence.acts[slot][run] is not None
    )
    return lines, sum(value is None for value in values)


_PLACE: Final = re.compile(r"'([^' ]*<\w+>[^' ]*)'")
"""A word with the name of a value that is not shown, which needs no quotes."""
