"""The published schema of a definition: which fields are known where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from shared.workflow.definition import Template


@cache
def template_schema() -> Mapping[str, Any]:
    """The JSON Schema of a template, by the names that authors write."""
    return Template.model_json_schema(by_alias=True)


def fields_at(path: Sequence[str]) -> frozenset[str]:
    """The fields that the map at this place can have; none where any name is allowed."""
    found: set[str] = set()
    for schema in _schemas_at(template_schema(), path):
        found |= schema.get("properties", {}).keys()
    return frozenset(found)


def _schemas_at(schema: Mapping[str, Any], path: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for option in _options(schema):
        if not path:
            yield option
            continue
        head, rest = path[0], path[1:]
        inner = option.get("properties", {}).get(head)
        if inner is None and head.isdigit():
            inner = option.get("items")
        if inner is None:
            inner = option.get("additionalProperties")
        if isinstance(inner, Mapping):
            yield from _schemas_at(inner, rest)


def _options(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema itself, with references followed and alternatives apart."""
    reference = schema.get("$ref")
    if reference is not None:
        yield from _options(template_schema()["$defs"][reference.rpartition("/")[2]])
        return
    alternatives = schema.get("anyOf")
    for one in alternatives or ():
        yield from _options(one)
    if not alternatives:
        yield schema
