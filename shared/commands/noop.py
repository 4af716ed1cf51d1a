"""`noop`: does nothing, and says so. A join point for steps, and the work of the benchmarks."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.commands.spec import CommandSpec, Effects, Example


class NoopParameters(BaseModel):
    """Nothing is done; `echo` comes back as output.

    Useful where several branches of a workflow meet, and to give a computed value a name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    echo: Any = Field(default=None, description="Any value; returned unchanged.")


class NoopOutput(BaseModel):
    """What came in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    echo: Any = Field(default=None, description="The parameter of the same name.")


SPEC = CommandSpec.of(
    name="noop",
    summary="Does nothing and returns its parameter.",
    parameters=NoopParameters,
    output=NoopOutput,
    effects=Effects.NONE,
    idempotent=True,
    takes_secrets=True,
    examples=[Example(title="Name a value", parameters={"echo": {"region": "eu-west-1"}})],
)
