"""What AI coding agents tell their hooks after a tool was used, as a command.

Agents differ in names; what is looked for is the same everywhere: a tool that runs shell commands,
the command, the folder, the conversation, the exit code. A call of another tool is no command.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final

from services.cli.recording.spool import Item

_TOOL: Final = ("tool_name", "toolName", "tool", "name")
_SHELLS: Final = frozenset(
    {"bash", "shell", "sh", "zsh", "terminal", "local_shell", "exec", "exec_command", "execute",
     "execute_command", "run_command", "run_shell_command", "run_terminal_cmd", "run_in_terminal",
     "run_terminal_command", "powershell", "command"}
)  # fmt: skip
_INPUT: Final = ("tool_input", "toolInput", "toolArgs", "tool_args", "arguments", "args", "input",
                 "parameters")  # fmt: skip
_RESULT: Final = ("tool_response", "toolResponse", "toolResult", "tool_result", "tool_output",
                  "response", "result", "output")  # fmt: skip
_COMMAND: Final = ("command", "cmd", "script")
_CWD: Final = ("cwd", "workdir", "working_directory", "workingDirectory", "directory")
_SESSION: Final = ("session_id", "sessionId", "conversation_id", "conversationId", "thread_id",
                   "threadId")  # fmt: skip
_CALL: Final = ("tool_use_id", "toolUseId", "tool_call_id", "toolCallId", "call_id")
_EXIT: Final = ("exit_code", "exitCode", "exit", "returncode", "return_code", "returnCode", "code")
_DURATION: Final = ("duration_ms", "durationMs", "duration")
_DEPTH: Final = 3


def command_of(text: str) -> Item | None:
    """The command of a call of a tool, told as JSON; `None` where it is none."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    given = _mapping(_first(told, _INPUT))
    tool = _first(told, _TOOL)
    command = _line(_first(given, _COMMAND) or _first(told, _COMMAND))
    if not command or (isinstance(tool, str) and tool.lower() not in _SHELLS):
        return None
    result = _mapping(_first(told, _RESULT))
    item: Item = {
        "command": command,
        "source": "agent",
        "session": _text(_first(told, _SESSION))[:200],
        "cwd": _text(_first(given, _CWD) or _first(told, _CWD) or _root(told))[:1_000],
    }
    call = _text(_first(told, _CALL))
    if call:
        item["id"] = call[:200]
    ended = _number(result, _EXIT, _DEPTH)
    item |= {"exit": ended} if ended is not None else _number_of(told, "exit", _EXIT)
    took = _number_of(told, "duration_ms", _DURATION) or _number_of(
        result, "duration_ms", _DURATION
    )
    return item | took


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((told[name] for name in names if told.get(name) not in (None, "")), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, also where it is written as JSON in a text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _line(value: Any) -> str:
    """A command as a line; agents also give its words, often of `bash -lc LINE`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        return ""
    if len(value) == 3 and value[0].rpartition("/")[2] in {"bash", "sh", "zsh"} and "c" in value[1]:
        return str(value[2])
    return shlex.join(value)


def _root(told: Mapping[str, Any]) -> Any:
    roots = told.get("workspace_roots")
    return roots[0] if isinstance(roots, list) and roots else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(told: Mapping[str, Any], names: tuple[str, ...], depth: int) -> int | None:
    for name in names:
        value = told.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    below = [value for value in told.values() if isinstance(value, dict)] if depth else []
    found = (_number(value, names, depth - 1) for value in below)
    return next((one for one in found if one is not None), None)


def _number_of(told: Mapping[str, Any], field: str, names: tuple[str, ...]) -> Item:
    values = (told.get(name) for name in names)
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    whole = [int(one) for one in numbers if abs(one) < 2**31]
    return {field: whole[0]} if whole and (field != "duration_ms" or whole[0] >= 0) else {}
