"""`hv-sync`: the same files on every agent."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.commands.hive_parts import NEEDS, AgentNames, BundleText, Deadline, Require, Strict
from shared.commands.spec import CaptureKind, CommandSpec, EffectRule, Effects, Example
from shared.contracts.sync import BUNDLE_BYTES_LIMIT, FILES_LIMIT, PATH_PATTERN


class SyncOperation(StrEnum):
    """What to do with a bundle of files."""

    PUSH = "push"
    STATUS = "status"
    FORCE = "force"
    RESTORE = "restore"


class PushedFile(Strict):
    """A file to distribute."""

    path: Annotated[str, StringConstraints(pattern=PATH_PATTERN, max_length=512)] = Field(
        description="Where, relative to the bundle's directory; no part begins with a dot."
    )
    content: Annotated[str, StringConstraints(max_length=BUNDLE_BYTES_LIMIT * 4 // 3 + 4)] = Field(
        description="The content."
    )
    encoding: Literal["utf-8", "base64"] = Field(
        default="utf-8", description="How `content` stands for bytes."
    )
    mode: Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")] = Field(
        default="0644", description="Permission bits in octal."
    )


def _conditions() -> list[JsonValue]:
    needs: dict[str, list[JsonValue]] = {"push": ["bundle", "files"], "restore": ["bundle"]}
    return [
        {
            "if": {"properties": {"operation": {"const": name}}, "required": ["operation"]},
            "then": {"required": required},
        }
        for name, required in needs.items()
    ]


class SyncParameters(Strict):
    """Distributes a bundle of files to agents, each checked by SHA-256 where it arrives.

    An agent keeps a bundle under `sync/<bundle>/` in its data directory. Each file is replaced
    atomically; files that the version does not have are removed.

    - `push` makes a new version of `files` and distributes it.
    - `status` asks what agents have, and changes nothing.
    - `force` distributes the current versions again and rewrites every file.
    - `restore` goes back to the version before the last push, or to `version`.

    `status` and `force` without `bundle` mean all bundles. `require` says how many of the asked
    agents must be in sync at the end: by default all, and none for `status`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"allOf": _conditions()},
    )

    operation: SyncOperation = Field(description="What to do.")
    bundle: BundleText | SkipJsonSchema[None] = Field(default=None, description="The bundle.")
    files: (
        Annotated[list[PushedFile], Field(min_length=1, max_length=FILES_LIMIT)]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="For push: all files of the new version.")
    version: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = Field(
        default=None, description="For restore: which version."
    )
    agents: AgentNames | SkipJsonSchema[None] = Field(
        default=None, description="Only these; by default every live agent."
    )
    require: Require | SkipJsonSchema[None] = Field(
        default=None, description="How many of the agents must be in sync at the end."
    )
    deadline_s: Deadline = Field(default=30.0, description="Seconds to wait for agents.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs_bundle = self.operation in (SyncOperation.PUSH, SyncOperation.RESTORE)
        if needs_bundle and self.bundle is None:
            raise ValueError(f"{self.operation} needs: bundle")
        if (self.operation is SyncOperation.PUSH) != (self.files is not None):
            raise ValueError("push needs files, and only push takes them")
        if self.version is not None and self.operation is not SyncOperation.RESTORE:
            raise ValueError("only restore takes a version")
        return self


class BundleState(Strict):
    """A bundle's current version."""

    bundle: str = Field(description="Its name.")
    version: int = Field(description="The current version.")
    previous: int | None = Field(description="The version that restoring goes back to.")
    files: int = Field(description="How many files it has.")
    bytes: int = Field(description="Bytes of all files.")
    sha256: dict[str, str] = Field(description="Checksum of each file, by path.")


class AgentBundles(Strict):
    """What one agent has."""

    agent: str = Field(description="Its name.")
    in_sync: bool = Field(description="Whether it has the current version of every bundle.")
    versions: dict[str, int | None] = Field(
        description="Bundle: version whose files are all there unchanged, or null."
    )
    written: int = Field(description="Files it wrote for this step.")
    problems: list[str] = Field(description="Files that are missing, changed or failed, and why.")


class SyncOutput(Strict):
    """The bundles, and what each agent has of them."""

    operation: str = Field(description="What was done.")
    bundles: list[BundleState] = Field(description="The bundles it was about.")
    total: int = Field(description="Agents that were asked.")
    in_sync: int = Field(description="Agents that have the current versions.")
    out_of_sync: list[str] = Field(description="Agents that answered and have not.")
    unreachable: list[str] = Field(description="Agents without an answer.")
    errors: dict[str, str] = Field(description="Agents that could not, with the reason.")
    agents: list[AgentBundles] = Field(description="Every answer, by name of the agent.")


SYNC = CommandSpec.of(
    name="hv-sync",
    summary="Distributes files to agents, and restores earlier versions.",
    parameters=SyncParameters,
    output=SyncOutput,
    effects=Effects.IRREVERSIBLE,
    effect_rules=[
        EffectRule(parameter="operation", one_of=("status",), effects=Effects.NONE),
        EffectRule(parameter="operation", one_of=("push", "restore"), effects=Effects.REVERSIBLE),
    ],
    captures=[CaptureKind.BUNDLE],
    capabilities=NEEDS,
    idempotent=True,
    examples=[
        Example(
            title="Roll a configuration out",
            parameters={
                "operation": "push",
                "bundle": "web",
                "files": [{"path": "site.conf", "content": "listen 8080;\n"}],
            },
        ),
        Example(title="Go back", parameters={"operation": "restore", "bundle": "web"}),
    ],
)
