"""NATS and MongoDB together, the way the supervisor and the tests use them.

`open_servers` gives the servers named by HIVE_NATS_URL and HIVE_MONGO_URL where these are set and
starts its own otherwise; `embedded_servers` always starts its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.nats.config import Durability
from ops.nats.permissions import USER_NAMES
from ops.stack import credentials, ports
from ops.stack.layout import Layout
from ops.stack.mongo import MongoConfig, MongoServer
from ops.stack.nats import NatsConfig, NatsServer
from ops.stack.server import Server


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Our own NATS and MongoDB. Each has `start`, `stop`, `kill`, `restart`, `wait_ready` and
    `pid`.
    """

    nats: NatsServer
    mongo: MongoServer

    def nats_url(self, user: str = "admin") -> str:
        """Return the NATS URL of one of `ops.nats.permissions.USER_NAMES`."""
        return self.nats.url(user)

    @property
    def mongo_url(self) -> str:
        """The MongoDB URL of the application's user, who sees database `hive` only."""
        return self.mongo.url

    def mongo_admin_url(self, database: str) -> str:
        """Return the MongoDB URL of `root` with `database` as the default one."""
        return self.mongo.admin_url(database)

    @property
    def all(self) -> tuple[Server, ...]:
        """Both servers, in the order in which they start."""
        return (self.nats, self.mongo)

    def start(self) -> None:
        """Start both at once and wait until both serve. Raises `NotReadyError`, leaving neither
        running.
        """
        try:
            for server in self.all:
                server.start()
            for server in self.all:
                server.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both in order."""
        for server in reversed(self.all):
            server.stop()


def prepare(layout: Layout, durability: Durability = "safe") -> EmbeddedServers:
    """Choose ports (the last ones, where still free) and passwords for the servers of a home;
    nothing starts yet.
    """
    layout.create()
    known = credentials.load(layout.credentials)
    for name in ("nats", "nats_http", "mongo"):
        known.ports[name] = ports.pick(known.ports.get(name), avoid=_others(known.ports, name))
    nats_passwords = known.passwords_of("nats", USER_NAMES)
    mongo_passwords = known.passwords_of("mongo", ("root", "hive"))
    known.save(layout.credentials)
    nats = NatsConfig(
        layout.nats, known.ports["nats"], known.ports["nats_http"], durability, nats_passwords
    )
    mongo = MongoConfig(
        layout.mongo, known.ports["mongo"], mongo_passwords["root"], mongo_passwords["hive"]
    )
    return EmbeddedServers(
        NatsServer(nats, layout.log("nats")), MongoServer(mongo, layout.log("mongo"))
    )


def _others(chosen: dict[str, int], name: str) -> set[int]:
    return {port for other, port in chosen.items() if other != name}


@contextmanager
def embedded_servers(home: Path, durability: Durability = "safe") -> Iterator[EmbeddedServers]:
    """Run our own NATS and MongoDB under `home` for the length of a `with` block."""
    servers = prepare(Layout(home), durability)
    servers.start()
    try:
        yield servers
    finally:
        servers.stop()
