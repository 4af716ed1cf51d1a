"""A template with one setting of one step changed, as its next version."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from shared.outcomes.tuning import Setting, Value
from shared.workflow.definition import Template

_RELEASE: Final = re.compile(r"^(\d+)\.(\d+)\.(\d+)")
_SECTIONS: Final = ("steps", "on_failure", "always")


class CannotChangeError(Exception):
    """The setting cannot be changed as asked; the message says why."""


def changed(
    template: Template, step: str, setting: Setting, value: Value, versions: Collection[str]
) -> Template:
    """The template with that setting, under the next patch version that is not among `versions`.

    Raises `CannotChangeError` where there is no such step, or where the result is no valid
    template."""
    data = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    found = next((one for one in _steps(data) if one["id"] == step), None)
    if found is None:
        raise CannotChangeError(f"template {template.id!r} has no step {step!r} any more")
    *path, last = setting.split(".")
    at = found
    for name in path:
        at = at.setdefault(name, {})
    at[last] = value
    data["version"] = next_version(template.version, versions)
    try:
        return Template.model_validate(data)
    except ValueError as error:
        raise CannotChangeError(f"step {step!r}: {setting} cannot be {value!r}: {error}") from error


def setting_of(template: Template, step: str, setting: Setting) -> Value | None:
    """The value that the setting has in effect; None where there is no such step or setting."""
    at: Any = next((one for one in template.every_step if one.id == step), None)
    for name in setting.split("."):
        at = getattr(at, name, None)
    return at if isinstance(at, int | float | str) else None


def next_version(version: str, taken: Collection[str]) -> str:
    """The version after this one, in its last number, that is not taken."""
    found = _RELEASE.match(version)
    major, minor, patch = (int(one) for one in found.groups()) if found else (1, 0, 0)
    while True:
        patch += 1
        made = f"{major}.{minor}.{patch}"
        if made not in taken:
            return made


def _steps(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for section in _SECTIONS:
        yield from data.get(section, ())
