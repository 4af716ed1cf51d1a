"""`python -m ops.stack`: the supervisor in the background; `hv up --detach` starts it."""

import argparse
import sys
from contextlib import suppress
from datetime import UTC, datetime

from ops.stack import spec
from ops.stack.errors import StackError
from ops.stack.layout import Layout
from ops.stack.supervisor import Supervisor


def main() -> int:
    """Run the stack at HIVE_HOME until a signal stops it."""
    parser = argparse.ArgumentParser(prog="ops.stack")
    parser.add_argument("--durability", choices=["safe", "relaxed"], default="safe")
    parser.add_argument("--executors", type=int, default=1)
    parser.add_argument("--agent", action="append", default=[])
    options = parser.parse_args()
    try:
        agents = [spec.AgentSpec.parse(text) for text in options.agent]
        services = spec.services(options.executors, agents)
        Supervisor(Layout.from_environment(), options.durability, services, report=_log).run()
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _log(sentence: str) -> None:
    with suppress(OSError):  # a full disk takes no log, and is no reason to stop the stack
        sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
