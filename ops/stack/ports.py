"""Loopback TCP ports: which are free, and who holds one that is not."""

import contextlib
import random
import socket
from collections.abc import Collection
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
LOWEST = 15_000
"""Ports are picked from here up to those that the system gives away by itself."""

_GIVEN_AWAY = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUALLY_FROM = 32_768
_TRIES = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set the same option: with it a port in TIME_WAIT is free, one listened on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick(preferred: int | None = None, avoid: Collection[int] = ()) -> int:
    """Return `preferred` if it is free, else a free port that is not in `avoid`.

    The system gives no such port to another program between here and the moment at which the
    server listens; only who picks one too could take it, and each picks at random.
    """
    if preferred and preferred not in avoid and is_free(preferred):
        return preferred
    own = range(LOWEST, max(_given_away_from(), LOWEST + 1))
    for port in random.sample(own, min(_TRIES, len(own))):
        if port not in avoid and is_free(port):
            return port
    return _given(avoid)


def _given_away_from() -> int:
    """The lowest port that the system may give to a program that names none."""
    try:
        return int(_GIVEN_AWAY.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUALLY_FROM


def _given(avoid: Collection[int]) -> int:
    """A port that the system gives."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def answers(port: int, timeout_s: float = 0.2) -> bool:
    """Tell whether something accepts connections on this loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def holder(port: int) -> str:
    """Describe the process that listens on a port (`nginx, process 812`), or `another program` if
    it is not visible.
    """
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.pid
            if listens and connection.laddr and connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()}, process {connection.pid}"
    return "another program"
