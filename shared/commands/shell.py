"""`shell`: run a program or a script on the agent's host."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.commands.spec import CommandSpec, Effects, Example

ARGUMENT_LIMIT = 131_000
"""Longest single argument, in characters; Linux refuses more than 128 KiB (MAX_ARG_STRLEN)."""

ARGUMENTS_LIMIT = 4_096
"""Most arguments of one program."""

TEXT_LIMIT = 1_048_576
"""Longest script and longest standard input, in characters."""

# A NUL ends a string for the kernel: what comes after it would be dropped unseen.
Argument = Annotated[str, StringConstraints(max_length=ARGUMENT_LIMIT, pattern=r"^[^\x00]*$")]
# Bounds stand inside the optional type: outside of it they would not reach the JSON Schema.
Arguments = Annotated[list[Argument], Field(min_length=1, max_length=ARGUMENTS_LIMIT)]
Script = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LIMIT)]
Directory = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
VariableName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=256)
]

DEFAULT_ENV_ALLOW = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables a program gets from the agent unless told otherwise: none of them holds a secret."""


class ShellParameters(BaseModel):
    """Runs a program (`argv`) or a `script` on the agent's host; give exactly one.

    `argv` is passed to the program as it is: nothing in it is interpreted by a shell, so values
    need no quoting. A `script` is written to a private file that `interpreter` is given as its
    last argument; put values into it through `env`, not into its text.

    The program runs in a session of its own. On timeout and cancel everything it started is ended
    (SIGTERM, then SIGKILL) and the result says how that was proven. What it leaves in the
    background when it ends is stopped too, unless `background` is `leave`; a daemon, which made a
    session of its own, stays.

    `HIVE_FENCING_TOKEN` in the program's environment is a number that is higher in each later
    attempt: hand it to what you change where that can refuse a writer with an older one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"oneOf": [{"required": ["argv"]}, {"required": ["script"]}]},
    )

    argv: Arguments | SkipJsonSchema[None] = Field(
        default=None,
        description="The program and its arguments.",
    )
    script: Script | SkipJsonSchema[None] = Field(default=None, description="The text of a script.")
    interpreter: list[Argument] = Field(
        default=["/bin/sh", "-e"],
        min_length=1,
        max_length=64,
        description="The program that runs the script, and its arguments before the file.",
    )
    cwd: Directory | SkipJsonSchema[None] = Field(
        default=None,
        description="Working directory; by default the attempt's own empty directory.",
    )
    env: dict[VariableName, Argument] = Field(
        default={}, max_length=256, description="Environment variables to set."
    )
    env_allow: list[VariableName] = Field(
        default=list(DEFAULT_ENV_ALLOW),
        max_length=256,
        description="Names of variables passed through from the agent's own environment.",
    )
    stdin: str = Field(
        default="", max_length=TEXT_LIMIT, description="Text for the program's standard input."
    )
    expect_exit: list[Annotated[int, Field(ge=0, le=255)]] = Field(
        default=[0], min_length=1, max_length=256, description="Exit codes that count as success."
    )
    parse_json: bool = Field(
        default=False, description="Parse standard output as JSON into the output's `json`."
    )
    background: Literal["stop", "leave"] = Field(
        default="stop",
        description="What happens to processes still running when the program has ended.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.argv is None) == (self.script is None):
            raise ValueError("give exactly one of: argv, script")
        return self


class ShellOutput(BaseModel):
    """How the program ended and what it wrote; long output keeps its beginning and its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exit_code: int | None = Field(description="Exit code; null if a signal ended the program.")
    signal: str | None = Field(description="Name of the signal that ended it, such as SIGKILL.")
    stdout: str = Field(description="Standard output; bytes that are not UTF-8 are replaced.")
    stderr: str = Field(description="Standard error, likewise.")
    stdout_bytes: int = Field(description="Bytes written to standard output, kept or not.")
    stderr_bytes: int = Field(description="Bytes written to standard error, kept or not.")
    stdout_truncated: bool = Field(description="Whether the middle of standard output is left out.")
    stderr_truncated: bool = Field(description="Whether the middle of standard error is left out.")
    stdout_binary: bool = Field(description="Whether standard output had bytes that are not UTF-8.")
    stderr_binary: bool = Field(description="Whether standard error had bytes that are not UTF-8.")
    duration_s: float = Field(description="Seconds from start to end.")
    pid: int = Field(description="Process id, also of its process group and session.")
    left_running: list[int] = Field(
        default=[], description="Ids of background processes left running (`background: leave`)."
    )
    json_: Any = Field(
        default=None, alias="json", description="Parsed standard output, with `parse_json`."
    )


SPEC = CommandSpec.of(
    name="shell",
    summary="Runs a program or a script on the agent's host.",
    parameters=ShellParameters,
    output=ShellOutput,
    effects=Effects.IRREVERSIBLE,
    capabilities=["shell"],
    takes_secrets=True,
    arguments=["argv", "interpreter"],
    examples=[
        Example(title="Run a program", parameters={"argv": ["uname", "-sr"]}),
        Example(
            title="Run a script with a value from outside",
            parameters={
                "script": 'df -P "$MOUNT" | tail -n 1 | tr -s " " | cut -d " " -f 5\n',
                "env": {"MOUNT": "/"},
            },
        ),
    ],
)
