"""What runs were given and were about: the fold that earlier values and similar runs come from.

The law:

* Values are remembered of runs that completed. A value of others is told once `K_USERS` people have
  used it in this template; one's own always. Sensitive ones never get here.
* Everything has a bound; what was not used for longest goes first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from shared.learning.records import AnyRecord, Forget, RunRecord, Scalar
from shared.suggest import words

NAME: Final = "experience"
K_USERS: Final = 2
"""People who must have used a value before others are shown it."""

MOST_TEMPLATES: Final = 5_000
KEPT_RUNS: Final = 32
KEPT_VALUES: Final = 32
"""Values of a parameter that are remembered, of all people together."""
KEPT_OWN: Final = 8
MOST_USERS: Final = 2_000
KEPT_STEMS: Final = 40
_GOOD: Final = ("completed", "completed_with_errors")


@dataclass
class PastRunOf:
    """One run: what it was about is kept as stems alone."""

    id: str
    status: str
    at_ms: int
    stems: list[str]


@dataclass
class Used:
    """How often a value was used, and the first few who did."""

    count: int = 0
    users: list[str] = field(default_factory=list)


@dataclass
class OfTemplate:
    """What is known of one template's runs."""

    runs: list[PastRunOf] = field(default_factory=list)
    values: dict[str, dict[str, Used]] = field(default_factory=dict)
    """By parameter, then by the value as JSON."""
    own: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """By user, parameter and value: how often."""


class ExperienceFold:
    """See the module."""

    name = NAME
    version = 1
    personal = False

    def __init__(self) -> None:
        self.templates: dict[str, OfTemplate] = {}

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - a fold's signature
        """Learn from a run; other items say nothing of one."""
        if not isinstance(item, RunRecord) or item.rollback_of:
            return
        known = self.templates.pop(item.template_id, None) or OfTemplate()
        self.templates[item.template_id] = known
        if len(self.templates) > MOST_TEMPLATES:
            del self.templates[next(iter(self.templates))]
        stems = list(dict.fromkeys(words.counted(_said(item.parameters))))[:KEPT_STEMS]
        known.runs.append(PastRunOf(item.id, item.status, item.at_ms, stems))
        del known.runs[:-KEPT_RUNS]
        if item.status in _GOOD:
            for name, value in item.parameters.items():
                _remember(known, name, json.dumps(value), item.by)

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - a fold's signature
        """An order names commands and feedback, of which this holds nothing."""
        return True

    def save(self) -> bytes:
        """The whole state as JSON."""
        templates = {name: _plain(one) for name, one in self.templates.items()}
        return json.dumps({"templates": templates}).encode()

    def load(self, data: bytes) -> None:
        """Be as the fold that saved `data`. Raises ValueError for anything else."""
        try:
            found = json.loads(data)["templates"]
            self.templates = {name: _whole(one) for name, one in found.items()}
        except (AttributeError, TypeError, KeyError) as error:
            raise ValueError(f"this is no snapshot of experience: {error!r}") from error

    def own_values(self, template: str, name: str, user: str) -> list[tuple[Any, float]]:
        """What this user gave for a parameter, and its share, the most used first."""
        known = self.templates.get(template)
        counts = known.own.get(user, {}).get(name, {}) if known else {}
        return _shares(counts)

    def shared_values(self, template: str, name: str, user: str) -> list[tuple[Any, float]]:
        """What all gave for a parameter, as far as `user` may see it, the most used first. Shares
        are of all values, also those that are not told."""
        known = self.templates.get(template)
        used = known.values.get(name, {}) if known else {}
        shares = _shares({value: one.count for value, one in used.items()})
        seen = {v for v, one in used.items() if len(one.users) >= K_USERS or user in one.users}
        return [(value, share) for value, share in shares if json.dumps(value) in seen]

    def similar(self, template: str, text: str, most: int) -> list[tuple[PastRunOf, float]]:
        """Earlier runs whose values speak of the same: the share of rarer stems in common."""
        known = self.templates.get(template)
        wanted = set(words.counted(text))
        if known is None or not wanted:
            return []
        found = []
        for run in known.runs:
            both = wanted.intersection(run.stems)
            if run.stems and len(both) >= 2:
                found.append((run, len(both) / (len(wanted) * len(run.stems)) ** 0.5))
        found.sort(key=lambda one: (-one[1], -one[0].at_ms, one[0].id))
        return found[:most]


def _remember(known: OfTemplate, name: str, value: str, user: str) -> None:
    used = known.values.setdefault(name, {})
    one = used.pop(value, None) or Used()
    one.count += 1
    if user and user not in one.users and len(one.users) < K_USERS:
        one.users.append(user)
    used[value] = one
    if len(used) > KEPT_VALUES:
        del used[next(iter(used))]
    if not user:
        return
    own = known.own.pop(user, {})
    known.own[user] = own
    mine = own.setdefault(name, {})
    mine[value] = mine.pop(value, 0) + 1
    if len(mine) > KEPT_OWN:
        del mine[next(iter(mine))]
    if len(known.own) > MOST_USERS:
        del known.own[next(iter(known.own))]


def _said(parameters: dict[str, Scalar]) -> str:
    return " ".join(value for value in parameters.values() if isinstance(value, str))


def _shares(counts: dict[str, int]) -> list[tuple[Any, float]]:
    """Values with the share that one may expect of them again (Krichevsky and Trofimov 1981, with
    one unseen value)."""
    total = sum(counts.values())
    latest_first = reversed(counts.items())
    found = [
        (json.loads(v), (n + 0.5) / (total + 0.5 * (len(counts) + 1))) for v, n in latest_first
    ]
    return sorted(found, key=lambda one: -one[1])


def _plain(one: OfTemplate) -> dict[str, Any]:
    return {
        "runs": [[run.id, run.status, run.at_ms, run.stems] for run in one.runs],
        "values": {
            name: [[value, each.count, each.users] for value, each in used.items()]
            for name, used in one.values.items()
        },
        "own": one.own,
    }


def _whole(kept: dict[str, Any]) -> OfTemplate:
    return OfTemplate(
        [PastRunOf(*run) for run in kept["runs"]],
        {name: _used(rows) for name, rows in kept["values"].items()},
        kept["own"],
    )


def _used(rows: Iterable[list[Any]]) -> dict[str, Used]:
    return {value: Used(count, list(users)) for value, count, users in rows}
