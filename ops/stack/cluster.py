"""Three nats-servers as a cluster and three mongods as a replica set, all on loopback.

For tests and benchmarks that kill and freeze servers: on one machine a cluster protects from
nothing, so `hv up` starts single servers. The programs, users and passwords are the single ones'.
"""

from __future__ import annotations

import json
import secrets
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.nats.config import ClusterMember, Durability
from ops.nats.permissions import USER_NAMES
from ops.stack import ports
from ops.stack.layout import write_private
from ops.stack.mongo import DATABASE, KEY_FILE_BYTES, REPLICA_SET, MongoConfig, MongoServer
from ops.stack.nats import NatsConfig, NatsServer
from ops.stack.ports import LOOPBACK
from ops.stack.processes import tail
from ops.stack.replica_set import ReplicaSet, is_primary
from ops.stack.server import READY_TIMEOUT_S, Server

MEMBERS: Final = 3


class MongoMember(MongoServer):
    """One mongod of a replica set: ready when it answers, whoever is the primary."""

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until it accepts connections."""
        Server.wait_ready(self, timeout_s)


@dataclass(frozen=True, slots=True)
class EmbeddedCluster:
    """The servers of a cluster, which can be killed, frozen and started again one by one."""

    nats: tuple[NatsServer, ...]
    mongo: tuple[MongoMember, ...]

    def nats_url(self, user: str = "admin") -> str:
        """Return the URLs of all nats-servers for one user, separated by commas."""
        return ",".join(server.url(user) for server in self.nats)

    @property
    def mongo_url(self) -> str:
        """The MongoDB URL of the application's user, with every member."""
        password = self.mongo[0].config.app_password
        return self._mongo_url(f"hive:{password}", DATABASE, DATABASE)

    def mongo_admin_url(self, database: str) -> str:
        """Return the MongoDB URL of `root` with `database` as the default one."""
        return self._mongo_url(f"root:{self.mongo[0].config.root_password}", database, "admin")

    @property
    def all(self) -> tuple[Server, ...]:
        """Every server."""
        return (*self.nats, *self.mongo)

    def start(self) -> None:
        """Start every server and make the mongods one replica set. Raises `NotReadyError`, leaving
        none running.
        """
        try:
            for server in self.all:
                server.start()
            for server in self.all:
                server.wait_ready()
            self._replica_set().ensure(self.mongo[0].config.app_password, READY_TIMEOUT_S)
            self._replica_set().join(self._mongo_addresses[1:], READY_TIMEOUT_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill them all: a member that leaves in order would wait for the others."""
        for server in self.all:
            server.kill()

    def stream_leader(self, stream: str) -> NatsServer | None:
        """The server that leads a stream, as the others tell; none while it has no leader."""
        for server in self.nats:
            name = _leader_of(stream, server.config.http_port)
            for other in self.nats:
                if name and other.config.member and other.config.member.name == name:
                    return other
        return None

    def primary(self) -> MongoMember | None:
        """The mongod that calls itself the primary; none during an election."""
        for server, address in zip(self.mongo, self._mongo_addresses, strict=True):
            if is_primary(address):
                return server
        return None

    def log_ends(self) -> str:
        """Return the ends of all logs, for the message of a failure."""
        return "\n".join(f"== {server.log.name}\n{tail(server.log)}" for server in self.all)

    @property
    def _mongo_addresses(self) -> tuple[str, ...]:
        return tuple(f"{LOOPBACK}:{server.config.port}" for server in self.mongo)

    def _replica_set(self) -> ReplicaSet:
        root = self.mongo[0].config.root_password
        return ReplicaSet(REPLICA_SET, DATABASE, self._mongo_addresses[0], root)

    def _mongo_url(self, user: str, database: str, auth_source: str) -> str:
        hosts = ",".join(self._mongo_addresses)
        options = f"replicaSet={REPLICA_SET}&authSource={auth_source}"
        return f"mongodb://{user}@{hosts}/{database}?{options}"


def prepare_cluster(home: Path, durability: Durability) -> EmbeddedCluster:
    """Choose ports and passwords for a new cluster under `home`; nothing starts yet."""
    chosen = _free_ports(4 * MEMBERS)
    clients, monitors, routes, mongos = (chosen[n::4] for n in range(4))
    addresses = [f"{LOOPBACK}:{port}" for port in routes]
    passwords = {user: secrets.token_hex() for user in USER_NAMES}
    route_password, key = secrets.token_hex(), secrets.token_hex(KEY_FILE_BYTES)
    root, app = secrets.token_hex(), secrets.token_hex()
    nats, mongo = [], []
    for number in range(MEMBERS):
        others = tuple(a for a in addresses if a != addresses[number])
        member = ClusterMember(f"hive-{number}", addresses[number], others, route_password)
        folder = _folder(home, f"nats-{number}")
        config = NatsConfig(
            folder, clients[number], monitors[number], durability, passwords, member
        )
        nats.append(NatsServer(config, home / f"nats-{number}.log"))
        folder = _folder(home, f"mongo-{number}")
        write_private(folder / "key", key)
        data = MongoConfig(folder, mongos[number], root, app)
        mongo.append(MongoMember(data, home / f"mongo-{number}.log"))
    return EmbeddedCluster(tuple(nats), tuple(mongo))


@contextmanager
def embedded_cluster(home: Path, durability: Durability = "relaxed") -> Iterator[EmbeddedCluster]:
    """Run a cluster under `home`, a new folder, for the length of a `with` block."""
    cluster = prepare_cluster(home, durability)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


def _folder(home: Path, name: str) -> Path:
    folder = home / name
    folder.mkdir(parents=True, mode=0o700)
    return folder


def _free_ports(count: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < count:
        chosen.append(ports.pick(avoid=chosen))
    return chosen


def _leader_of(stream: str, monitor: int) -> str:
    """What one server's monitoring tells of a stream's leader; empty when it does not answer."""
    url = f"http://{LOOPBACK}:{monitor}/jsz?accounts=true&streams=true"
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            told = json.load(response)
    except (OSError, ValueError):
        return ""
    accounts = told.get("account_details") or []
    streams = [found for account in accounts for found in account.get("stream_detail") or []]
    leaders = (s.get("cluster", {}).get("leader", "") for s in streams if s["name"] == stream)
    return str(next(leaders, ""))
