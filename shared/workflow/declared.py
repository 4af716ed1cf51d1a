"""A declared value: of a template's parameter, or of what an approver fills in."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field

from shared.workflow.names import Model


class ParameterType(StrEnum):
    """The JSON types a parameter can have."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"


class Parameter(Model):
    """One typed parameter of a template: a small, named part of JSON Schema.

    A parameter with neither `default` nor `required: false` must be given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    type: ParameterType
    title: str = ""
    description: str = ""
    required: bool | None = None
    default: Any = None
    enum: tuple[Any, ...] | None = None
    examples: tuple[Any, ...] = ()
    pattern: str | None = None
    format: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = Field(None, alias="minLength", ge=0)
    max_length: int | None = Field(None, alias="maxLength", ge=0)
    min_items: int | None = Field(None, alias="minItems", ge=0)
    max_items: int | None = Field(None, alias="maxItems", ge=0)
    items: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None

    @property
    def has_default(self) -> bool:
        """True when the author wrote a default (a written `null` counts)."""
        return "default" in self.model_fields_set

    @property
    def is_required(self) -> bool:
        """True when a run cannot start without a value for it."""
        return not self.has_default if self.required is None else self.required

    def json_schema(self) -> dict[str, Any]:
        """This parameter as a JSON Schema object (draft 2020-12)."""
        data = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        data.pop("required", None)
        return {"type": self.type.value} | data
