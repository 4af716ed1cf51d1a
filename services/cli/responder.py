"""`hv responder`: an AI agent that takes delegated tasks and answers with a diagnosis.

A participant like any other: it registers through the gateway, looks for what is offered to it,
accepts, measures, and completes with what it found. What it says is what the gateway's API told it
at that moment: the health of the agents, their disks and loads, and executions that failed lately.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, Any

import typer

from services.cli.client import Gateway
from services.cli.faces import now_ms
from services.cli.options import AsJson, KeyFile, Url, open_gateway
from services.cli.outcome import CliError, print_json_line, told
from shared.contracts.agents import AgentRecord
from shared.contracts.api.collective import NewParticipant
from shared.contracts.delegations import Delegation

POLL_S = 0.5
REGISTER_AGAIN_S = 30.0
"""How often it says that it is still there."""

AWAY_LIMIT_S = 60.0
"""How long the gateway may be away before the responder gives up."""

STALE_MS = 15_000
MAX_DISK_PERCENT = 90.0
MAX_MEMORY_PERCENT = 90.0
MAX_SYSTEM_LOAD = 4.0
RECENT_FAILURES = 10

Say = Callable[[str, dict[str, Any]], None]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(responder)


@told
def responder(
    name: Annotated[str, typer.Option(help="Its name among the participants.")] = "responder",
    capability: Annotated[
        list[str] | None, typer.Option(help="What it can do; repeatable.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Take delegated tasks and answer them with a diagnosis of the fleet, until it is stopped."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)

    def say(what: str, facts: dict[str, Any]) -> None:
        if as_json:
            print_json_line({"what": what, **facts})
        else:
            typer.echo(" ".join([what, *(f"{key}={value}" for key, value in facts.items())]))

    with open_gateway(url, key_file) as gateway:
        me = NewParticipant(
            name=name,
            kind="ai",
            capabilities=tuple(capability or ("diagnosis",)),
            description="Diagnoses the fleet: agents, disks, loads, failed executions.",
        )
        Responder(gateway, me, say).serve(stop)


class Responder:
    """Takes what is offered to one participant."""

    def __init__(self, gateway: Gateway, me: NewParticipant, say: Say) -> None:
        """`say` hears what it does."""
        self._gateway = gateway
        self._me = me
        self._say = say
        self._registered_at = 0.0

    def serve(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then be away. Raises `CliError` when the gateway stays away or
        refuses.
        """
        heard = time.monotonic()
        while not stop.is_set():
            try:
                self._register_if_due()
                self._work()
                heard = time.monotonic()
            except CliError as error:
                refused = error.status is not None and error.status < 500
                if refused or time.monotonic() - heard > AWAY_LIMIT_S:
                    raise
                self._say("waiting", {"for": str(error)})
            stop.wait(POLL_S)
        self._gateway.register(self._me.model_copy(update={"available": False}))
        self._say("away", {"name": self._me.name})

    def _register_if_due(self) -> None:
        if self._registered_at and time.monotonic() - self._registered_at < REGISTER_AGAIN_S:
            return
        self._gateway.register(self._me)
        if not self._registered_at:
            self._say("ready", {"name": self._me.name})
        self._registered_at = time.monotonic()

    def _work(self) -> None:
        mine = self._gateway.delegations(50, assignee=self._me.name, status=("offered", "accepted"))
        for delegation in reversed(mine):  # the oldest first
            self._do(delegation)

    def _do(self, delegation: Delegation) -> None:
        """Accept and complete one. One that was taken away meanwhile is left alone."""
        name = self._me.name
        facts = {"delegation": delegation.id}
        try:
            self._gateway.answer_delegation(delegation.id, "accept", participant=name)
            self._say("accepted", facts)
            diagnosis = diagnose(self._gateway)
            body = {"result": diagnosis.as_result()}
            self._gateway.answer_delegation(delegation.id, "complete", body, name)
        except CliError as error:
            if error.status != 409:
                raise
            self._say("taken away", {**facts, "because": str(error)})
            return
        self._say("completed", {**facts, "summary": diagnosis.summary})


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found: one sentence, what is wrong, and the figures it rests on."""

    summary: str
    findings: tuple[str, ...]
    agents: tuple[dict[str, Any], ...]
    failed_executions: tuple[str, ...]
    measured_at_ms: int

    def as_result(self) -> dict[str, Any]:
        """The result of a delegated task."""
        return {
            "summary": self.summary,
            "findings": list(self.findings),
            "agents": list(self.agents),
            "failed_executions": list(self.failed_executions),
            "measured_at_ms": self.measured_at_ms,
        }


def diagnose(gateway: Gateway) -> Diagnosis:
    """Look at the fleet through the gateway's API."""
    at_ms = now_ms()
    agents = gateway.fleet().agents
    failed = tuple(one.id for one in gateway.executions(RECENT_FAILURES, status=("failed",)))
    return judged(agents, failed, at_ms)


def judged(agents: Sequence[AgentRecord], failed: tuple[str, ...], at_ms: int) -> Diagnosis:
    """The diagnosis that these figures lead to."""
    findings = [finding for agent in agents for finding in _findings(agent, at_ms)]
    if not agents:
        findings.append("no agent is alive")
    figures = tuple(
        {
            "agent": agent.name,
            "load": round(agent.load, 3),
            "system_load": round(agent.system_load, 2),
            "memory_percent": round(agent.memory_percent, 1),
            "disk_percent": round(agent.disk_percent, 1),
            "running": agent.running,
            "seen_ms_ago": max(0, at_ms - agent.seen_at_ms),
        }
        for agent in agents
    )
    return Diagnosis(_summary(agents, findings), tuple(findings), figures, failed, at_ms)


def _findings(agent: AgentRecord, at_ms: int) -> list[str]:
    found = []
    if at_ms - agent.seen_at_ms > STALE_MS:
        found.append(f"{agent.name} was not heard of for {(at_ms - agent.seen_at_ms) // 1000} s")
    if agent.disk_percent > MAX_DISK_PERCENT:
        found.append(f"the disk of {agent.name} is {agent.disk_percent:.0f} % full")
    if agent.memory_percent > MAX_MEMORY_PERCENT:
        found.append(f"the memory of {agent.name}'s host is {agent.memory_percent:.0f} % used")
    if agent.system_load > MAX_SYSTEM_LOAD:
        found.append(f"the load of {agent.name}'s host is {agent.system_load:.1f} per core")
    if agent.draining:
        found.append(f"{agent.name} is shutting down")
    return found


def _summary(agents: Sequence[AgentRecord], findings: Sequence[str]) -> str:
    if not agents:
        return "No agent is alive."
    disk = max(agent.disk_percent for agent in agents)
    load = max(agent.system_load for agent in agents)
    figures = f"fullest disk {disk:.0f} %, highest load {load:.1f} per core"
    if not findings:
        return f"All {len(agents)} agents are well: {figures}."
    return f"{len(agents)} agents are alive, {figures}; found: {'; '.join(findings)}."
