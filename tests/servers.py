"""Real NATS and MongoDB for the tests: the ones named by URL, else Docker's, else the wheels'."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ops.stack.servers import embedded_servers

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

NATS_IMAGE = "nats:2.12-alpine"
MONGO_IMAGE = "mongo:7"
DOCKER_SOCKET = "/var/run/docker.sock"


class Servers(Protocol):
    """What a test needs to know about the servers it runs against."""

    def nats_url(self, user: str = "admin") -> str:
        """Return the NATS URL of a user; every user is the same one where the server knows none."""
        ...

    def mongo_admin_url(self, database: str) -> str:
        """Return a MongoDB URL that may do anything, with `database` as the default one."""
        ...


class ExternalServers:
    """Servers that somebody else runs."""

    def __init__(self, nats_url: str, mongo_url: str) -> None:
        self._nats_url = nats_url
        self._mongo_url = mongo_url

    def nats_url(self, user: str = "admin") -> str:
        return self._nats_url

    def mongo_admin_url(self, database: str) -> str:
        return urlsplit(self._mongo_url)._replace(path=f"/{database}").geturl()


@contextmanager
def open_servers(home: Path) -> Iterator[Servers]:
    """Give the servers of the environment, of a Docker engine, or of the wheels, in this order."""
    nats_url, mongo_url = os.environ.get("HIVE_NATS_URL"), os.environ.get("HIVE_MONGO_URL")
    if nats_url and mongo_url:
        yield ExternalServers(nats_url, mongo_url)
    elif docker_answers():
        with _containers() as servers:
            yield servers
    else:
        with embedded_servers(home, durability="relaxed") as servers:
            yield servers


def docker_answers() -> bool:
    """Tell within half a second whether a Docker engine listens where the environment says."""
    host = urlsplit(os.environ.get("DOCKER_HOST") or f"unix://{DOCKER_SOCKET}")
    family = socket.AF_UNIX if host.scheme == "unix" else socket.AF_INET
    address = host.path if host.scheme == "unix" else (host.hostname, host.port or 2375)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(address)
            probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in probe.recv(64)
        except OSError:
            return False


@contextmanager
def _containers() -> Iterator[Servers]:
    from pymongo import MongoClient
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs

    nats = DockerContainer(NATS_IMAGE).with_command("-js").with_exposed_ports(4222)
    mongo = DockerContainer(MONGO_IMAGE).with_command("--replSet hive").with_exposed_ports(27017)
    with nats, mongo:
        wait_for_logs(nats, "Server is ready")
        wait_for_logs(mongo, "Waiting for connections")
        mongo_url = f"mongodb://{_address(mongo, 27017)}/?directConnection=true"
        with MongoClient[dict[str, object]](mongo_url) as client:
            members = [{"_id": 0, "host": "localhost:27017"}]
            client.admin.command("replSetInitiate", {"_id": "hive", "members": members})
        yield ExternalServers(f"nats://{_address(nats, 4222)}", mongo_url)


def _address(container: "DockerContainer", port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def unique_database() -> str:
    """Return a database name that no other test uses."""
    return f"test_{secrets.token_hex(6)}"
