"""JSON Patches (RFC 6902) over plain data: making them, and applying them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from shared.validation.finding import PatchOperation


class PatchError(ValueError):
    """A patch does not fit the data that it is applied to."""


def pointer(path: str, *names: object) -> str:
    """The JSON Pointer of a path such as `steps/2`, and of names within it."""
    inner = "".join(f"/{escaped(str(name))}" for name in names)
    return (f"/{path}" if path else "") + inner


def escaped(name: str) -> str:
    """A name as a part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def parts_of(path: str) -> list[str]:
    """The names that a JSON Pointer leads through."""
    if path and not path.startswith("/"):
        raise PatchError(f"{path!r} is not a JSON Pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def whole(number: float) -> float:
    """A number without a point where it needs none."""
    return int(number) if number == int(number) else number


def replace(path: str, value: Any) -> tuple[PatchOperation, ...]:
    """Put another value at a path of the definition."""
    return (PatchOperation(op="replace", path=pointer(path), value=value),)


def add(path: str, name: object, value: Any) -> tuple[PatchOperation, ...]:
    """Give what stands at a path one more entry, or another value for the entry it has."""
    return (PatchOperation(op="add", path=pointer(path, name), value=value),)


def remove(path: str) -> tuple[PatchOperation, ...]:
    """Take away what stands at a path."""
    return (PatchOperation(op="remove", path=pointer(path)),)


def rename(path: str, old: str, new: str) -> tuple[PatchOperation, ...]:
    """Give an entry of the map at a path another name."""
    move = {"op": "move", "from": pointer(path, old), "path": pointer(path, new)}
    return (PatchOperation.model_validate(move),)


def apply(data: Any, operations: Iterable[PatchOperation]) -> Any:
    """The data after the operations; what was given stays as it is. Raises `PatchError`."""
    patched = copy.deepcopy(data)
    for operation in operations:
        patched = _applied(patched, operation)
    return patched


def _applied(data: Any, operation: PatchOperation) -> Any:
    parts = parts_of(operation.path)
    if not parts:
        if operation.op != "replace":
            raise PatchError("only `replace` can be about the whole")
        return copy.deepcopy(operation.value)
    if operation.op == "move":
        source = parts_of(operation.source)
        holder = _at(data, source[:-1])
        if isinstance(holder, dict) and source[:-1] == parts[:-1]:
            _rename(holder, source[-1], parts[-1])
            return data
        value = _take(holder, source[-1])
    else:
        value = copy.deepcopy(operation.value)
    holder = _at(data, parts[:-1])
    if operation.op == "remove":
        _take(holder, parts[-1])
    else:
        _put(holder, parts[-1], value, insert=operation.op != "replace")
    return data


def _at(data: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            raise PatchError(f"there is no {part!r}")
    return data


def _rename(holder: dict[str, Any], old: str, new: str) -> None:
    """Another name at the same place: the order of a map is the author's."""
    if old not in holder or new in holder:
        raise PatchError(f"{old!r} cannot become {new!r}")
    entries = list(_renamed(holder, old, new))
    holder.clear()
    holder.update(entries)


def _renamed(holder: dict[str, Any], old: str, new: str) -> Iterator[tuple[str, Any]]:
    for key, value in holder.items():
        yield (new if key == old else key), value


def _take(holder: Any, name: str) -> Any:
    if isinstance(holder, dict) and name in holder:
        return holder.pop(name)
    if isinstance(holder, list) and name.isdigit() and int(name) < len(holder):
        return holder.pop(int(name))
    raise PatchError(f"there is no {name!r}")


def _put(holder: Any, name: str, value: Any, *, insert: bool) -> None:
    if isinstance(holder, dict) and (insert or name in holder):
        holder[name] = value
    elif isinstance(holder, list) and insert and (name == "-" or _index(name, len(holder) + 1)):
        holder.insert(len(holder) if name == "-" else int(name), value)
    elif isinstance(holder, list) and _index(name, len(holder)):
        holder[int(name)] = value
    else:
        raise PatchError(f"{name!r} cannot be put there")


def _index(name: str, bound: int) -> bool:
    return name.isdigit() and int(name) < bound
