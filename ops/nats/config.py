"""The configuration of nats-server: one text for the embedded stack and for Docker.

Durability `safe` makes the server fsync each message before it acknowledges it (`sync_interval:
always`), so an acknowledged message survives a power cut; `relaxed` leaves the server's default,
which survives a crash of the process but may lose the last messages when the machine dies.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from ops.nats.permissions import USER_NAMES, render_authorization

Durability = Literal["safe", "relaxed"]

MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024

DOCKER_CONFIG: Final = PurePosixPath("ops/nats/docker.conf")
DOCKER_STORE: Final = PurePosixPath("/data/jetstream")
DOCKER_PORT: Final = 4222
DOCKER_HTTP_PORT: Final = 8222
_DOCKER_HEAD: Final = """\
# nats-server in Docker. Written by `./hv proto` from ops/nats/config.py; change it there.
# Passwords come from the container's environment.
"""


@dataclass(frozen=True, slots=True)
class ClusterMember:
    """What makes a server one of a cluster: its unique name, the address at which the others reach
    it, theirs, and the password that all of them share.
    """

    name: str
    address: str
    others: tuple[str, ...]
    password: str

    def render(self) -> str:
        """Return the `cluster` block."""
        routes = [f"nats-route://route:{self.password}@{other}" for other in self.others]
        return (
            f"cluster {{\n  name: hive\n  listen: {self.address}\n"
            f"  authorization {{ user: route, password: {json.dumps(self.password)} }}\n"
            f"  routes = {json.dumps(routes)}\n}}\n"
        )


def render_config(
    *,
    host: str,
    port: int,
    http: str,
    store: Path | PurePosixPath,
    durability: Durability,
    passwords: Mapping[str, str],
    member: ClusterMember | None = None,
) -> str:
    """Return the text of a configuration. `http` is the address of the server's monitoring;
    `passwords` as in `render_authorization`; `member` makes it one server of a cluster.
    """
    name = member.name if member else "hive"
    cluster = member.render() if member else ""
    sync = "  sync_interval: always\n" if durability == "safe" else ""
    return (
        f"server_name: {name}\nhost: {host}\nport: {port}\n"
        f"http: {http}\n"
        f"max_payload: {MAX_PAYLOAD_BYTES}\nlogtime_utc: true\n"
        f"jetstream {{\n  store_dir: {json.dumps(str(store))}\n{sync}}}\n"
        f"{cluster}{render_authorization(passwords)}"
    )


def docker_variable(user: str) -> str:
    """The environment variable that holds a user's password in Docker."""
    return f"NATS_{user.upper()}_PASSWORD"


def files() -> dict[PurePosixPath, str]:
    """Docker's configuration by its path in the repository."""
    text = render_config(
        host="0.0.0.0",  # noqa: S104 - inside the container; its network is private
        port=DOCKER_PORT,
        http=f"127.0.0.1:{DOCKER_HTTP_PORT}",
        store=DOCKER_STORE,
        durability="safe",
        passwords={user: f"${docker_variable(user)}" for user in USER_NAMES},
    )
    return {DOCKER_CONFIG: _DOCKER_HEAD + text}
