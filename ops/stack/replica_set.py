"""Make one mongod a replica set with its users. The only module outside `shared.adapters` that
imports the driver.

Every step first looks whether it is already done, so a crash between any two leaves nothing that
the next start does not finish. Before the first user exists, mongod grants connections from its own
machine the right to make one. (In Docker, the image's own start makes `root`.)
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ops.stack.errors import NotReadyError

SMALL: Final = {
    "wiredTigerEngineRuntimeConfig": "cache_size=128M",
    "tcmallocAggressiveMemoryDecommit": 1,
}

_POLL_S = 0.05
_ALREADY_INITIALIZED = 23
_AUTHENTICATION_FAILED = 18
_MEMBER_STATES = frozenset({"PRIMARY", "SECONDARY"})

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """One-node replica set `name` at `address` (host:port), with user `root` and the application's
    user.
    """

    name: str
    database: str
    address: str
    root_password: str

    def ensure(self, app_password: str, timeout_s: float) -> None:
        """Return when the node is primary and both users exist. Raises `NotReadyError`."""
        deadline = time.monotonic() + timeout_s
        try:
            if not self._has_root():
                self._create(deadline)
            with self._connect(as_root=True) as client:
                self._initiate(client)
                self._fix_address(client)
                self._wait_for_primary(client, deadline)
                self._ensure_app_user(client, app_password)
                self._keep_small(client)
        except PyMongoError as error:
            raise NotReadyError(f"mongo at {self.address} could not be set up: {error}") from error

    def join(self, addresses: Sequence[str], timeout_s: float) -> None:
        """Make mongods that hold nothing further members, and return when each has everything and
        has a vote.

        Raises `NotReadyError`.
        """
        deadline = time.monotonic() + timeout_s
        try:
            with self._connect(as_root=True) as client:
                for address in addresses:
                    self._add(client, address)
                    self._wait_for_member(client, address, deadline)
                self._wait_for_votes(client, 1 + len(addresses), deadline)
        except PyMongoError as error:
            raise NotReadyError(f"mongo at {self.address} got no members: {error}") from error

    def _add(self, client: Client, address: str) -> None:
        config = client.admin.command("replSetGetConfig")["config"]
        if address in (member["host"] for member in config["members"]):
            return
        config["members"].append({"_id": len(config["members"]), "host": address})
        config["version"] += 1
        client.admin.command("replSetReconfig", config)

    def _wait_for_member(self, client: Client, address: str, deadline: float) -> None:
        while _state_of(client, address) not in _MEMBER_STATES:
            if time.monotonic() > deadline:
                raise NotReadyError(f"mongo at {address} did not catch up in time")
            time.sleep(_POLL_S)

    def _wait_for_votes(self, client: Client, voters: int, deadline: float) -> None:
        """A new member votes only a while after it has caught up; a primary that is lost before
        then would have no successor.
        """
        while client.admin.command("replSetGetStatus").get("votingMembersCount", voters) < voters:
            if time.monotonic() > deadline:
                raise NotReadyError(f"the members of {self.name} got no votes in time")
            time.sleep(_POLL_S)

    def _connect(self, *, as_root: bool) -> Client:
        login = f"root:{self.root_password}@" if as_root else ""
        return MongoClient(
            f"mongodb://{login}{self.address}/?authSource=admin",
            directConnection=True,
            serverSelectionTimeoutMS=10_000,
        )

    def _has_root(self) -> bool:
        with self._connect(as_root=True) as client:
            try:
                client.admin.command("ping")
            except OperationFailure as error:
                if error.code != _AUTHENTICATION_FAILED:
                    raise
                return False
        return True

    def _create(self, deadline: float) -> None:
        with self._connect(as_root=False) as client:
            self._initiate(client)
            self._wait_for_primary(client, deadline)
            client.admin.command("createUser", "root", pwd=self.root_password, roles=["root"])

    def _initiate(self, client: Client) -> None:
        members = [{"_id": 0, "host": self.address}]
        try:
            client.admin.command("replSetInitiate", {"_id": self.name, "members": members})
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALIZED:
                raise

    def _fix_address(self, client: Client) -> None:
        """Follow a port that changed since the last run: the old address would leave the set
        without its member.
        """
        config = client.admin.command("replSetGetConfig")["config"]
        if config["members"][0]["host"] == self.address:
            return
        config["members"][0]["host"] = self.address
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)

    def _wait_for_primary(self, client: Client, deadline: float) -> None:
        while not client.admin.command("hello").get("isWritablePrimary"):
            if time.monotonic() > deadline:
                raise NotReadyError(f"mongo at {self.address} did not become primary in time")
            time.sleep(_POLL_S)

    def _keep_small(self, client: Client) -> None:
        """Use little memory: what is written here is seldom read again. Servers differ in which of
        these settings they know; none is needed for anything else.
        """
        for setting, value in SMALL.items():
            with contextlib.suppress(OperationFailure):
                client.admin.command({"setParameter": 1, setting: value})

    def _ensure_app_user(self, client: Client, password: str) -> None:
        database = client[self.database]
        exists = database.command("usersInfo", "hive")["users"]
        roles = [{"role": "readWrite", "db": self.database}]
        database.command(
            "updateUser" if exists else "createUser", "hive", pwd=password, roles=roles
        )


def _state_of(client: Client, address: str) -> str:
    members = client.admin.command("replSetGetStatus")["members"]
    return next((str(m["stateStr"]) for m in members if m["name"] == address), "UNKNOWN")


def is_primary(address: str, timeout_s: float = 2.0) -> bool:
    """Tell whether the mongod at `address` says that it is the primary; no login is needed."""
    patience_ms = round(timeout_s * 1_000)
    with Client(
        f"mongodb://{address}/",
        directConnection=True,
        connectTimeoutMS=patience_ms,  # or closing would wait for what a frozen one never answers
        serverSelectionTimeoutMS=patience_ms,
        socketTimeoutMS=patience_ms,
    ) as client:
        try:
            return bool(client.admin.command("hello").get("isWritablePrimary"))
        except PyMongoError:
            return False
