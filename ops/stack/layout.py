"""Where the embedded stack keeps its files: everything under one folder, `.hive/` unless HIVE_HOME
says otherwise.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ops.stack.errors import StackError

REPO_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one stack; nothing is created by naming them."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Layout":
        """Return the layout at HIVE_HOME, or at `.hive/` in the repository."""
        home = os.environ.get("HIVE_HOME")
        return cls(Path(home).expanduser().resolve() if home else REPO_ROOT / ".hive")

    @property
    def nats(self) -> Path:
        """Configuration, JetStream store and log of nats-server."""
        return self.root / "nats"

    @property
    def mongo(self) -> Path:
        """Key file and data of mongod."""
        return self.root / "mongo"

    @property
    def logs(self) -> Path:
        """One log file per service."""
        return self.root / "logs"

    @property
    def record(self) -> Path:
        """What runs now: see `ops.stack.state`."""
        return self.root / "stack.json"

    @property
    def guard(self) -> Path:
        """The lock file that the running supervisor holds."""
        return self.root / "supervisor.lock"

    @property
    def credentials(self) -> Path:
        """Passwords and last ports of the servers; mode 0600."""
        return self.root / "servers.json"

    @property
    def admin_key(self) -> Path:
        """The first admin API key, written by the gateway at its first start; mode 0600."""
        return self.root / "admin.key"

    def log(self, service: str) -> Path:
        """Return the log file of a service, for example `gateway` or `executor-1`."""
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Make the folders, readable by their owner only. Raises `StackError`."""
        for folder in (self.root, self.nats, self.mongo, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise StackError(
                    f"The folder {folder} cannot be made: {error.strerror}. "
                    "Set HIVE_HOME to a folder that can be written."
                ) from None


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, with mode 0600 from its first byte on."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
