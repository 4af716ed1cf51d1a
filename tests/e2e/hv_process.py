"""Runs `./hv` as a person does, in a home and on ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.stack import ports
from ops.stack.layout import REPO_ROOT

HV = REPO_ROOT / "hv"
TIMEOUT_S = 150.0
_FOREIGN = ("HIVE_NATS_URL", "HIVE_MONGO_URL", "HIVE_URL", "HIVE_API_KEY", "COLUMNS")


@dataclass(frozen=True)
class Done:
    """How one command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as JSON; an error if anything else is on it."""
        return json.loads(self.out)


class Hv:
    """`hv` with an environment of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        own = {"HIVE_HOME": str(home), "HIVE_GATEWAY_PORT": str(ports.pick())}
        kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        self._env = {**kept, **own}

    def __call__(self, *arguments: str, timeout_s: float = TIMEOUT_S, **more_env: str) -> Done:
        """Run one command to its end."""
        done = subprocess.run(
            [str(HV), *arguments],
            env={**self._env, **more_env},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command, which takes interrupts as from a terminal (whoever runs tests in the
        background ignores them, as would what they start); the caller ends it."""
        return subprocess.Popen(
            ["env", "--default-signal=INT", str(HV), *arguments],
            env=self._env,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
