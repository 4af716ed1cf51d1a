"""What a command is given, what it may answer, and what it must be able to do.

The law of a command:
- It ends by returning an outcome. An exception is a defect of the command, not an answer.
- It ends soon after `context.cancelled` is set or `context.deadline_s` has passed, and then proves
  that nothing it started is still at work.
- It never says "done" for what it did not do, and never repeats a secret it was given.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from services.executor.commands.running_records import RunningRecords
from services.executor.policy import Policy
from shared.commands.spec import CommandSpec
from shared.contracts.captures import BundleItem, FileItem, Manifest
from shared.ports.hive import HivePort

DEFAULT_OUTPUT_LIMIT_BYTES = 256 * 1024
"""Largest output of one command as JSON, in bytes, unless the agent's settings say otherwise."""

JsonObject = dict[str, Any]


class KeptStates(Protocol):
    """What was kept before steps, as the command that puts it back reaches it."""

    async def find(self, execution_id: str, step: str, agent: str) -> Manifest | None:
        """What was kept on an agent before a step. Raises `CaptureError`."""
        ...

    async def content(self, item: FileItem) -> bytes:
        """The content of a file, proven by its checksum. Raises `CaptureError`."""
        ...


@dataclass(frozen=True)
class CommandContext:
    """Where and for whom a command runs.

    `workdir` is private to this attempt, made (by `make_workdir`) when it is first asked for, and
    removed after the attempt. `emit(stream, line)`
    takes a progress line for the streams `stdout`, `stderr` or `progress`; it returns at once.
    `deadline_s` is how many seconds the command may take from now on; None is unlimited. `leg`
    counts the parts of an attempt that waits: 0 runs, each later one resumes. `running` is where
    programs are noted while they run. `fence` is the leg's fencing token, 0 where it has none.
    `hurried`: a person wanted the wait over; a command that waits for a time completes. `kept` is
    where it is found what was kept before steps.
    """

    execution_id: str
    step_id: str
    attempt: int
    leg: int
    agent: str
    policy: Policy
    make_workdir: Callable[[], Path]
    emit: Callable[[str, str], None]
    cancelled: asyncio.Event
    output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES
    deadline_s: float | None = None
    hive: HivePort | None = None
    running: RunningRecords | None = None
    fence: int = 0
    hurried: bool = False
    kept: KeptStates | None = None

    @cached_property
    def workdir(self) -> Path:
        """The attempt's private directory."""
        return self.make_workdir()


@dataclass(frozen=True)
class StopProof:
    """Whether what a command had started is gone, and how that is known.

    `pids` are the processes that were found, `signals` what was sent to them, in order. `gone` is
    false only if something was still there, or could not be examined; `reason` says which and why.
    `exit` is how the program itself ended, such as `exit code 0` or `SIGKILL`.
    """

    gone: bool
    reason: str
    pids: tuple[int, ...] = ()
    signals: tuple[str, ...] = ()
    exit: str = ""


@dataclass(frozen=True)
class Completed:
    """The command did what it was asked to do."""

    output: JsonObject


@dataclass(frozen=True)
class Failed:
    """The command could not do it.

    `retryable`: the same again may work; whether it is tried is the step's retry policy to say.
    `proof` is there if something had to be stopped, or may still be at work.
    """

    code: str
    message: str
    retryable: bool = False
    output: JsonObject = field(default_factory=dict)
    proof: StopProof | None = None


@dataclass(frozen=True)
class TimedOut:
    """The deadline passed; the command was stopped."""

    proof: StopProof
    output: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Cancelled:
    """The command was told to stop, and did."""

    proof: StopProof
    output: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Deferred:
    """The step waits without holding the agent; `resume` is called with `token` when it is woken.

    `wake_at_s` is Unix time in seconds; None waits for an answer from elsewhere.
    """

    token: str
    wake_at_s: float | None
    output: JsonObject = field(default_factory=dict)


Outcome = Completed | Failed | TimedOut | Cancelled | Deferred


class Command(Protocol):
    """A command's implementation. `run` is given an instance of `parameters`, already validated."""

    @property
    def spec(self) -> CommandSpec:
        """The specification this implements."""
        ...

    @property
    def parameters(self) -> type[BaseModel]:
        """The model whose schema `spec.parameters` is."""
        ...

    async def run(self, params: Any, context: CommandContext) -> Outcome:
        """Do the work once."""
        ...


@dataclass(frozen=True)
class ChangedPath:
    """A path that a run may change. `follow`: a symbolic link at the end stands for its target;
    `parents`: missing directories above it are made; `tree`: it goes with all that is in it."""

    path: str
    follow: bool = True
    parents: bool = False
    tree: bool = False


@dataclass(frozen=True)
class Changes:
    """What a run is about to change, and can be put back."""

    paths: tuple[ChangedPath, ...] = ()
    bundles: tuple[BundleItem, ...] = ()


@runtime_checkable
class Capturing(Protocol):
    """A command that says beforehand what a run changes, so that it can be kept; `spec.captures`
    names of what kind that is."""

    async def changes(self, params: Any, context: CommandContext) -> Changes:
        """What a run with these parameters is about to change."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A command that may answer `Deferred`."""

    async def resume(self, params: Any, context: CommandContext, token: str) -> Outcome:
        """Go on after a wait. May be called early or more than once for one token."""
        ...
