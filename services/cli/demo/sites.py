"""The demo's sites: a configuration file and a process on each agent's host.

The files are written before anything runs, so that a rollback has something to put back; their
bytes and modes are read from the disk, never from what a workflow says about them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.stack.layout import REPO_ROOT
from services.cli.outcome import CliError, ExitCode

FOLDER: Final = "demo"
FILE: Final = "site.conf"
ROOM: Final[Mapping[str, int]] = {"db-1": 64, "ops-1": 8, "web-1": 64}
"""How many workers fit into the host of each agent; the second one is small."""
MODES: Final[Mapping[str, int]] = {"db-1": 0o640, "ops-1": 0o600, "web-1": 0o644}
STOP_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Print:
    """What a file is, to the byte: the digest of its content, and its mode."""

    sha256: str
    mode: int

    @classmethod
    def of(cls, path: Path) -> Print:
        """Read it from the disk."""
        return cls(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode & 0o7777)

    def __str__(self) -> str:
        return f"{self.sha256[:6]} {self.mode:04o}"


@dataclass(frozen=True, slots=True)
class Site:
    """One site: the agent on its host, its configuration, where it answers."""

    agent: str
    config: Path
    url: str

    @property
    def now(self) -> Print:
        """Its configuration as it is on the disk now."""
        return Print.of(self.config)


def configuration(version: str, workers: int) -> str:
    """A site's configuration."""
    return f"# Written by hv demo.\n[site]\nversion = {version}\nworkers = {workers}\n"


@contextmanager
def running_sites(data: Path) -> Iterator[tuple[Site, ...]]:
    """A site for each agent, for as long as this lasts. `data` has the agents' own folders."""
    processes: list[subprocess.Popen[str]] = []
    try:
        yield tuple(_start(data, agent, processes) for agent in sorted(ROOM))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            _wait(process)


def _start(data: Path, agent: str, processes: list[subprocess.Popen[str]]) -> Site:
    folder = data / agent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / FILE
    config.write_text(configuration(f"1 of {agent}", 2), encoding="utf-8")
    config.chmod(MODES[agent])
    module = (sys.executable, "-P", "-m", "services.cli.demo.site")
    process = subprocess.Popen(
        [*module, str(config), "--room", str(ROOM[agent])],
        env={"PYTHONPATH": str(REPO_ROOT), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    processes.append(process)
    port = process.stdout.readline().strip() if process.stdout is not None else ""
    if not port:
        raise CliError(f"The site of {agent} did not start.", ExitCode.FAILED)
    return Site(agent, config, f"http://127.0.0.1:{port}/health")


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
