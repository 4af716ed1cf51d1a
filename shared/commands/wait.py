"""`wait`: until some seconds have passed, or until a moment."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.commands.spec import CommandSpec, Effects, Example

WAIT_LIMIT_S = 366 * 24 * 3600
"""Longest wait, in seconds: a year."""

MOMENT_PATTERN = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})$"
"""ISO 8601 with a time zone: the format `date-time` alone is not checked by every validator."""

# Bounds stand inside the optional type: outside of it they would not reach the JSON Schema.
Seconds = Annotated[float, Field(ge=0, le=WAIT_LIMIT_S, allow_inf_nan=False)]


class WaitParameters(BaseModel):
    """Waits for `seconds`, or until the moment `until`; give exactly one.

    Waits of at most five seconds hold the agent. Longer ones are durable: the agent is free, and
    the step goes on at the right time whatever was restarted meanwhile. A moment in the past ends
    the wait at once.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"oneOf": [{"required": ["seconds"]}, {"required": ["until"]}]},
    )

    seconds: Seconds | SkipJsonSchema[None] = Field(
        default=None, description="How long to wait, in seconds."
    )
    until: AwareDatetime | SkipJsonSchema[None] = Field(
        default=None,
        description="The moment to wait for: ISO 8601 with a time zone, at most a year ahead.",
        examples=["2030-01-31T06:00:00Z"],
        json_schema_extra={"pattern": MOMENT_PATTERN},
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("give exactly one of: seconds, until")
        return self


class WaitOutput(BaseModel):
    """When the wait ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: str = Field(description="The moment waited for, ISO 8601 in UTC.")
    waited_s: float = Field(description="Seconds from the start of the wait to its end.")


SPEC = CommandSpec.of(
    name="wait",
    summary="Waits for a time or until a moment, durably.",
    parameters=WaitParameters,
    output=WaitOutput,
    effects=Effects.NONE,
    idempotent=True,
    takes_secrets=True,
    examples=[
        Example(title="Wait a quarter of an hour", parameters={"seconds": 900}),
        Example(title="Wait for a moment", parameters={"until": "2030-01-31T06:00:00Z"}),
    ],
)
