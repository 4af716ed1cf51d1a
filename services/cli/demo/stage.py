"""Where the demo plays: the stack, its agents, who takes delegated tasks; and how it is shown.

Nothing is staged: the stack is the real one, the commands really run, and every line that is
printed comes from an event or from what the gateway has stored.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from ops.stack import control, state
from ops.stack.errors import StackError
from ops.stack.layout import REPO_ROOT, Layout
from ops.stack.spec import AgentSpec
from services.cli import rendering
from services.cli.advice import hv
from services.cli.client import Gateway
from services.cli.faces import QuietFace, face_for
from services.cli.follow import follow
from services.cli.outcome import CliError, ExitCode
from shared.contracts.api.executions import ExecuteRequest, ExecutionView
from shared.templates.loader import load_file

AGENTS: Final = (
    AgentSpec("web-1", "role=web,zone=a", "nginx"),
    AgentSpec("db-1", "role=db,zone=b", "postgres"),
    AgentSpec("ops-1", "role=ops,zone=a", "backup"),
)
ROLES: Final = frozenset({"web", "db", "ops"})
RESPONDER: Final = "diagnostician"
CUSTOM: Final = REPO_ROOT / "shared" / "templates" / "demo" / "fleet_report.yaml"

AS_PROMISED: Final = "Two workflows completed, a rollout was undone, and its correction completed."

AGENTS_WITHIN_S: Final = 30.0
RESPONDER_WITHIN_S: Final = 30.0
STOP_WITHIN_S: Final = 10.0
POLL_S: Final = 0.2
OUTPUT_LIMIT: Final = 120


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays, and how it is shown."""

    layout: Layout
    console: Console
    as_json: bool

    def bring_up(self) -> state.StackRecord:
        """The stack that runs, or a new one with the demo's agents. Raises `CliError`."""
        try:
            if state.running(self.layout) is not None:
                record = control.wait_ready(self.layout, self._is_running)
                self.say("The stack already runs.")
                return record
            with self.console.status("starting NATS, MongoDB, the gateway and three agents …"):
                record = control.start_detached(self.layout, "safe", agents=AGENTS)
        except StackError as error:
            raise CliError(str(error), ExitCode.NOT_REACHABLE) from None
        self.say(f"The stack is up at {record.urls['gateway']}.")
        return record

    def wait_for_agents(self, gateway: Gateway) -> None:
        """Wait until an agent of every role is alive. Raises `CliError`."""
        deadline = time.monotonic() + AGENTS_WITHIN_S
        while True:
            agents = gateway.fleet().agents
            if {agent.labels.get("role") for agent in agents} >= ROLES:
                break
            if time.monotonic() > deadline:
                raise CliError(
                    "The stack that runs has not the demo's agents (roles web, db, ops). "
                    f"Stop it with `{hv('down')}`, and run `{hv('demo')}` again: its data stay.",
                    ExitCode.FAILED,
                )
            time.sleep(POLL_S)
        rows = (
            (
                Text(one.name, style="bold"),
                ", ".join(f"{key}={value}" for key, value in sorted(one.labels.items())),
                ", ".join(one.capabilities),
            )
            for one in agents
        )
        if not self.as_json:
            self.console.print(rendering.table(("AGENT", "LABELS", "CAPABILITIES"), rows))

    @contextmanager
    def responder(self, gateway: Gateway) -> Iterator[None]:
        """A participant in a process of its own (`hv responder`), for as long as this lasts."""
        log = self.layout.log("responder")
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "services.cli", "responder", "--name", RESPONDER],
                env=_environment(gateway),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_for_responder(gateway, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(
        self, gateway: Gateway, template_id: str, parameters: Mapping[str, Any]
    ) -> ExecutionView:
        """Run a workflow, show every step, and return it as stored."""
        request = ExecuteRequest(
            template_id=template_id, parameters=dict(parameters), labels={"run": "demo"}
        )
        accepted = gateway.execute(request)
        self.say(f"\n{hv('run')} {template_id}  ({accepted.execution_id})")
        face = QuietFace() if self.as_json else face_for(as_json=False)
        return follow(gateway, accepted.execution_id, face)

    def run_custom(self, gateway: Gateway, gateway_url: str) -> ExecutionView:
        """Store the demo's own workflow, as anybody would, and run it."""
        template = load_file(CUSTOM)
        stored = gateway.store_template(template)
        self.say(f"\n{hv('templates create')} {CUSTOM.relative_to(REPO_ROOT)}  ({stored.outcome})")
        return self.run(gateway, template.id, {"gateway_url": gateway_url})

    def sum_up(
        self, views: list[ExecutionView], record: state.StackRecord, *, completed: bool
    ) -> None:
        """Tell what came of it, from what is stored, and where to look next."""
        for view in views:
            head = Text.assemble("\n", rendering.sign(view.status), f" {view.template_id} ")
            head.append_text(rendering.status_text(view.status))
            head.append(f" in {rendering.duration(view.duration_ms)}")
            self.console.print(head)
            for name, value in view.outputs.items():
                text = _summary(value)
                self.console.print(Text(f"  {name}: {text}"), soft_wrap=True)
        self.say("\nLook next:")
        for name, value in {**urls(record), **_commands(views)}.items():
            self.console.print(Text(f"  {name:<12}{value}"), soft_wrap=True)
        end = AS_PROMISED if completed else "Not everything went as it should."
        self.say(f"\n{end}\nThe stack stays up in the background; stop it with: {hv('down')}")

    def _is_running(self) -> bool:
        return state.running(self.layout) is not None

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self.console.print(Text(sentence), soft_wrap=True)

    def _wait_for_responder(
        self, gateway: Gateway, process: subprocess.Popen[bytes], log: Path
    ) -> None:
        deadline = time.monotonic() + RESPONDER_WITHIN_S
        while process.poll() is None and time.monotonic() < deadline:
            ready = (
                one.name == RESPONDER and one.available for one in gateway.fleet().participants
            )
            if any(ready):
                self.say(f"{RESPONDER} takes delegated tasks (process {process.pid}).")
                return
            time.sleep(POLL_S)
        raise CliError(f"The responder did not register; see {log}.", ExitCode.FAILED)


def _environment(gateway: Gateway) -> dict[str, str]:
    connection = gateway.connection
    path = os.pathsep.join(filter(None, [str(REPO_ROOT), os.environ.get("PYTHONPATH")]))
    told_more = {"HIVE_URL": connection.url, "HIVE_API_KEY": connection.key, "PYTHONPATH": path}
    return {**os.environ, **told_more, "PYTHONUNBUFFERED": "1"}


def urls(record: state.StackRecord) -> dict[str, str]:
    """Where to look next."""
    url = record.urls["gateway"]
    return {"gateway": url, "API": f"{url}/docs", "metrics": f"{url}/metrics"}


def _commands(views: list[ExecutionView]) -> dict[str, str]:
    first, last = views[0].id, views[-1].id
    return {
        "details": hv(f"show {first}"),
        "output": hv(f"logs {last}"),
        "agents": hv("agents"),
        "tasks": hv("delegations"),
        "memory": hv('recall "database slow"'),
    }


def _summary(value: Any) -> str:
    """An output on one line; of a map its summary, if it has one."""
    if isinstance(value, Mapping) and "summary" in value:
        value = value["summary"]
    if not isinstance(value, str):
        import json

        value = json.dumps(value, ensure_ascii=False)
    return rendering.shorten(value, OUTPUT_LIMIT)
