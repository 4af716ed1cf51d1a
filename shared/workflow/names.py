"""The kinds of names and texts that definitions are made of, and the base of their models."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_CEL_WORDS: Final = frozenset({"true", "false", "null", "in"})


def _not_a_cel_word(name: str) -> str:
    if name in _CEL_WORDS:
        raise ValueError(f"{name!r} has a meaning of its own in expressions")
    return name


Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_not_a_cel_word)
]
"""A step, parameter or output name: lower case, so that it is also a CEL identifier."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
"""A template id, category, tag, capability or agent name."""

Expression = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
"""Bare CEL, without `${{ }}`."""


class Model(BaseModel):
    """Base of the definition's models: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
