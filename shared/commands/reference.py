"""The reference of all commands, written from their specifications: docs/reference/commands.md.

`./hv proto` writes it.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from shared.commands.registry import BUILTIN
from shared.commands.spec import CommandSpec, JsonSchema

PAGE: Final = PurePosixPath("docs/reference/commands.md")

_INTRODUCTION = """\
# Commands

<!-- Generated from shared/commands by `./hv proto`; do not edit. -->

What a step can run. Every value of a parameter may be an expression, `${{ … }}`. Effects say what a
command changes: `none`, `reversible` (it can be undone) or `irreversible`. A step is given only to
agents that have the command's capabilities; one that its agent's [policy](agent-policy.md) forbids
fails with the rule that forbids it.
"""


def files() -> dict[PurePosixPath, str]:
    """The page by its path in the repository."""
    return {PAGE: render()}


def render(specs: Iterable[CommandSpec] = BUILTIN) -> str:
    """The whole document as Markdown."""
    ordered = sorted(specs, key=lambda spec: spec.name)
    parts = [_INTRODUCTION, "\n".join(_summary(ordered)), *map(_section, ordered)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _summary(specs: list[CommandSpec]) -> Iterator[str]:
    yield "| command | what it does | effects |"
    yield "|---|---|---|"
    for spec in specs:
        yield f"| [`{spec.name}`](#{spec.name}) | {spec.summary} | {spec.effects} |"


def _section(spec: CommandSpec) -> str:
    parts = [
        f"## {spec.name}",
        f"Deprecated: {spec.deprecated}" if spec.deprecated else "",
        spec.description,
        "\n".join(_facts(spec)),
        _table("Parameters", spec.parameters),
        _table("Output", spec.output),
        *_examples(spec),
    ]
    return "\n\n".join(part for part in parts if part)


def _facts(spec: CommandSpec) -> Iterator[str]:
    exceptions = [
        f"{rule.effects} if `{rule.parameter}` is {_words(rule.one_of)}"
        for rule in spec.effect_rules
    ]
    yield f"- Effects: {'; '.join([spec.effects, *exceptions])}"
    yield f"- Kept before a change, for `restore`: {_words(spec.captures) or 'nothing by itself'}"
    needs = ", ".join(f"`{name}`" for name in spec.capabilities) or "none"
    yield f"- Capabilities an agent needs: {needs}"
    yield f"- Idempotent: {'yes' if spec.idempotent else 'no'}"
    yield f"- Takes secrets and [sealed values](templates.md#sensitive-outputs): {_takes(spec)}"


def _takes(spec: CommandSpec) -> str:
    return "yes" if spec.takes_secrets else "no, it would pass them on in clear"


def _words(values: Iterable[str]) -> str:
    return " or ".join(f"`{value}`" for value in values)


def _table(title: str, schema: JsonSchema) -> str:
    properties: dict[str, Any] = schema.get("properties", {})
    if not properties:
        return f"{title}: none."
    required = schema.get("required", [])
    with_default = title == "Parameters"
    rows = ["| name | type | default | meaning |" if with_default else "| name | type | meaning |"]
    rows.append("|---|---|---|---|" if with_default else "|---|---|---|")
    for name, described in properties.items():
        default = _default(name, described, required)
        cells = [f"`{name}`", _type(described, schema), *([default] if with_default else [])]
        rows.append(f"| {' | '.join([*cells, described.get('description', '')])} |")
    return f"{title}:\n\n" + "\n".join(rows)


def _default(name: str, described: JsonSchema, required: list[str]) -> str:
    if name in required:
        return "required"
    if "default" not in described:
        return ""
    return f"`{json.dumps(described['default'], ensure_ascii=False)}`"


def _type(described: JsonSchema, root: JsonSchema) -> str:
    if "$ref" in described:
        return _type(root["$defs"][described["$ref"].rsplit("/", 1)[-1]], root)
    if "enum" in described:
        return _words(described["enum"])
    if "anyOf" in described:
        return " or ".join(_type(branch, root) for branch in described["anyOf"])
    if described.get("type") == "array":
        return f"list of {_type(described.get('items', {}), root)}{_bounds(described)}"
    if isinstance(described.get("additionalProperties"), dict):
        return f"mapping to {_type(described['additionalProperties'], root)}{_bounds(described)}"
    return f"{described.get('type', 'any')}{_bounds(described)}"


def _bounds(described: JsonSchema) -> str:
    words = {
        "exclusiveMinimum": "more than",
        "minimum": "from",
        "maximum": "to",
        "maxLength": "at most",
        "maxItems": "at most",
        "maxProperties": "at most",
    }
    found = [f"{word} {described[key]}" for key, word in words.items() if key in described]
    return f" ({' '.join(found)})" if found else ""


def _examples(spec: CommandSpec) -> Iterator[str]:
    for example in spec.examples:
        step = {"command": spec.name, "parameters": example.parameters}
        yield f"{example.title}:\n\n```json\n{json.dumps(step, indent=2, ensure_ascii=False)}\n```"
