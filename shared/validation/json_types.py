"""What a JSON Schema says of the value at a place: small, sound, and silent where it is unsure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Schema = Mapping[str, Any]
_ANYTHING: Final[Schema] = {}
_ALL: Final = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})


def schema_at(schema: Schema, place: Sequence[str | int]) -> Schema:
    """The schema of the value at a place; an empty one, which allows anything, where it is not
    certain."""
    root = schema
    for part in place:
        schema = _resolved(schema, root)
        if isinstance(part, int):
            inner = schema.get("items", _ANYTHING)
        else:
            inner = schema.get("properties", {}).get(part)
            if inner is None:
                inner = schema.get("additionalProperties", _ANYTHING)
        if not isinstance(inner, Mapping):
            return _ANYTHING
        schema = inner
    return _resolved(schema, root)


def types_of(schema: Schema) -> frozenset[str]:
    """The JSON types that a schema allows; none where it allows anything."""
    found = frozenset(_types(schema))
    return frozenset() if found >= _ALL - {"integer"} else found


def fields_of(schema: Schema) -> frozenset[str] | None:
    """The fields that an object of this schema can have; None where any name is allowed."""
    if schema.get("additionalProperties", True) is not False:
        return None
    return frozenset(schema.get("properties", {}))


def _types(schema: Schema) -> Iterator[str]:
    kind = schema.get("type")
    if isinstance(kind, str):
        yield kind
    elif isinstance(kind, list):
        yield from kind
    elif "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield from {"string" if isinstance(value, str) else "number" for value in values}
    elif "anyOf" in schema:
        for option in schema["anyOf"]:
            types = tuple(_types(option))
            yield from types or _ALL
    else:
        yield from _ALL


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found = root.get("$defs", {}).get(reference.rpartition("/")[2], _ANYTHING)
        return found if isinstance(found, Mapping) else _ANYTHING
    return schema
