"""`file`: read and change single files within the agent's roots."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.commands.spec import CaptureKind, CommandSpec, EffectRule, Effects, Example

CONTENT_LIMIT = 4_194_304
"""Longest content or template given as a parameter, in characters."""


class FileOperation(StrEnum):
    """What to do with the file."""

    READ = "read"
    WRITE = "write"
    COPY = "copy"
    TEMPLATE = "template"
    CHECKSUM = "checksum"
    PERMISSIONS = "permissions"
    DELETE = "delete"
    STAT = "stat"


NEEDS: dict[FileOperation, tuple[str, ...]] = {
    FileOperation.WRITE: ("content",),
    FileOperation.COPY: ("source",),
    FileOperation.PERMISSIONS: ("mode",),
}
"""Parameters an operation cannot do without, beside `path`."""

PathText = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
Mode = Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")]
Content = Annotated[str, StringConstraints(max_length=CONTENT_LIMIT)]
Scalar = str | int | float | bool


def _conditions() -> list[JsonValue]:
    """The rules of NEEDS, and what `template` needs, as JSON Schema."""
    rules: list[tuple[str, dict[str, Any]]] = [
        (operation.value, {"required": list(names)}) for operation, names in NEEDS.items()
    ]
    rules.append(("template", {"oneOf": [{"required": ["content"]}, {"required": ["source"]}]}))
    return [
        {
            "if": {"properties": {"operation": {"const": operation}}, "required": ["operation"]},
            "then": then,
        }
        for operation, then in rules
    ]


class FileParameters(BaseModel):
    """Works on one regular file. Its path must lie within the roots of the agent's policy.

    - `read` returns the content; a file larger than the agent's output limit is refused, never cut.
    - `write` makes the file have `content`. `copy` makes it equal to the file `source`.
    - `template` fills `${name}` in `content` (or in the file `source`) from `values`; `$$` is a
      dollar sign, and a name without a value is an error.
    - `checksum` returns the SHA-256. `stat` says whether the file exists, its size and its mode.
    - `permissions` sets `mode`. `delete` removes a file or a symbolic link, never a directory.

    Changes are atomic: readers see the old file or the new one, also after a power loss. Without
    `mode` an existing file keeps its mode; new content is never setuid. Nothing is written if the
    file already is as wanted (`changed` is false).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"allOf": _conditions()}
    )

    operation: FileOperation = Field(description="What to do.")
    path: PathText = Field(
        description="The file; a relative path starts at the attempt's own directory."
    )
    content: Content | SkipJsonSchema[None] = Field(
        default=None,
        description="For write: content. For template: its text.",
    )
    source: PathText | SkipJsonSchema[None] = Field(
        default=None, description="For copy and template: the file to read, also within the roots."
    )
    values: dict[str, Scalar] = Field(
        default={}, max_length=1024, description="For template: the value of each name."
    )
    encoding: Literal["utf-8", "base64"] = Field(
        default="utf-8", description="For read and write: how `content` stands for bytes."
    )
    mode: Mode | SkipJsonSchema[None] = Field(
        default=None,
        description="Permission bits in octal, such as '0640'; new files get 0644 by default.",
    )
    create_parents: bool = Field(
        default=False, description="Make missing directories above the file (mode 0755)."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in NEEDS.get(self.operation, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.operation} needs: {', '.join(missing)}")
        if self.operation is FileOperation.TEMPLATE and (self.content is None) == (
            self.source is None
        ):
            raise ValueError("template needs exactly one of: content, source")
        return self


class FileOutput(BaseModel):
    """The file after the operation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="The file's real path, symbolic links resolved.")
    exists: bool = Field(description="Whether the file exists now.")
    changed: bool = Field(description="Whether the operation changed anything.")
    bytes: int | None = Field(default=None, description="Size of the file in bytes.")
    sha256: str | None = Field(default=None, description="SHA-256 of the content, in hex.")
    previous_sha256: str | None = Field(
        default=None, description="SHA-256 before the change; null if there was no file."
    )
    mode: str | None = Field(default=None, description="Permission bits, such as '0644'.")
    kind: Literal["file", "directory", "other"] | None = Field(
        default=None, description="For stat: what is there."
    )
    modified_at: str | None = Field(
        default=None, description="For stat: time of the last change, ISO 8601 in UTC."
    )
    content: str | None = Field(default=None, description="For read: the content.")


SPEC = CommandSpec.of(
    name="file",
    summary="Reads, writes, copies, fills, checks or removes a file.",
    parameters=FileParameters,
    output=FileOutput,
    effects=Effects.REVERSIBLE,
    effect_rules=[
        EffectRule(
            parameter="operation", one_of=("read", "checksum", "stat"), effects=Effects.NONE
        ),
    ],
    captures=[CaptureKind.FILES],
    capabilities=["file"],
    takes_secrets=True,
    idempotent=True,
    examples=[
        Example(
            title="Write a file",
            parameters={"operation": "write", "path": "motd", "content": "Maintenance tonight.\n"},
        ),
        Example(
            title="Fill a template",
            parameters={
                "operation": "template",
                "path": "site.conf",
                "content": "listen ${port};\n",
                "values": {"port": 8080},
            },
        ),
    ],
)
