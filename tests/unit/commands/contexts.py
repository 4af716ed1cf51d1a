"""A command's context for tests: a real policy, a real directory, lines collected in a list."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from services.executor.commands.base import DEFAULT_OUTPUT_LIMIT_BYTES, CommandContext
from services.executor.policy import Policy, default_policy


@dataclass
class Stage:
    """A directory with a context in it."""

    workdir: Path
    lines: list[tuple[str, str]] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def context(
        self,
        *,
        policy: Policy | None = None,
        deadline_s: float | None = None,
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
    ) -> CommandContext:
        return CommandContext(
            execution_id="execution-1",
            step_id="step-1",
            attempt=1,
            leg=0,
            agent="agent-1",
            policy=policy or default_policy(self.workdir),
            make_workdir=lambda: self.workdir,
            emit=lambda stream, line: self.lines.append((stream, line)),
            cancelled=self.cancelled,
            output_limit_bytes=output_limit_bytes,
            deadline_s=deadline_s,
        )
