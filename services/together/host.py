"""Several services in one process, for a machine on which a process for each would cost too much.

An interpreter with our libraries loaded takes about 60 MiB, whatever it does. Each service here is
what it is in a process of its own: its settings, its user at NATS, its connections, its port for
health and metrics. What they share is the event loop, and their end: when one ends, all do, and
whoever started the process starts it again.

What is a service's own in the environment stands in `HIVE_TOGETHER`, a JSON object by service:
`{"rollback": {"HIVE_NATS_URL": "…"}}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Final

import structlog

from shared.runtime.lifecycle import Service, run_service

VARIABLE: Final = "HIVE_TOGETHER"
HOSTED: Final = ("gateway", "learning", "rollback", "suggestion", "validator")
"""The services that can be hosted: those of which one machine needs one each."""

log = structlog.get_logger()


class ServiceEndedError(Exception):
    """A service returned though nobody had asked it to stop."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the services that are named until the process is told to stop."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    unknown = [name for name in names if name not in HOSTED]
    if unknown or not names:
        wrong = f"cannot host {', '.join(unknown)}" if unknown else "no service is named"
        sys.stderr.write(f"{wrong}; name some of: {', '.join(HOSTED)}\n")
        raise SystemExit(2)
    own = _own_environments()
    services = {name: prepared(name, own.get(name, {})) for name in names}
    run_service(lambda stop: serve_all(services, stop))


def prepared(name: str, own: Mapping[str, str]) -> Service:
    """A service whose settings are read from the environment and what is its own in it."""
    with _environment(own):
        service: Service = import_module(f"services.{name}.bootstrap").service()
    return service


async def serve_all(services: Mapping[str, Service], stop: asyncio.Event) -> None:
    """Serve all of them; when one fails, or returns unasked, the others are stopped too."""
    async with asyncio.TaskGroup() as group:
        for name, service in services.items():
            group.create_task(_serve(name, service, stop), name=name)


async def _serve(name: str, service: Service, stop: asyncio.Event) -> None:
    structlog.contextvars.bind_contextvars(service=name)
    await service(stop)
    if not stop.is_set():
        raise ServiceEndedError(f"{name} ended by itself")


def _own_environments() -> Mapping[str, Mapping[str, str]]:
    try:
        found = json.loads(os.environ.pop(VARIABLE, "{}"))
        return {
            name: {key: str(value) for key, value in own.items()} for name, own in found.items()
        }
    except (ValueError, AttributeError):
        sys.stderr.write(f"{VARIABLE}: must be a JSON object of objects, by service\n")
        raise SystemExit(2) from None


@contextmanager
def _environment(own: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with what is one service's own, for as long as this lasts."""
    before = dict(os.environ)
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
