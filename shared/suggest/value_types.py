"""What was found as text, as a value that a parameter's schema takes, or nothing.

Lengths of time become numbers in the unit that the parameter's name ends with (`_s`, `_min`, `_h`,
`_days`; seconds without one).
"""

from __future__ import annotations

import re
from math import isnan
from typing import Any, Final

from shared.workflow.declared import Parameter, ParameterType

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_LONGEST_PATTERN: Final = 200


def fitting(parameter: Parameter, value: Any) -> Any:
    """The value in the parameter's type, or None where it does not fit."""
    made = _MAKERS[parameter.type](parameter, value)
    if made is None or (parameter.enum is not None and made not in parameter.enum):
        return None
    return made


_SECONDS: Final = {"sec": 1, "min": 60, "hour": 3_600, "hr": 3_600, "day": 86_400, "week": 604_800}
_UNITS: Final = {
    "s": 1, "sec": 1, "seconds": 1, "ms": 0.001, "m": 60, "min": 60, "minutes": 60, "h": 3_600,
    "hours": 3_600, "d": 86_400, "days": 86_400,
}  # fmt: skip


def in_unit_of(name: str, duration: str) -> float | None:
    """A duration such as `30 minutes` in the unit that a parameter's name ends with."""
    found = re.match(r"(?:(\d+(?:\.\d)?)|half an|an)[\s-]?([a-z]+)", duration.lower())
    if found is None:
        return None
    count = float(found[1]) if found[1] else 0.5 if duration.lower().startswith("half") else 1.0
    seconds = next((v for word, v in _SECONDS.items() if found[2].startswith(word)), None)
    return None if seconds is None else count * seconds / _UNITS.get(name.rpartition("_")[2], 1)


def _string(parameter: Parameter, value: Any) -> str | None:
    if isinstance(value, (list, dict, bool)) or value is None:
        return None
    text = str(value)
    if not (parameter.min_length or 0) <= len(text) <= (parameter.max_length or 10_000):
        return None
    return text if _matches(parameter.pattern, text) else None


def _number(parameter: Parameter, value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if isnan(number) or (parameter.minimum is not None and number < parameter.minimum):
        return None
    return None if parameter.maximum is not None and number > parameter.maximum else number


def _integer(parameter: Parameter, value: Any) -> int | None:
    number = _number(parameter, value)
    return int(number) if number is not None and number == int(number) else None


def _boolean(_parameter: Parameter, value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _array(parameter: Parameter, value: Any) -> list[Any] | None:
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    pattern = (parameter.items or {}).get("pattern")
    kind = (parameter.items or {}).get("type", "string")
    if kind != "string" or not all(isinstance(one, str) for one in items):
        return None
    kept = [one for one in items if _matches(pattern, one)][: parameter.max_items or 100]
    return kept if len(kept) >= max(1, parameter.min_items or 0) else None


def _object(_parameter: Parameter, _value: Any) -> None:
    return None


def _matches(pattern: str | None, text: str) -> bool:
    if pattern is None:
        return True
    if len(pattern) > _LONGEST_PATTERN or len(text) > 1_000:
        return False
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


_MAKERS: Final = {
    ParameterType.STRING: _string,
    ParameterType.NUMBER: _number,
    ParameterType.INTEGER: _integer,
    ParameterType.BOOLEAN: _boolean,
    ParameterType.ARRAY: _array,
    ParameterType.OBJECT: _object,
}
