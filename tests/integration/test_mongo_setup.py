"""Docker's step that makes MongoDB a replica set, on a mongod started as the image starts it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from ops.stack import ports
from ops.stack.mongo import find_binary
from ops.stack.processes import Child

Client = MongoClient[dict[str, Any]]


@contextmanager
def mongod(folder: Path, port: int, *options: str) -> Iterator[None]:
    """Run a mongod over the same data, with further options, for the length of a `with` block."""
    argv = [find_binary(), "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1"]
    argv += ["--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", *options]
    child = Child(argv, dict(os.environ), folder.with_suffix(".log"))
    try:
        while not ports.answers(port):
            assert child.running, folder.with_suffix(".log").read_text()[-3000:]
            time.sleep(0.05)
        yield
    finally:
        child.stop()


@pytest.fixture
def docker_mongo(tmp_path: Path) -> Iterator[str]:
    """A mongod as the official image leaves it: `root` exists, the replica set is not initiated."""
    data, key, port = tmp_path / "db", tmp_path / "key", ports.pick()
    data.mkdir()
    key.write_text("k" * 64)
    key.chmod(0o400)
    with mongod(data, port), Client(f"mongodb://127.0.0.1:{port}/?directConnection=true") as client:
        client.admin.command("createUser", "root", pwd="r00t", roles=["root"])
    with mongod(data, port, "--replSet", "hive", "--keyFile", str(key), "--auth"):
        yield f"127.0.0.1:{port}"


def setup(address: str, **changes: str) -> subprocess.CompletedProcess[str]:
    told = {
        "MONGO_ADDRESS": address,
        "MONGO_ROOT_PASSWORD": "r00t",
        "MONGO_HIVE_PASSWORD": "h1ve",
        **changes,
    }
    return subprocess.run(
        [sys.executable, "-m", "ops.mongo.setup"],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_setup_makes_a_replica_set_and_the_user(docker_mongo: str) -> None:
    """After it the application's user can work in transactions, in its own database only; running
    it again changes nothing.
    """
    for _ in range(2):
        done = setup(docker_mongo)
        assert done.returncode == 0, done.stderr
    url = f"mongodb://hive:h1ve@{docker_mongo}/hive?replicaSet=hive&authSource=hive"
    with Client(url) as client:
        with client.start_session() as session, session.start_transaction():
            client.hive.probe.insert_one({"_id": 1}, session=session)
        with pytest.raises(OperationFailure, match="not authorized"):
            client.other.probe.insert_one({"_id": 1})


def test_missing_password_is_said() -> None:
    """Without a password it ends at once and names the variable."""
    done = setup("127.0.0.1:1", MONGO_HIVE_PASSWORD="")
    assert done.returncode == 1
    assert done.stderr.startswith("MONGO_HIVE_PASSWORD is not set")
