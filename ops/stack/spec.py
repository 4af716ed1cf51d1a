"""The table of services that the supervisor runs, and what each is told through its environment."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ops.stack import ports
from ops.stack.errors import PortTakenError, StackError
from ops.stack.layout import REPO_ROOT

GATEWAY_PORT = 8902
GATEWAY_PORT_VARIABLE = "HIVE_GATEWAY_PORT"
READY_PATH = "/health/ready"
TOGETHER_VARIABLE = "HIVE_TOGETHER"
MAX_EXECUTORS = 64
_OWN: Mapping[str, Mapping[str, str]] = {"learning": {"HIVE_LEARNING_SHARE": "0.25"}}
"""What guests are told beside the rest; learning leaves the processor to those who wait."""
_AGENT = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9_-]{0,62})(?::(?P<labels>[^:]*)(?::(?P<caps>[^:]*))?)?"
)


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent: its name, and its labels and capabilities as the executor's settings take them
    (`role=web,zone=a` and `nginx,tls`).
    """

    name: str
    labels: str = ""
    capabilities: str = ""

    @classmethod
    def parse(cls, text: str) -> "AgentSpec":
        """Read NAME[:LABELS[:CAPABILITIES]]. Raises `StackError`."""
        match = _AGENT.fullmatch(text)
        if match is None:
            raise StackError(
                f"{text!r} is not an agent: write NAME:LABELS:CAPABILITIES, "
                "for example web-1:role=web,zone=a:nginx."
            )
        return cls(match["name"], match["labels"] or "", match["caps"] or "")

    def __str__(self) -> str:
        return f"{self.name}:{self.labels}:{self.capabilities}"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One process of the stack: what to run, as which NATS user, and where it says that it is
    ready.

    A service without `health_port` counts as ready once it has run for a moment.
    """

    name: str
    argv: tuple[str, ...]
    nats_user: str = "executor"
    env: Mapping[str, str] = field(default_factory=dict)
    health_port: int | None = None
    port_variable: str | None = None
    guests: tuple["ServiceSpec", ...] = ()
    """Other services in the same process: a process for each would cost 60 MiB more each."""

    @property
    def health_url(self) -> str | None:
        """Where the service answers 200 when it is ready."""
        return (
            f"http://{ports.LOOPBACK}:{self.health_port}{READY_PATH}" if self.health_port else None
        )

    @property
    def health_urls(self) -> tuple[str, ...]:
        """Those of the service and of its guests."""
        urls = (one.health_url for one in (self, *self.guests))
        return tuple(url for url in urls if url is not None)

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports of the service and of its guests, by name."""
        known = ((one.name, one.health_port) for one in (self, *self.guests))
        return {name: port for name, port in known if port is not None}


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """How the services reach the servers; NATS by user name."""

    nats: Mapping[str, str]
    mongo: str


def services(executors: int = 1, agents: Sequence[AgentSpec] = ()) -> tuple[ServiceSpec, ...]:
    """Return the gateway, with the validator and the rollback service in its process, the
    suggestion service, with the learning service in its, and one executor per agent; without agents
    `executors` of them, named `agent-1` and so on. Raises `StackError` for a count, a name or a
    port that cannot be.
    """
    if not 0 <= executors <= MAX_EXECUTORS or len(agents) > MAX_EXECUTORS:
        count = len(agents) or executors
        raise StackError(f"Executors must be between 0 and {MAX_EXECUTORS}, not {count}.")
    named = tuple(agents) or tuple(AgentSpec(f"agent-{n}") for n in range(1, executors + 1))
    if len({agent.name for agent in named}) < len(named):
        raise StackError("Two agents have the same name; names must be unique.")
    taken = {gateway_port()}
    light = []
    for name in ("validator", "rollback", "suggestion", "learning"):
        port = ports.pick(avoid=taken)
        taken.add(port)
        light.append(_light(name, port))
    # Suggestions and learning compute: in the gateway's process every request would wait for them.
    specs = [_gateway(tuple(light[:2])), _hosting(light[2], light[3])]
    for number, agent in enumerate(named, 1):
        port = ports.pick(avoid=taken)
        taken.add(port)
        specs.append(_executor(number, port, agent))
    return tuple(specs)


def gateway_port() -> int:
    """Return the gateway's port: HIVE_GATEWAY_PORT, or 8902."""
    text = os.environ.get(GATEWAY_PORT_VARIABLE, str(GATEWAY_PORT))
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise StackError(
            f"{GATEWAY_PORT_VARIABLE} must be a port number from 1 to 65535, not {text!r}."
        )
    return int(text)


def check_ports(specs: Sequence[ServiceSpec]) -> None:
    """Raise `PortTakenError`, naming the port, its holder and the remedy, if a service's port is
    not free.
    """
    for spec in specs:
        port = spec.health_port
        if port is not None and not ports.is_free(port):
            remedy = f", or set {spec.port_variable} to a free port" if spec.port_variable else ""
            raise PortTakenError(
                f"Port {port}, which {spec.name} needs, is taken by {ports.holder(port)}. "
                f"Stop that program{remedy}."
            )


def environment(spec: ServiceSpec, urls: ServerUrls, home: str, durability: str) -> dict[str, str]:
    """Return the whole environment of a service: the caller's, and what every service of the stack
    is told.
    """
    path = os.pathsep.join(filter(None, [str(REPO_ROOT), os.environ.get("PYTHONPATH")]))
    told = {
        "HIVE_NATS_URL": urls.nats[spec.nats_user],
        "HIVE_MONGO_URL": urls.mongo,
        "HIVE_HOME": home,
        "HIVE_DURABILITY": durability,
        "HIVE_LOG_FORMAT": os.environ.get("HIVE_LOG_FORMAT", "console"),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        # For small matrices a second thread of numpy only waits, and takes a core from the others.
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
    }
    own = {one.name: {"HIVE_NATS_URL": urls.nats[one.nats_user], **one.env} for one in spec.guests}
    together = {TOGETHER_VARIABLE: json.dumps(own)} if own else {}
    return {**os.environ, **told, **spec.env, **together}


def _gateway(guests: tuple[ServiceSpec, ...]) -> ServiceSpec:
    port = gateway_port()
    return ServiceSpec(
        name="gateway",
        argv=(*_module("services.together"), "gateway", *(guest.name for guest in guests)),
        nats_user="gateway",
        env={GATEWAY_PORT_VARIABLE: str(port)},
        health_port=port,
        port_variable=GATEWAY_PORT_VARIABLE,
        guests=guests,
    )


def _hosting(host: ServiceSpec, guest: ServiceSpec) -> ServiceSpec:
    """A service with another one in its process."""
    argv = (*_module("services.together"), host.name, guest.name)
    return replace(host, argv=argv, guests=(guest,))


def _light(name: str, port: int) -> ServiceSpec:
    """A service that a machine needs one of."""
    return ServiceSpec(
        name=name,
        argv=_module(f"services.{name}"),
        nats_user=name,
        env={**_OWN.get(name, {}), "HIVE_METRICS_PORT": str(port)},
        health_port=port,
    )


def _executor(number: int, port: int, agent: AgentSpec) -> ServiceSpec:
    own = {"HIVE_AGENT_LABELS": agent.labels, "HIVE_AGENT_CAPABILITIES": agent.capabilities}
    told = {name: text for name, text in own.items() if text}
    return ServiceSpec(
        name=f"executor-{number}",
        argv=_module("services.executor"),
        nats_user="executor",
        env={**told, "HIVE_AGENT_NAME": agent.name, "HIVE_METRICS_PORT": str(port)},
        health_port=port,
    )


def _module(name: str) -> tuple[str, ...]:
    return (
        sys.executable,
        "-P",
        "-m",
        name,
    )  # -P: the folder that `hv` was called in is not on the path
