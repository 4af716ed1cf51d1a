"""Failures by what they have in common: the fold, and the match of a new one.

Every attempt that failed adds its masked message, behind its code, to the patterns (`drain`). A
*signature* is a pattern with what is known of it: how often and when it occurred, by hour of the
day (UTC) and by day, in which steps, with which commands, on which agents, for which values of
parameters; and what was done about it (`resolving`). Counts of names are bounded: when a new one
finds no place, the least frequent gives its place and its count to it (the Space-Saving method of
Metwally and others, 2005), so that what is frequent stays.

What people wrote (a reason for a rejection or a mark) is not mined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from shared.learning.records import AnyRecord, Forget, RunAttempt, RunRecord
from shared.outcomes.beta import Belief
from shared.outcomes.drain import Drain
from shared.outcomes.messages import masked, tokens_of
from shared.outcomes.resolving import Answer, Change, Resolver
from shared.outcomes.success import packed, unpacked
from shared.outcomes.tally import faded, make_room

MAX_SIGNATURES: Final = 2_000
MAX_NAMES: Final = 16
MAX_CHANGES: Final = 24
MAX_RUNS: Final = 5
DAYS: Final = 30
DAY_MS: Final = 86_400_000
MAX_CODES: Final = 200
_WRITTEN_BY_PEOPLE: Final = ("approval_", "marked_", "rejected", "cancelled", "delegation_")
_HELPS: Final = Belief(1.0, 2.0)
"""That something helps, before it was tried: a judgement."""

Names = dict[str, float]


@dataclass(slots=True)
class Outcomes:
    """How often something was done about a failure, and how often it helped. `users`: who did it,
    at most two; `run` is the last one that helped."""

    tried: int = 0
    helped: int = 0
    at_ms: int = 0
    run: str = ""
    users: tuple[str, ...] = ()

    @property
    def chance(self) -> Belief:
        """How likely it helps."""
        return _HELPS.after(self.helped, self.tried - self.helped)


@dataclass(slots=True)
class Signature:
    """What is known of one pattern. `count` are failed attempts, `weight` the same, fading."""

    number: int
    id: str = ""
    """Made from the first message that it took: the same after a rebuild."""
    count: int = 0
    runs: int = 0
    weight: float = 0.0
    first_ms: int = 0
    last_ms: int = 0
    example: str = ""
    codes: Names = field(default_factory=dict)
    commands: Names = field(default_factory=dict)
    steps: Names = field(default_factory=dict)
    agents: Names = field(default_factory=dict)
    values: Names = field(default_factory=dict)
    only_by: dict[str, str] = field(default_factory=dict)
    """Of each of these values the user who used it, empty once a second one has: only then may it
    be shown to others."""
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    days: dict[int, int] = field(default_factory=dict)
    latest: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    done: dict[Change, Outcomes] = field(default_factory=dict)

    def helpful(self) -> tuple[tuple[Change, Outcomes], ...]:
        """What was done and helped at least once, the likeliest to help first."""
        found = [(change, one) for change, one in self.done.items() if one.helped]
        return tuple(sorted(found, key=lambda pair: -pair[1].chance.quantile(0.25)))


@dataclass(frozen=True, slots=True)
class Known:
    """A signature that a failure matches, and the share of its words that are the same."""

    signature: Signature
    similarity: float


class FailureModel:
    """Finds signatures in the runs of the record; a fold."""

    name = "outcomes-failures"
    version = 2
    personal = False

    def __init__(self) -> None:
        self.drain = Drain()
        self.signatures: dict[int, Signature] = {}
        self.resolver = Resolver()
        self.codes: dict[str, None] = {}
        self.touched: dict[int, None] = {}
        self.gone: dict[str, None] = {}
        """Signatures that changed (`touched`), and ids of those that were dropped (`gone`), since
        somebody looked; no part of what is saved."""

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - the fold's form
        """Learn the failures of a run, and what it answers."""
        if not isinstance(item, RunRecord) or item.rollback_of:
            return
        numbers = self._learn(item)
        self.touched.update(numbers)
        answer = self.resolver.follow(item, tuple(numbers))
        if answer is not None:
            self._credit(answer)
        if len(self.signatures) > MAX_SIGNATURES:
            self._make_room()

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - the fold's form
        """Orders name commands and feedback, which this never sees."""
        return True

    def match(self, message: str, code: str = "") -> Known | None:
        """The signature that a failure would count to; without a code, of the most similar."""
        found: list[Known] = []
        for one in (code,) if code else self.codes:
            fit = self.drain.find((one, *_words(one, message)))
            if fit is not None and fit.number in self.signatures:
                found.append(Known(self.signatures[fit.number], fit.similarity))
        return max(found, key=lambda k: (k.similarity, k.signature.weight), default=None)

    def pattern(self, signature: Signature) -> str:
        """The pattern in words, without its code."""
        return " ".join(self.drain.patterns[signature.number][1:])

    def save(self) -> bytes:
        """The whole state."""
        state = {
            "version": self.version,
            "drain": self.drain.state(),
            "signatures": [_signature_state(one) for one in self.signatures.values()],
            "resolver": self.resolver.state(),
            "codes": list(self.codes),
        }
        return packed(state)

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`; raises ValueError for anything else."""
        state = unpacked(data, self.version)
        self.drain = Drain.restored(state["drain"])
        made = [_signature(one) for one in state["signatures"]]
        self.signatures = {one.number: one for one in made}
        self.resolver = Resolver.restored(state["resolver"])
        self.codes = dict.fromkeys(state["codes"])

    def _learn(self, run: RunRecord) -> dict[int, None]:
        """Count the failures of a run; gives their signatures."""
        seen: dict[int, None] = {}
        for one in run.attempts:
            if one.outcome == "completed":
                continue
            code = one.code or one.outcome
            if len(self.codes) < MAX_CODES:
                self.codes.setdefault(code)
            tokens = (code, *_words(code, one.message))
            number = self.drain.add(tokens)
            signature = self.signatures.setdefault(number, Signature(number, id_of(tokens)))
            _count(signature, run, one, first=number not in seen)
            seen[number] = None
        return seen

    def _make_room(self) -> None:
        ids = {number: one.id for number, one in self.signatures.items()}
        gone = make_room(self.signatures, MAX_SIGNATURES, lambda one: one.last_ms)
        self.drain.drop(gone)
        self.gone.update(dict.fromkeys(ids[number] for number in gone))

    def _credit(self, answer: Answer) -> None:
        for number in answer.signatures:
            signature = self.signatures.get(number)
            if signature is None:
                continue
            self.touched[number] = None
            for change in answer.changes:
                _credit(signature.done, change, answer)


def id_of(tokens: Sequence[str]) -> str:
    """The id of a signature that begins with this message."""
    text = " ".join(tokens).encode("utf-8", "surrogatepass")
    return f"f{blake2b(text, digest_size=5).hexdigest()}"


def _words(code: str, message: str) -> tuple[str, ...]:
    return () if code.startswith(_WRITTEN_BY_PEOPLE) else tokens_of(message)


def _count(signature: Signature, run: RunRecord, one: RunAttempt, *, first: bool) -> None:
    at_ms = one.ended_at_ms or run.at_ms
    code = one.code or one.outcome
    if at_ms > signature.last_ms:
        if signature.last_ms:
            signature.weight *= faded(at_ms - signature.last_ms)
        signature.last_ms = at_ms
    signature.weight += faded(signature.last_ms - at_ms)
    signature.first_ms = min(signature.first_ms, at_ms) if signature.count else at_ms
    signature.count += 1
    signature.hours[at_ms // 3_600_000 % 24] += 1
    _count_day(signature.days, at_ms // DAY_MS)
    if not code.startswith(_WRITTEN_BY_PEOPLE):
        signature.example = masked(one.message)
    places = ((signature.codes, code), (signature.commands, one.command))
    for counts, name in (*places, (signature.agents, one.agent)):
        count_name(counts, name)
    count_name(signature.steps, f"{run.template_id}/{one.step}")
    if first:
        signature.runs += 1
        signature.latest = (*signature.latest, run.id)[-MAX_RUNS:]
        signature.users = _with_user(signature.users, run.by)
        for name, value in sorted(run.parameters.items()):
            said = f"{name}={json.dumps(value)}"
            count_name(signature.values, said)
            if signature.only_by.setdefault(said, run.by) != run.by:
                signature.only_by[said] = ""
        for gone in [one for one in signature.only_by if one not in signature.values]:
            del signature.only_by[gone]


def count_name(counts: Names, name: str) -> None:
    """Count a name among the most frequent ones."""
    if not name:
        return
    if name not in counts and len(counts) >= MAX_NAMES:
        least = min(counts, key=lambda one: (counts[one], one))
        counts[name] = counts.pop(least)
    counts[name] = counts.get(name, 0.0) + 1.0


def _count_day(days: dict[int, int], day: int) -> None:
    days[day] = days.get(day, 0) + 1
    for old in [one for one in days if one <= max(days) - DAYS]:
        del days[old]


def _with_user(users: tuple[str, ...], user: str) -> tuple[str, ...]:
    return users if user in users or len(users) >= 2 else (*users, user)


def _credit(done: dict[Change, Outcomes], change: Change, answer: Answer) -> None:
    if change not in done and len(done) >= MAX_CHANGES:
        del done[min(done, key=lambda one: (done[one].helped, done[one].at_ms))]
    one = done.setdefault(change, Outcomes())
    one.tried += 1
    one.helped += answer.helped
    one.at_ms = max(one.at_ms, answer.run.at_ms)
    one.users = _with_user(one.users, answer.run.by)
    if answer.helped:
        one.run = answer.run.id


_PLAIN: Final = (
    "number", "id", "count", "runs", "weight", "first_ms", "last_ms", "example", "codes",
    "commands", "steps", "agents", "values", "only_by", "hours", "latest", "users",
)  # fmt: skip


def _signature_state(one: Signature) -> dict[str, Any]:
    state = {name: getattr(one, name) for name in _PLAIN}
    state["days"] = [[day, count] for day, count in one.days.items()]
    state["done"] = [
        [c.kind, c.what, c.value, o.tried, o.helped, o.at_ms, o.run, o.users]
        for c, o in one.done.items()
    ]
    return state


def _signature(state: Mapping[str, Any]) -> Signature:
    plain = {name: state[name] for name in _PLAIN}
    plain["latest"], plain["users"] = tuple(plain["latest"]), tuple(plain["users"])
    made = Signature(**plain, days=dict(map(tuple, state["days"])))
    for kind, what, value, tried, helped, at_ms, run, users in state["done"]:
        made.done[Change(kind, what, value)] = Outcomes(tried, helped, at_ms, run, tuple(users))
    return made
