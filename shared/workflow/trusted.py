"""Models made of values that are known to be right, without checking them again.

Every journal entry makes some of these and every event two copies, so this is on the path of every
step. What comes from outside is validated where it comes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def trusted(model_type: type[M], **values: Any) -> M:
    """A model of trusted values, one for each of its fields: no default is filled in.

    It does what `model_construct` does for such models, in a quarter of the time.
    """
    return _made(model_type, values, set(values))


def renewed(model: M, changes: Mapping[str, Any]) -> M:
    """A copy with these trusted values.

    It does what `model_copy(update=…)` does for models with neither extra nor private fields, in a
    third of the time.
    """
    values = {**model.__dict__, **changes}
    return _made(type(model), values, model.__pydantic_fields_set__ | changes.keys())


def _made(model_type: type[M], values: dict[str, Any], fields_set: set[str]) -> M:
    new: M = object.__new__(model_type)
    _set_values(new, values)
    _set_fields_set(new, fields_set)
    _set_extra(new, None)
    _set_private(new, None)
    return new


_SLOTS: Final = vars(BaseModel)
_set_values, _set_fields_set, _set_extra, _set_private = (
    _SLOTS[name].__set__
    for name in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
)
