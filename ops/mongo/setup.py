"""`python -m ops.mongo.setup`: make Docker's MongoDB a replica set with the application's user.

Runs once at each start of docker-compose.yml, after the server answers, and changes nothing that is
already as it should be. Reads MONGO_ADDRESS (host:port as the services will use it),
MONGO_ROOT_PASSWORD and MONGO_HIVE_PASSWORD; exit code 1 with one sentence when it cannot.
"""

import os
import sys
import time

from ops.stack.errors import NotReadyError, StackError
from ops.stack.mongo import DATABASE, REPLICA_SET
from ops.stack.replica_set import ReplicaSet

TIMEOUT_S = 120.0
_RETRY_S = 1.0


def main() -> int:
    """Set it up, however long the server takes to come within `TIMEOUT_S`."""
    try:
        address, root, hive = (
            _required(name)
            for name in ("MONGO_ADDRESS", "MONGO_ROOT_PASSWORD", "MONGO_HIVE_PASSWORD")
        )
        ensure(ReplicaSet(REPLICA_SET, DATABASE, address, root), hive)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"MongoDB at {address} is replica set {REPLICA_SET!r}; user 'hive' exists.\n")
    return 0


def ensure(replica_set: ReplicaSet, app_password: str, timeout_s: float = TIMEOUT_S) -> None:
    """Try until it is done. Raises the last `NotReadyError` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return replica_set.ensure(app_password, max(1.0, deadline - time.monotonic()))
        except NotReadyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise StackError(f"{name} is not set; docker-compose.yml takes it from .env (docs/how-to).")
    return value


if __name__ == "__main__":
    sys.exit(main())
