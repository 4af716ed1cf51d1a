"""What was kept before a step changed something, so that it can be put back.

The law:

* Of a step there is one manifest for each agent that attempted it: `(execution, step, agent)`. The
  first one counts for ever. A later attempt meets what an earlier one may have left half done, so
  it never states anew what was there before.
* A manifest is durable before the attempt that it precedes changes anything, and names only
  contents that are durable already. So whatever an attempt did, its manifest can be found by key,
  also where the agent died in the middle of it (outcome `lost`).
* One without items says that an attempt was about to begin and had nothing to keep. None at all,
  where the task asked for one: no attempt on that agent has begun.
* Contents leave the agent compressed and encrypted, never in clear (`shared.ports.captures`).

Times are epoch milliseconds; checksums are SHA-256 of the content in clear, in hex.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from shared.contracts.collective import Contract
from shared.contracts.sync import BundleName, Sha256
from shared.workflow.captured import Captured

ITEMS_LIMIT: Final = 1_000
"""Most items of one manifest."""
INLINE_LIMIT: Final = 16 * 1024
"""Sealed contents up to so many bytes stand in the manifest itself."""
INLINE_TOTAL_LIMIT: Final = 256 * 1024
"""Most bytes of all contents that stand in one manifest."""

Mode = Annotated[str, Field(pattern=r"^0[0-7]{3,4}$")]


class OwnPath(Contract):
    """A path of the agent's host. `text` is for people; `raw` is base64 of its bytes, given only
    where they are no UTF-8."""

    text: str = Field(min_length=1, max_length=8_192)
    raw: str = ""

    @classmethod
    def of(cls, path: bytes) -> OwnPath:
        """A path as the operating system has it."""
        text = path.decode("utf-8", "backslashreplace")
        raw = "" if text.encode() == path else base64.b64encode(path).decode()
        return cls(text=text, raw=raw)

    def to_bytes(self) -> bytes:
        """The path as the operating system has it."""
        return base64.b64decode(self.raw) if self.raw else self.text.encode()


class Owner(Contract):
    """Whose a file was: numbers, and the names that they had on its host."""

    uid: int
    gid: int
    user: str = ""
    group: str = ""


class Content(Contract):
    """Where the content of a file is: sealed in the manifest (`inline`, base64) or as a blob of
    this name. An empty file has neither."""

    inline: str = ""
    blob: str = ""


class FileItem(Contract):
    """What was at one path: nothing, a regular file, a directory or a symbolic link.

    `whole`: all that was there, a directory's content too, has items: whatever else is found there
    later came afterwards.
    """

    kind: Literal["file"] = "file"
    path: OwnPath
    was: Literal["absent", "file", "directory", "symlink"]
    mode: Mode | None = None
    owner: Owner | None = None
    bytes: int = Field(0, ge=0)
    sha256: Sha256 | None = None
    content: Content = Content()
    target: OwnPath | None = None
    whole: bool = False


class OutputItem(Contract):
    """What the author's `capture` returned; what is sensitive or secret in it is sealed."""

    kind: Literal["output"] = "output"
    command: str
    output: dict[str, Any]


class BundleItem(Contract):
    """The version of a synchronized bundle that was current, on whom it was to be; None: there was
    no such bundle. No `agents` means all."""

    kind: Literal["bundle"] = "bundle"
    bundle: BundleName
    version: int | None
    agents: tuple[str, ...] = ()


Item = Annotated[FileItem | OutputItem | BundleItem, Field(discriminator="kind")]


class Manifest(Contract):
    """All that was kept on one agent before one step, and before which attempt of it."""

    execution_id: str
    step: str
    agent: str
    host: str
    template_id: str
    command: str
    attempt: int = Field(ge=1)
    at_ms: int
    items: tuple[Item, ...] = Field(max_length=ITEMS_LIMIT)

    @property
    def captured(self) -> Captured:
        """What the report of an attempt says of it."""
        files = [item for item in self.items if isinstance(item, FileItem)]
        return Captured(
            agent=self.agent,
            attempt=self.attempt,
            items=len(self.items),
            files=len(files),
            bytes=sum(item.bytes for item in files),
        )

    @property
    def output(self) -> dict[str, Any] | None:
        """What the author's `capture` returned, if there was one."""
        found = (item.output for item in self.items if isinstance(item, OutputItem))
        return next(found, None)

    @property
    def blobs(self) -> frozenset[str]:
        """The blobs that it names."""
        contents = (item.content for item in self.items if isinstance(item, FileItem))
        return frozenset(content.blob for content in contents if content.blob)

    @property
    def restorable(self) -> bool:
        """Whether the command `restore` has something to put back."""
        return any(not isinstance(item, OutputItem) for item in self.items)


def captured_output(manifests: Iterable[Manifest]) -> dict[str, Any]:
    """`captured` of a step's `rollback`: what the capture before its first attempt returned, on
    whichever agent that was; empty where nothing was."""
    for manifest in sorted(manifests, key=lambda m: (m.attempt, m.at_ms)):
        if manifest.output is not None:
            return manifest.output
    return {}
