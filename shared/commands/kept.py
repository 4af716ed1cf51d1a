"""`keep-files` and `restore`: files as they are before a change, and as they were before it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from shared.commands.spec import CaptureKind, CommandSpec, EffectRule, Effects, Example
from shared.contracts.captures import ITEMS_LIMIT

PATHS_LIMIT = 100
"""Most paths that one step names."""

AbsolutePath = Annotated[
    str, StringConstraints(min_length=2, max_length=4096, pattern=r"^/[^\x00]+$")
]


class KeepFilesParameters(BaseModel):
    """Keeps files and directories with all that is in them, so that `restore` can put them back. As
    the `capture` of a step it is for commands that cannot say by themselves what they change, such
    as `shell`.

    Kept are content, mode, owner, symbolic links and what is not there; not times, extended
    attributes and hard links. Paths must lie within the roots of the agent's policy. What is larger
    than the agent's limits is refused, and so are devices, sockets and pipes. As a step of its own
    it changes nothing, and returns what is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: list[AbsolutePath] = Field(
        min_length=1, max_length=PATHS_LIMIT, description="Files and directories, absolute."
    )


class KeptPath(BaseModel):
    """What is at one path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="The path; bytes that are no UTF-8 are written as `\\xff`.")
    was: Literal["absent", "file", "directory", "symlink"] = Field(description="What is there.")
    mode: str | None = Field(default=None, description="Permission bits, such as '0644'.")
    bytes: int = Field(default=0, description="Size of a file's content.")
    sha256: str | None = Field(default=None, description="SHA-256 of a file's content, in hex.")


class KeepFilesOutput(BaseModel):
    """What is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: list[KeptPath] = Field(
        max_length=ITEMS_LIMIT, description="Every path, directories before what is in them."
    )
    bytes: int = Field(description="Bytes of all files.")


class RestoreOperation(StrEnum):
    """What to do with what was kept."""

    PUT_BACK = "put_back"
    COMPARE = "compare"


class RestoreParameters(BaseModel):
    """Puts back what was kept on this agent before a step changed it.

    - `put_back` makes every path what it was: content, mode, owner (where the agent's user may give
      files away), symbolic links; what was not there is removed. Each file is replaced atomically,
      and all are compared afterwards. Synchronized bundles go back to the version that was current;
      agents remove what they have of one that was not there.
    - `compare` says what differs, and changes nothing.

    What is as it was already is not touched, so it may run again. Directories that a step made are
    removed when they are empty, or when they were kept as a whole. Paths must lie within the roots
    of the agent's policy and lead where they led. It fails with `restore_incomplete` when anything
    is not as it was; the output tells what.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    execution_id: str = Field(min_length=1, max_length=200, description="Whose step it was.")
    step: str = Field(
        min_length=1, max_length=200, description="The step, or an instance: `deploy[3]`."
    )
    operation: RestoreOperation = Field(
        default=RestoreOperation.PUT_BACK, description="What to do."
    )
    paths: (
        Annotated[list[AbsolutePath], Field(min_length=1, max_length=PATHS_LIMIT)]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="Only these and what is in them; by default everything.")


class RestoredPath(BaseModel):
    """What became of one path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="The path; bytes that are no UTF-8 are written as `\\xff`.")
    was: Literal["absent", "file", "directory", "symlink"] = Field(description="What was there.")
    differs: list[str] = Field(
        description="In what it differed: `kind`, `content`, `mode`, `owner`, `target`, `extra` "
        "(something in a directory that came later), `unreadable` (see `problem`)."
    )
    restored: bool = Field(description="Whether it is now as it was.")
    problem: str = Field(default="", description="Why it is not, or what else to know.")


class RestoredBundle(BaseModel):
    """What became of one bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: str = Field(description="Its name.")
    version: int | None = Field(description="The version that was current; null: there was none.")
    current: int | None = Field(description="The version that was current when this began.")
    restored: bool = Field(description="Whether it is current now, on every agent that it was on.")
    problem: str = Field(default="", description="Why not.")


class RestoreOutput(BaseModel):
    """What was kept, and what is there now. Paths that did not differ are only counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str = Field(description="What was done.")
    agent: str = Field(description="Where it was kept.")
    captured_at_ms: int = Field(description="When it was kept, in epoch milliseconds.")
    attempt: int = Field(description="Before which attempt of the step.")
    total: int = Field(description="Paths and bundles that were kept.")
    unchanged: int = Field(description="Those that were as they had been.")
    restored: int = Field(description="Those that were put back.")
    files: list[RestoredPath] = Field(description="Paths that differed.")
    bundles: list[RestoredBundle] = Field(description="Bundles that were kept.")


KEEP_FILES = CommandSpec.of(
    name="keep-files",
    summary="Keeps files and directories before a step, for restore.",
    parameters=KeepFilesParameters,
    output=KeepFilesOutput,
    effects=Effects.NONE,
    captures=[CaptureKind.FILES],
    capabilities=["file"],
    idempotent=True,
    examples=[
        Example(
            title="Keep a service's configuration",
            parameters={"paths": ["/etc/nginx/nginx.conf", "/etc/nginx/sites-enabled"]},
        )
    ],
)

RESTORE = CommandSpec.of(
    name="restore",
    summary="Puts back what was kept before a step.",
    parameters=RestoreParameters,
    output=RestoreOutput,
    effects=Effects.IRREVERSIBLE,
    effect_rules=[EffectRule(parameter="operation", one_of=("compare",), effects=Effects.NONE)],
    capabilities=["file"],
    idempotent=True,
    examples=[
        Example(
            title="Put everything back",
            parameters={"execution_id": "${{ execution.id }}", "step": "deploy"},
        ),
        Example(
            title="See what differs",
            parameters={
                "execution_id": "${{ execution.id }}",
                "step": "deploy",
                "operation": "compare",
            },
        ),
    ],
)
