"""Edits of a template file that leave the rest of it as its author wrote it, comments and all.

An edit changes the text where its value stands. What comes out is read again and compared with what
the patch makes of the data; where that is not the same, the whole is written anew, which loses the
comments, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from shared.templates.document import TemplateFileError, parse
from shared.templates.loader import dump_data, flow_text

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `op` as in a JSON Patch, the names that lead to its place, and the new value; for
    `rename` the new name."""

    op: str
    parts: tuple[str, ...]
    value: Any = None


@dataclass(frozen=True, slots=True)
class Edited:
    """The text after a change. `kept`: everything else is as it was written."""

    text: str
    kept: bool


class _CannotEditError(Exception):
    """The place is written in a way that is not edited here."""


def edit(text: str, changes: Sequence[Change], wanted: Any) -> Edited:
    """The text after the changes; `wanted` is the data that it must hold then."""
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return Edited(json.dumps(wanted, indent=2, ensure_ascii=False) + "\n", kept=True)
    try:
        edited = text
        for change in changes:
            edited = _changed(edited, change)
        if parse(edited).value == wanted:
            return Edited(edited, kept=True)
    except (_CannotEditError, TemplateFileError, yaml.YAMLError):
        pass
    return Edited(dump_data(wanted), kept=False)


def _changed(text: str, change: Change) -> str:
    root = yaml.compose(text, Loader=_LOADER)
    holder = _at(root, change.parts[:-1])
    name = change.parts[-1]
    if isinstance(holder, yaml.MappingNode):
        return _in_map(text, holder, name, change)
    if isinstance(holder, yaml.SequenceNode):
        return _in_list(text, holder, name, change)
    raise _CannotEditError


def _at(node: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        if isinstance(node, yaml.MappingNode):
            node = next((v for k, v in node.value if k.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
        else:
            raise _CannotEditError
    return node


def _in_map(text: str, node: Any, name: str, change: Change) -> str:
    found = next(((k, v) for k, v in node.value if k.value == name), None)
    if change.op == "add" and found is None:
        return _appended(text, node, f"{flow_text(name)}: ", change.value)
    if found is None:
        raise _CannotEditError
    key, value = found
    if change.op == "rename":
        return _spliced(text, key.start_mark.index, key.end_mark.index, flow_text(change.value))
    if change.op == "remove":
        return _without(text, node, key, value)
    return _replaced(text, value, change.value, key.start_mark.column)


def _in_list(text: str, node: Any, name: str, change: Change) -> str:
    if change.op == "add":
        if name not in ("-", str(len(node.value))):
            raise _CannotEditError
        return _appended(text, node, "" if node.flow_style else "- ", change.value)
    item = _at(node, [name])
    if change.op == "remove":
        return _without(text, node, item, item)
    return _replaced(text, item, change.value, node.start_mark.column)


def _spliced(text: str, start: int, end: int, middle: str) -> str:
    return text[:start] + middle + text[end:]


def _end(node: Any) -> int:
    """Where a node's text ends: that of a block is said to end where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)


def _replaced(text: str, node: Any, value: Any, column: int) -> str:
    start, end = node.start_mark.index, _end(node)
    block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    if (
        isinstance(value, str)
        and "\n" in value.rstrip("\n")
        and (block or "\n" not in text[start:end])
    ):
        written = _literal(value, column + 2)
        if block:
            return _spliced(text, start, end, written)
        return _spliced(text, start, end, written.rstrip("\n"))
    after = "\n" if block and text[end - 1 : end] == "\n" else ""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and isinstance(value, list):
        pad = "\n" + " " * node.start_mark.column
        return _spliced(text, start, end, pad.join(f"- {flow_text(one)}" for one in value))
    if not isinstance(node, yaml.ScalarNode) and not node.flow_style:
        raise _CannotEditError  # a block becomes a flow: the line before would have to change, too
    return _spliced(text, start, end, flow_text(value) + after)


def _literal(value: str, indent: int) -> str:
    """A text over several lines, as a block."""
    keep = "" if value.endswith("\n") else "-"
    pad = " " * indent
    lines = [f"{pad}{line}" if line else "" for line in value.rstrip("\n").split("\n")]
    return f"|{keep}\n" + "\n".join(lines) + "\n"


def _appended(text: str, node: Any, before: str, value: Any) -> str:
    if node.flow_style:
        at = int(node.end_mark.index) - 1
        comma = ", " if node.value else ""
        return _spliced(text, at, at, f"{comma}{before}{flow_text(value)}")
    if not node.value:
        raise _CannotEditError
    at = _end(node)
    if text[at - 1 : at] != "\n":
        newline = text.find("\n", at)
        at = len(text) if newline < 0 else newline + 1
    lead = "" if at == 0 or text[at - 1] == "\n" else "\n"
    pad = " " * node.start_mark.column
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        written = _literal(value, node.start_mark.column + 2)
    else:
        written = flow_text(value) + "\n"
    return _spliced(text, at, at, f"{lead}{pad}{before}{written}")


def _emptied(text: str, holder: Any) -> str:
    """A block whose only entry is gone: it stands empty behind its key."""
    colon = text.rfind(":", 0, int(holder.start_mark.index))
    between = text[colon + 1 : int(holder.start_mark.index)]
    if colon < 0 or between.replace("-", "").strip():
        raise _CannotEditError
    empty = "[]" if isinstance(holder, yaml.SequenceNode) else "{}"
    return _spliced(text, colon + 1, _end(holder), f" {empty}")


def _without(text: str, holder: Any, first: Any, last: Any) -> str:
    start, end = int(first.start_mark.index), _end(last)
    if holder.flow_style:
        after = text[end:].lstrip()
        if after.startswith(","):
            end += text[end:].index(",") + 1
            end += len(text[end:]) - len(text[end:].lstrip(" "))
        else:
            start = text.rfind(",", 0, start) if len(holder.value) > 1 else start
        return _spliced(text, start, end, "")
    line = text.rfind("\n", 0, start) + 1
    if len(holder.value) == 1:
        return _emptied(text, holder)
    if text[line:start].strip(" ") not in ("", "-"):
        raise _CannotEditError
    is_item = isinstance(holder, yaml.SequenceNode)
    if text[line:start].strip(" ") == "-" and not is_item:
        raise _CannotEditError  # the first field of an item stands behind its dash
    if text[end - 1 : end] != "\n":
        newline = text.find("\n", end)
        end = len(text) if newline < 0 else newline + 1
    return _spliced(text, line, end, "")
