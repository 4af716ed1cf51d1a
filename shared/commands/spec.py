"""The specification of one command, as data that validation, forms and documentation all read."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

NAME_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""Command names and capabilities: lower-case words joined by hyphens."""

NAME_LIMIT = 64
"""Longest command name or capability, in characters: both become parts of NATS subjects."""

Word = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=NAME_LIMIT)]
JsonSchema = dict[str, Any]


def _is_regex(text: str) -> bool:
    """Whether Python can read it: the quick check reads patterns as the thorough one does."""
    return bool(Draft202012Validator.FORMAT_CHECKER.conforms(text, "regex"))


_QUICK_CHECK: Final = jsonschema_rs.Draft202012Validator(
    Draft202012Validator.META_SCHEMA, validate_formats=True, formats={"regex": _is_regex}
)
"""Finds a schema sound that is: a hundred times sooner than the thorough check, which every service
would make of every command while it starts. What this refuses, the thorough check judges."""


def _looks_sound(schema: JsonSchema) -> bool:
    try:
        return _QUICK_CHECK.is_valid(schema)
    except ValueError:  # it holds what is no JSON
        return False


class Effects(StrEnum):
    """What running a command changes in the world."""

    NONE = "none"
    REVERSIBLE = "reversible"
    IRREVERSIBLE = "irreversible"


class CaptureKind(StrEnum):
    """What an agent keeps by itself before a run of a command changes it."""

    FILES = "files"
    BUNDLE = "bundle"


class EffectRule(BaseModel):
    """An exception to a command's effects: `effects` if `parameter` is `one_of` these values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameter: str
    one_of: tuple[str, ...]
    effects: Effects


class Example(BaseModel):
    """One set of parameters worth copying, and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    parameters: dict[str, Any]


class CommandSpec(BaseModel):
    """A command's name, typed parameters and output (JSON Schema 2020-12), effects and needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word
    summary: str = Field(min_length=1, max_length=120, description="One line, for lists and forms.")
    description: str = Field(description="What a template author must know before using it.")
    parameters: JsonSchema
    output: JsonSchema
    effects: Effects = Field(description="The strongest effects any parameters can have.")
    effect_rules: tuple[EffectRule, ...] = Field(
        default=(),
        description="Weaker effects for certain parameter values; the first match holds.",
    )
    captures: tuple[CaptureKind, ...] = Field(
        default=(),
        description="What an agent keeps by itself before a run changes it, so that `restore` can "
        "put it back.",
    )
    capabilities: tuple[Word, ...] = Field(
        default=(), description="Capabilities that an agent must have to be given this command."
    )
    idempotent: bool = Field(
        default=False,
        description="A hint for authors: running it twice is the same as running it once.",
    )
    takes_secrets: bool = Field(
        default=False,
        description="Whether sealed values may be given to it: only if it keeps its parameters out "
        "of all that is stored, and tells them to nobody but whom the author names.",
    )
    arguments: tuple[str, ...] = Field(
        default=(),
        description="Parameters that become arguments of a process: everybody on the host can read "
        "them while it runs.",
    )
    deprecated: str | None = Field(default=None, description="If set: what to use instead.")
    examples: tuple[Example, ...] = ()

    @field_validator("parameters", "output")
    @classmethod
    def _is_object_schema(cls, schema: JsonSchema) -> JsonSchema:
        try:
            if not _looks_sound(schema):
                Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"not a valid JSON Schema: {error.message}") from error
        if schema.get("type") != "object":
            raise ValueError("must describe an object: its 'type' must be 'object'")
        return schema

    @classmethod
    def of(  # noqa: PLR0913 - one keyword for each field of the specification
        cls,
        *,
        name: str,
        summary: str,
        parameters: type[BaseModel],
        output: type[BaseModel],
        effects: Effects,
        description: str | None = None,
        effect_rules: Sequence[EffectRule] = (),
        captures: Sequence[CaptureKind] = (),
        capabilities: Sequence[str] = (),
        idempotent: bool = False,
        takes_secrets: bool = False,
        arguments: Sequence[str] = (),
        deprecated: str | None = None,
        examples: Sequence[Example] = (),
    ) -> "CommandSpec":
        """Derive both schemas from pydantic models.

        The description falls back to the docstring of `parameters`. Raises
        pydantic.ValidationError if a name or a schema is malformed.
        """
        return cls(
            name=name,
            summary=summary,
            description=_unwrap(description or parameters.__doc__ or summary),
            parameters=schema_of(parameters, mode="validation"),
            output=schema_of(output, mode="serialization"),
            effects=effects,
            effect_rules=tuple(effect_rules),
            captures=tuple(captures),
            capabilities=tuple(capabilities),
            idempotent=idempotent,
            takes_secrets=takes_secrets,
            arguments=tuple(arguments),
            deprecated=deprecated,
            examples=tuple(examples),
        )

    def effects_of(self, parameters: Mapping[str, Any]) -> Effects:
        """The effects of a run with these parameters; an expression counts as the strongest."""
        for rule in self.effect_rules:
            default = self.parameters["properties"].get(rule.parameter, {}).get("default")
            if parameters.get(rule.parameter, default) in rule.one_of:
                return rule.effects
        return self.effects


class _PlainSchema(GenerateJsonSchema):
    """Pydantic's schema without derived titles and without `default: null` beside a type."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base names it
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        plain = super().model_schema(schema)
        plain.pop("title", None)
        # The command itself carries this text.
        plain.pop("description", None)
        return plain

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        plain = super().default_schema(schema)
        if plain.get("default", ...) is None:
            del plain["default"]
        return plain

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        # patternProperties would say nothing about names that do not match.
        plain = super().dict_schema(schema)
        for pattern, value in plain.pop("patternProperties", {}).items():
            names = {**plain.get("propertyNames", {}), "pattern": pattern}
            plain |= {"additionalProperties": value, "propertyNames": names}
        return plain


def schema_of(model: type[BaseModel], *, mode: str = "validation") -> JsonSchema:
    """The JSON Schema of a model, by alias; `mode` is 'validation' or 'serialization'."""
    return model.model_json_schema(
        mode="serialization" if mode == "serialization" else "validation",
        schema_generator=_PlainSchema,
    )


def _unwrap(text: str) -> str:
    """Join the hard-wrapped lines of a docstring, but for blank lines and list items."""
    lines = [line.strip() for line in text.strip().splitlines()]
    unwrapped: list[str] = []
    for line in lines:
        if not unwrapped or not line or not unwrapped[-1] or line.startswith("- "):
            unwrapped.append(line)
        else:
            unwrapped[-1] += f" {line}"
    return "\n".join(unwrapped)
