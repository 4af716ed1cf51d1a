"""Run the whole stack: NATS, MongoDB, then the services, until somebody asks it to stop.

One process, one thread, one loop. It starts in the order in which things need each other, waits
until each is healthy, restarts what ends by itself, and stops in the opposite order. At most one
supervisor runs per home: it holds a file lock that the kernel releases when it dies, however it
dies.
"""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ops.nats.config import Durability
from ops.nats.permissions import USER_NAMES
from ops.stack import spec, state
from ops.stack.errors import NotReadyError, StackError
from ops.stack.keeper import Keeper, Kept, Service
from ops.stack.layout import Layout
from ops.stack.processes import STOP_GRACE_S, start_time, tail
from ops.stack.server import READY_TIMEOUT_S, Server
from ops.stack.servers import EmbeddedServers, prepare
from ops.stack.spec import ServerUrls, ServiceSpec

TEND_INTERVAL_S = 0.1

Report = Callable[[str], None]


class AlreadyRunningError(StackError):
    """Another supervisor holds this home."""


class Supervisor:
    """One run of the stack with the given table of services."""

    def __init__(
        self,
        layout: Layout,
        durability: Durability,
        specs: Sequence[ServiceSpec],
        report: Report = print,
    ) -> None:
        """`report` receives sentences for people: what started, ended and restarted."""
        self._layout = layout
        self._specs = tuple(specs)
        self._report = report
        self._durability = durability
        self._servers: EmbeddedServers
        self._keepers: list[Keeper] = []
        self._services: list[Service] = []
        self._stop = threading.Event()
        self._unsaved = False
        self.record = state.StackRecord(os.getpid(), start_time(os.getpid()) or 0.0, durability)

    def run(self, each_turn: Callable[[], None] = lambda: None) -> None:
        """Start everything, and return when it was asked to stop and all is gone.

        `each_turn` is called about ten times a second (the foreground prints new log lines there).
        Raises `AlreadyRunningError`, `PortTakenError`, `ServerMissingError` or `NotReadyError`;
        then nothing is left running.
        """
        with hold(self._layout):
            spec.check_ports(self._specs)
            self._servers = prepare(self._layout, self._durability)
            with self._signals():
                try:
                    self._start(each_turn)
                    while not self._stop.wait(TEND_INTERVAL_S):
                        self._tend()
                        each_turn()
                finally:
                    self._shut_down()

    def request_stop(self) -> None:
        """Make `run` stop everything and return; safe from a signal handler."""
        self._stop.set()

    def _start(self, each_turn: Callable[[], None]) -> None:
        urls = self._start_servers()
        home, durability = str(self._layout.root), self.record.durability
        for service_spec in self._specs:
            env = spec.environment(service_spec, urls, home, durability)
            service = Service(service_spec, env, self._layout.log(service_spec.name))
            self._services.append(service)
            service.start()
        self._save()
        for service in self._services:
            self._wait_healthy(service, each_turn)
        self._keepers += [Keeper(service) for service in self._services]
        if not self._stop.is_set():
            self._write_scrape_targets()
            self._save("ready")
            self._report("ready")

    def _start_servers(self) -> ServerUrls:
        """Start the servers for which the environment names no URL; both at once, then wait for
        both.
        """
        nats_url, mongo_url = os.environ.get("HIVE_NATS_URL"), os.environ.get("HIVE_MONGO_URL")
        own: list[Server] = []
        own += [] if nats_url else [self._servers.nats]
        own += [] if mongo_url else [self._servers.mongo]
        for server in own:
            server.start()
            self._keepers.append(Keeper(server))
        self._save()
        for server in own:
            server.wait_ready()
            self._report(f"{server.name} is ready")
        by_user = {user: nats_url or self._servers.nats_url(user) for user in USER_NAMES}
        urls = ServerUrls(by_user, mongo_url or self._servers.mongo_url)
        self._remember(urls)
        return urls

    def _remember(self, urls: ServerUrls) -> None:
        self.record.urls = {"nats": urls.nats["gateway"], "mongo": urls.mongo}
        for service in self._specs:
            self.record.ports.update(service.ports)
        if "gateway" in self.record.ports:
            self.record.urls["gateway"] = f"http://127.0.0.1:{self.record.ports['gateway']}"

    def _write_scrape_targets(self) -> None:
        from ops.prometheus import embedded  # here: YAML is not needed to start

        embedded.write(self._layout.root, self.record.ports)

    def _wait_healthy(self, service: Service, each_turn: Callable[[], None]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not service.is_ready():
            if self._stop.wait(TEND_INTERVAL_S):
                return
            each_turn()
            child = service.child
            if not child or not child.running or time.monotonic() > deadline:
                end = child.describe_end() if child else "never started"
                raise NotReadyError(
                    f"{service.name} did not become healthy ({end}). The end of {service.log}:\n"
                    f"{tail(service.log)}"
                )
        self._report(f"{service.name} is healthy")

    def _tend(self) -> None:
        happened = [sentence for keeper in self._keepers if (sentence := keeper.tend())]
        for sentence in happened:
            self._report(sentence)
        if happened or self._unsaved:
            self._save()

    def _save(self, phase: state.Phase | None = None) -> None:
        self.record.phase = phase or self.record.phase
        restarts = {keeper.kept.name: keeper.restarts for keeper in self._keepers}
        kept: list[Kept | Server] = [*(k.kept for k in self._keepers if isinstance(k.kept, Server))]
        kept += self._services
        self.record.services = [
            state.ServiceRecord(
                one.name,
                one.child.pid if one.child and one.child.running else None,
                one.spec.health_url if isinstance(one, Service) else None,
                restarts.get(one.name, 0),
            )
            for one in kept
        ]
        self._write_record()

    def _write_record(self) -> None:
        """Save the record. While the disk is full the old one stands: the stack runs on."""
        try:
            self.record.save(self._layout)
        except OSError as error:
            if not self._unsaved:
                self._report(f"the record {self._layout.record} cannot be written ({error})")
            self._unsaved = True
        else:
            self._unsaved = False

    def _shut_down(self) -> None:
        """Stop the services together, then the servers they need, then forget the record."""
        self._save("stopping")
        self._report("stopping")
        children = [service.child for service in self._services if service.child]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        for child in children:
            child.stop(max(0.0, deadline - time.monotonic()))
        self._servers.stop()
        self._layout.record.unlink(missing_ok=True)
        self._report("stopped")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGTERM, SIGINT and SIGHUP into a request to stop, for as long as the stack runs."""

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self.request_stop()

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def hold(layout: Layout) -> Iterator[None]:
    """Hold a home for this process alone. Raises `AlreadyRunningError` when another one does."""
    layout.create()
    with layout.guard.open("a", encoding="utf-8") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"A stack already runs on {layout.root}.") from None
        yield
