"""Every command of `hv`: the module that holds it, and its line in `hv --help`.

The one table. A module adds its commands through `register(app: typer.Typer) -> None` and is
imported only when one of them is called; so `hv status` does not pay for what `hv bench` needs, and
help and completion pay for none.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

RUN: Final = "Workflows"
HIVE: Final = "The hive"
STACK: Final = "The local stack"
DEVELOP: Final = "For developers of this repository"


@dataclass(frozen=True, slots=True)
class CommandModule:
    """A module under `services.cli`, the panel of the help in which it stands, and its commands."""

    path: str
    panel: str
    commands: Mapping[str, str]


MODULES: Final[tuple[CommandModule, ...]] = (
    CommandModule(
        "services.cli.demo.commands",
        STACK,
        {"demo": "Bring the stack up with three agents, run real workflows."},
    ),
    CommandModule(
        "services.cli.stack",
        STACK,
        {
            "up": "Start NATS, MongoDB and the services; wait until healthy.",
            "down": "Stop every process of the stack. Data stay.",
            "status": "Say whether the stack runs and how each process is.",
        },
    ),
    CommandModule(
        "services.cli.logs",
        STACK,
        {"logs": "Print what a service or the steps of an execution wrote."},
    ),
    CommandModule(
        "services.cli.templates",
        RUN,
        {"templates": "List, show, create and export workflow templates."},
    ),
    CommandModule(
        "services.cli.validating",
        RUN,
        {"validate": "Look at a workflow before it runs; 1 if something is wrong."},
    ),
    CommandModule(
        "services.cli.workflows",
        RUN,
        {
            "run": "Run a workflow. With --watch: exit code 0 if it completed.",
            "watch": "Follow an execution to its end; 0 only if it completed.",
        },
    ),
    CommandModule(
        "services.cli.executions",
        RUN,
        {
            "executions": "List executions, newest first.",
            "show": "Show an execution: steps, attempts, agents, durations, outputs.",
            "cancel": "Stop an execution; what runs is stopped, with proof.",
            "pause": "Start nothing new of an execution; what runs may finish.",
            "resume": "Let a paused execution go on.",
            "resolve": "Say what became of a step whose worker died midway.",
        },
    ),
    CommandModule(
        "services.cli.operating",
        RUN,
        {
            "breakpoints": "Pause an execution before steps.",
            "mark": "Say that a step is done, or failed, with a reason.",
            "run-now": "End the wait of a step: a retry delay, an offer, a wait.",
            "rerun": "Run an ended execution again, from a step or what failed.",
        },
    ),
    CommandModule(
        "services.cli.captures",
        RUN,
        {"captures": "Compare what was kept before a step, or put it back."},
    ),
    CommandModule(
        "services.cli.rollbacks",
        RUN,
        {
            "rollback": "Undo what an execution did, or preview that.",
            "rollbacks": "Rollbacks, what remains, runbooks; tick off, cancel.",
        },
    ),
    CommandModule(
        "services.cli.suggesting",
        RUN,
        {
            "suggest": "Say which workflow or command is wanted now, and why.",
            "next": "Say which command comes next.",
            "complete": "Say how a started sequence of commands goes on.",
        },
    ),
    CommandModule(
        "services.cli.analytics",
        RUN,
        {"analytics": "Say how workflows do: runs, success, times, steps, agents."},
    ),
    CommandModule(
        "services.cli.bulk",
        RUN,
        {"bulk": "Do the same to every execution that fits a filter."},
    ),
    CommandModule(
        "services.cli.steering",
        RUN,
        {
            "signal": "Tell an execution that something happened which it waits for.",
            "add-instances": "Give a loop that runs more items.",
            "cancel-region": "Cancel the open steps of a region; the execution goes on.",
        },
    ),
    CommandModule(
        "services.cli.targets",
        RUN,
        {"targets": "Say whom a fleet would run on, or what became of each target."},
    ),
    CommandModule(
        "services.cli.explaining",
        RUN,
        {
            "why": "Say why an execution waits, fails or is stuck.",
            "replay": "Show an execution as it was after any of its events.",
            "provenance": "Say who suggested, started, approved, changed an execution.",
        },
    ),
    CommandModule(
        "services.cli.outcomes",
        RUN,
        {
            "predict": "Say how likely a run is to succeed, and how long it takes.",
            "failures": "Failures as they are known, and what resolved them.",
            "tuning": "Changes that runs suggest: list, apply, dismiss.",
            "insights": "List what was learned lately.",
        },
    ),
    CommandModule(
        "services.cli.proposals",
        RUN,
        {"proposals": "Workflows found in what was run: list, show, accept, reject."},
    ),
    CommandModule(
        "services.cli.concurrency",
        RUN,
        {"concurrency": "Who has a slot of a concurrency key, who waits; release one."},
    ),
    CommandModule(
        "services.cli.archive",
        RUN,
        {"archive": "Executions that ended a while ago: find, export whole."},
    ),
    CommandModule(
        "services.cli.quarantine",
        RUN,
        {"quarantine": "Messages that could not be applied: show, retry, discard."},
    ),
    CommandModule(
        "services.cli.learning",
        HIVE,
        {"learning": "What is learned and how far; rebuild models, catch up."},
    ),
    CommandModule(
        "services.cli.approvals",
        RUN,
        {
            "approvals": "List what waits for approval, with exactly what would run.",
            "approve": "Approve what a gate asks about: it is shown first.",
            "reject": "Reject what a gate asks about.",
        },
    ),
    CommandModule(
        "services.cli.schedules",
        RUN,
        {"schedules": "Run workflows at times: by cron, at an interval, or once."},
    ),
    CommandModule(
        "services.cli.triggers",
        RUN,
        {"triggers": "Start workflows by alerts, webhooks and other events."},
    ),
    CommandModule(
        "services.cli.keys", HIVE, {"keys": "List, make and revoke API keys, and their groups."}
    ),
    CommandModule(
        "services.cli.hive",
        HIVE,
        {
            "agents": "List the live agents, and who takes delegated tasks.",
            "delegations": "List delegated tasks, and answer them.",
            "remember": "Keep something in the collective memory.",
            "recall": "Search the collective memory, best first.",
        },
    ),
    CommandModule(
        "services.cli.record",
        HIVE,
        {
            "record": "Record a command that was run, for learning.",
            "recording": "Say whether your commands are recorded; opt out, or in.",
            "forget": "Forget a command, or all that you ever ran.",
        },
    ),
    CommandModule(
        "services.cli.shell_init",
        HIVE,
        {"shell-init": "Print what records each command of bash, zsh or fish."},
    ),
    CommandModule(
        "services.cli.import_history",
        HIVE,
        {"import-history": "Record what the history of a shell remembers."},
    ),
    CommandModule(
        "services.cli.participants",
        HIVE,
        {"participants": "List, add and remove who takes delegated tasks."},
    ),
    CommandModule(
        "services.cli.responder",
        HIVE,
        {"responder": "Take delegated tasks and answer with a diagnosis of the fleet."},
    ),
    CommandModule(
        "services.cli.webhooks",
        HIVE,
        {"webhooks": "Tell other systems what happens: signed, tried again, logged."},
    ),
    CommandModule(
        "services.cli.secrets",
        HIVE,
        {"secrets": "Set, list and remove secrets of the agents on this host."},
    ),
    CommandModule(
        "services.cli.mcp", HIVE, {"mcp": "Serve the Model Context Protocol to an AI agent."}
    ),
    CommandModule(
        "services.cli.develop",
        DEVELOP,
        {
            "test": "Run the tests; arguments go to pytest.",
            "check": "Run every check, even after one failed.",
            "lock": "Compile requirements*.in to their locks.",
            "proto": "Write what is generated from the code.",
        },
    ),
    CommandModule(
        "services.cli.simulation",
        DEVELOP,
        {"sim": "Run the production engine in simulated worlds, by seeds."},
    ),
    CommandModule(
        "services.cli.evaluation",
        DEVELOP,
        {"eval": "Measure how good the models are, on data of yours."},
    ),
    CommandModule(
        "services.cli.bench.commands",
        DEVELOP,
        {"bench": "Measure on this machine, on a stack of its own."},
    ),
)


def load(module: CommandModule) -> Mapping[str, Any]:
    """Import a module and return its commands by name."""
    app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
    importlib.import_module(module.path).register(app)
    return get_group(app).commands


class LazyGroup(TyperGroup):
    """Lists every command from the table; a command's module is imported when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for module in MODULES:
            for name, line in module.commands.items():
                self.add_command(TyperCommand(name, help=line, rich_help_panel=module.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real commands of one module in the place of their lines, then go on as usual."""
        for module in MODULES:
            if args[0] in module.commands:
                self.commands.update(load(module))
        return super().resolve_command(ctx, args)
