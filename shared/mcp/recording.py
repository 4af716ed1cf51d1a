"""The tools about what an AI agent ran: it tells it, to learn from, and has it forgotten."""

from __future__ import annotations

from typing import Any, Final

from shared.contracts.api.commands import CommandsRecorded, NewCommand, NewCommands
from shared.learning.recorded_line import recorded_line
from shared.mcp import forgetting
from shared.mcp.api import GatewayApi
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report

COMMANDS: Final = "/api/v1/commands"


async def record(api: GatewayApi, given: NewCommands, _report: Report) -> CommandsRecorded:
    """Record commands as an agent's, without secrets, which stay where this tool runs."""
    body = given.model_dump(mode="json", exclude_none=True, exclude={"commands"})
    body["commands"] = [_without_secrets(one) for one in given.commands]
    return await api.post(COMMANDS, CommandsRecorded, body)


def _without_secrets(command: NewCommand) -> dict[str, Any]:
    line = recorded_line(command.command)
    source = "agent" if command.source == "api" else command.source
    more = {"command": line.command, "more_lines": line.more_lines, "source": source}
    return command.model_dump(mode="json", exclude_none=True) | more


TABLE: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "command_record",
        "Record commands",
        "Tells which shell commands you ran elsewhere, in order, with their exit codes, so that "
        "the next one can be suggested. Secrets are taken out. Steps of workflows are recorded "
        "anyway.",
        NewCommands,
        CommandsRecorded,
        record,
    ),
    *forgetting.TABLE,
)
