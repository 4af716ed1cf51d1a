"""Values for the parameters of a workflow, each with where it comes from and how sure that is.

The law:

* A value is offered only if the parameter's own schema takes it.
* What was said outright (facts, the commands that were run) comes before what is named in the text,
  and that before what was used earlier; of all candidates for a parameter the surest is offered.
* A parameter that may be secret, by its name or its format, is never filled, from nowhere; nor is a
  value that looks like a secret.
* A value of others is offered once enough people have used it (`experience.K_USERS`).
* A confidence is that of the way it was found; the tests hold a small corpus against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from shared.learning.secret_filter import MASK, without_secrets
from shared.suggest.entities import Entity, Kind, entities
from shared.suggest.experience import ExperienceFold
from shared.suggest.value_types import fitting, in_unit_of
from shared.workflow.declared import Parameter, ParameterType
from shared.workflow.definition import Template

Source = Literal["facts", "commands", "text", "yours", "others", "agents", "default"]

LEAST: Final = 0.3
"""A confidence below which nothing is offered; a default always is."""

_SECRET: Final = re.compile(
    r"(?:^|_)(?:passwords?|passwd|passphrase|pwd|secrets?|tokens?|credentials?|pin|otp|"
    r"(?:api|access|private|secret|ssh|signing|encryption|auth)_?keys?)(?:_|$)",
    re.IGNORECASE,
)
_SECRET_FORMATS: Final = frozenset({"password", "secret", "credential"})
_SECRET_VALUE: Final = re.compile(
    r"-----BEGIN|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.|"
    r"\bhive_[A-Za-z0-9]{16,}|\bxox[baprs]-|\bsk-[A-Za-z0-9]{16,}|://[^/\s:@]+:[^/\s@]+@|"
    r"\$\{\{"
)

_NAMES: Final[Mapping[Kind, str]] = {
    Kind.HOST: "host hosts hostname hostnames server servers node nodes machine machines instance",
    Kind.SERVICE: "service services app application component daemon unit deployment job",
    Kind.SEVERITY: "severity urgency impact",
    Kind.PRIORITY: "priority",
    Kind.CVE: "cve cves vulnerability vulnerabilities",
    Kind.ADVISORY: "advisory advisories bulletin",
    Kind.TICKET: "ticket tickets issue incident_id change_id reference",
    Kind.URL: "url urls link endpoint uri",
    Kind.EMAIL: "email emails mail recipient recipients",
    Kind.ADDRESS: "address addresses ip ips target_ip",
    Kind.PORT: "port ports",
    Kind.FILE: "file files path paths config_file",
    Kind.SETTING: "setting settings option key",
    Kind.VERSION: "version versions release tag target_version",
    Kind.TIME_WINDOW: "window time_window maintenance_window period",
    Kind.DATE: "date day",
    Kind.TIME: "time start starts_at begin",
    Kind.DURATION: "duration length minutes seconds hours",
    Kind.USER: "user users username account owner assignee",
}
"""Parts of a parameter's name that ask for a kind, the words apart by blanks."""

_ALL_SYSTEMS: Final = "systems affected components targets"
_OF_SYSTEMS: Final = (Kind.HOST, Kind.SERVICE)
_NUMBERS: Final = (ParameterType.INTEGER, ParameterType.NUMBER)
_BY_NAME: Final = 0.85
_BY_DESCRIPTION: Final = 0.5
_TITLES: Final = frozenset({"title", "summary", "subject", "topic", "task", "headline"})
_TEXTS: Final = frozenset({"description", "details", "body", "text", "what"})


@dataclass(frozen=True)
class Value:
    """A value for a parameter."""

    name: str
    value: Any
    source: Source
    confidence: float
    says: str


@dataclass(frozen=True)
class Known:
    """What values may come from. `commands` are those recovered from commands that were run."""

    user: str
    text: str = ""
    intent: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    agents: Sequence[str] | None = None
    """Names of live agents; None: not known now."""
    experience: ExperienceFold = field(default_factory=ExperienceFold)
    named: tuple[Entity, ...] | None = None
    """What is named in the text, where that was looked for already."""


def prefill(template: Template, known: Known) -> list[Value]:
    """The surest value for each parameter for which there is one, in the template's order."""
    said = f"{known.intent}\n{known.text}".strip()
    named = known.named if known.named is not None else tuple(entities(said))
    found = []
    for name, parameter in template.parameters.items():
        if is_secret(name, parameter):
            continue
        candidates = list(_candidates(template, name, parameter, known, named))
        best = max(candidates, key=lambda one: one.confidence, default=None)
        if best is not None:
            found.append(best)
    return found


def is_secret(name: str, parameter: Parameter) -> bool:
    """Whether a parameter may hold a secret: then nothing is ever filled in."""
    return bool(
        _SECRET.search(name)
        or (parameter.format or "").lower() in _SECRET_FORMATS
        or (parameter.title and _SECRET.search(parameter.title.replace(" ", "_")))
    )


def looks_secret(value: Any) -> bool:
    """Whether a value looks like a secret, or names one."""
    if isinstance(value, (list, tuple)):
        return any(looks_secret(one) for one in value)
    return isinstance(value, str) and _text_looks_secret(value)


@lru_cache(maxsize=4_096)
def _text_looks_secret(text: str) -> bool:
    """Kept for the texts of late: the same few are suggested again and again."""
    return bool(_SECRET_VALUE.search(text)) or MASK in text or without_secrets(text) != text


def _candidates(
    template: Template,
    name: str,
    parameter: Parameter,
    known: Known,
    named: Sequence[Entity],
) -> Iterator[Value]:
    rough = (
        *_said(name, parameter, known),
        *_of_agents(name, parameter, known),
        *_of_entities(name, parameter, named),
        *_of_texts(name, parameter, known),
        *_of_runs(template.id, name, known),
    )
    for one in rough:
        value = fitting(parameter, one.value)
        if value is not None and one.confidence >= LEAST and not looks_secret(value):
            yield Value(name, value, one.source, round(one.confidence, 3), one.says)
    if parameter.has_default and parameter.default is not None:
        yield Value(name, parameter.default, "default", _DEFAULT, "the template's default")


_DEFAULT: Final = LEAST


def _said(name: str, parameter: Parameter, known: Known) -> Iterator[Value]:
    if name in known.facts:
        yield Value(name, known.facts[name], "facts", 0.98, "given by that name")
    if name in known.commands:
        yield Value(name, known.commands[name], "commands", 0.95, "in the commands that were run")
    if parameter.enum:
        yield from _of_enum(name, parameter.enum, f"{known.intent}\n{known.text}")


def _of_enum(name: str, allowed: Sequence[Any], text: str) -> Iterator[Value]:
    """A word of the enumeration beside the parameter's name, or alone in the text."""
    words = [one for one in allowed if isinstance(one, str) and one]
    beside = [w for w in words if re.search(_beside(name, w), text, re.IGNORECASE)]
    if len(beside) == 1:
        yield Value(name, beside[0], "text", 0.9, f"“{beside[0]}” stands beside “{_spoken(name)}”")
    alone = [w for w in words if re.search(rf"\b{re.escape(w)}\b", text, re.IGNORECASE)]
    if len(alone) == 1:
        yield Value(name, alone[0], "text", 0.55, f"“{alone[0]}” stands in the text")


def _beside(name: str, word: str) -> str:
    name = re.escape(_spoken(name)).replace(r"\ ", r"[\s_-]")
    return rf"\b{name}\W{{1,3}}{re.escape(word)}\b|\b{re.escape(word)}\W{{1,3}}{name}\b"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _of_agents(name: str, parameter: Parameter, known: Known) -> Iterator[Value]:
    """Names of live agents that the text or the facts name, or the only one there is."""
    kinds = _kinds_of(name, parameter)
    if not known.agents or not (Kind.HOST in kinds or "agent" in name.split("_")):
        return
    said = f"{known.intent} {known.text}".lower()
    there = [a for a in known.agents if re.search(rf"(?<![\w-]){re.escape(a)}(?![\w-])", said)]
    if there and parameter.type is ParameterType.ARRAY:
        yield Value(name, there, "agents", 0.9, "live agents that the text names")
    elif len(there) == 1:
        yield Value(name, there[0], "agents", 0.93, "a live agent that the text names")
    elif len(known.agents) == 1:
        yield Value(name, known.agents[0], "agents", 0.4, "the only live agent")


def _of_entities(name: str, parameter: Parameter, named: Sequence[Entity]) -> Iterator[Value]:
    kinds = _kinds_of(name, parameter)
    if parameter.type is ParameterType.ARRAY:
        found = [one.value for one in named if one.kind in kinds]
        if found:
            sure = max(kinds[one.kind] for one in named if one.kind in kinds)
            unique = list(dict.fromkeys(found))
            yield Value(name, unique, "text", sure * 0.9, f"the text names {', '.join(unique[:4])}")
        return
    for kind, sure in kinds.items():
        values = list(dict.fromkeys(one.value for one in named if one.kind is kind))
        if values:
            # The first of several is right more often than any other, and less than one alone.
            says = f"the text names the {kind.value.replace('_', ' ')} {values[0]}"
            value: Any = values[0]
            if kind is Kind.DURATION and parameter.type in _NUMBERS:
                value = in_unit_of(name, values[0])
            yield Value(name, value, "text", sure / len(values) ** 0.5, says)


def _kinds_of(name: str, parameter: Parameter) -> dict[Kind, float]:
    """The kinds that a parameter asks for, by its name or else by its description."""
    parts = {name, *name.split("_")}
    found = {kind: _BY_NAME for kind, words in _NAMES.items() if parts.intersection(words.split())}
    if parts.intersection(_ALL_SYSTEMS.split()):
        found.update(dict.fromkeys(_OF_SYSTEMS, 0.75))
    if not found and parameter.type is not ParameterType.BOOLEAN:
        told = set(re.findall(r"[a-z]+", f"{parameter.title} {parameter.description}".lower()))
        found = {k: _BY_DESCRIPTION for k, words in _NAMES.items() if told & set(words.split())}
        if len(found) > 1:
            return {}
    return found


def _of_texts(name: str, parameter: Parameter, known: Known) -> Iterator[Value]:
    """A heading from the first sentence, a description from all of it."""
    if parameter.type is not ParameterType.STRING or parameter.enum or parameter.pattern:
        return
    longest = parameter.max_length or 4_000
    said = known.intent.strip() or known.text.strip()
    if not said:
        return
    if name in _TITLES:
        yield Value(name, _first_sentence(said, min(longest, 120)), "text", 0.6, "how it begins")
    elif name in _TEXTS:
        yield Value(name, (known.text.strip() or said)[:longest], "text", 0.6, "the text itself")


def _first_sentence(text: str, longest: int) -> str:
    line = next(line.strip() for line in text.splitlines() if line.strip())
    end = re.search(r"[.!?](?=\s)", line)
    line = line[: end.start()] if end and end.start() >= 8 else line
    line = " ".join(line.split()).rstrip(".")
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _of_runs(template: str, name: str, known: Known) -> Iterator[Value]:
    for value, share in known.experience.own_values(template, name, known.user)[:1]:
        yield Value(
            name, value, "yours", 0.9 * share, f"in {share:.0%} of your runs that completed"
        )
    for value, share in known.experience.shared_values(template, name, known.user)[:1]:
        yield Value(name, value, "others", 0.8 * share, f"in {share:.0%} of all completed runs")


def missing(template: Template, values: Iterable[Value]) -> tuple[str, ...]:
    """Required parameters without a value."""
    there = {one.name for one in values}
    return tuple(n for n, p in template.parameters.items() if p.is_required and n not in there)
