"""What each agent sends to its hooks, by the fields that its documentation names, is a command."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from services.cli.recording.agent_hook import command_of

SHARED: Final[dict[str, Any]] = {
    "session_id": "s1",
    "transcript_path": "/t.jsonl",
    "cwd": "/srv/shop",
}
BASH: Final[dict[str, Any]] = {
    "tool_name": "Bash",
    "tool_input": {"command": "make test"},
    "tool_use_id": "u1",
}
ITEM: Final[dict[str, Any]] = {
    "command": "make test",
    "source": "agent",
    "session": "s1",
    "cwd": "/srv/shop",
}


@pytest.mark.parametrize(
    ("told", "more"),
    [
        pytest.param(
            SHARED
            | BASH
            | {
                "hook_event_name": "PostToolUse",
                "permission_mode": "default",
                "tool_response": {"stdout": "ok", "stderr": "", "interrupted": False},
                "duration_ms": 812,
            },
            {"id": "u1", "duration_ms": 812},
            id="Claude Code",
        ),
        pytest.param(
            SHARED
            | BASH
            | {
                "hook_event_name": "PostToolUseFailure",
                "error": "Command exited with non-zero status code 2",
                "is_interrupt": False,
            },
            {"id": "u1"},
            id="Claude Code, failed",
        ),
        pytest.param(
            SHARED
            | BASH
            | {
                "hook_event_name": "PostToolUse",
                "model": "m",
                "permission_mode": "default",
                "turn_id": "t1",
                "transcript_path": None,
                "tool_response": "ok",
            },
            {"id": "u1"},
            id="Codex",
        ),
        pytest.param(
            {
                "hook_event_name": "afterShellExecution",
                "conversation_id": "s1",
                "generation_id": "g1",
                "workspace_roots": ["/srv/shop"],
                "command": "make test",
                "output": "ok",
                "duration": 812,
            },
            {"duration_ms": 812},
            id="Cursor",
        ),
        pytest.param(
            SHARED
            | {
                "hook_event_name": "AfterTool",
                "timestamp": "2026-01-02T03:04:05Z",
                "tool_name": "run_shell_command",
                "tool_input": {"command": "make test"},
                "tool_response": {"llmContent": "Output: ok", "returnDisplay": "ok"},
            },
            {},
            id="Gemini CLI",
        ),
        pytest.param(
            {
                "sessionId": "s1",
                "timestamp": 1790000000000,
                "cwd": "/srv/shop",
                "toolName": "bash",
                "toolArgs": {"command": "make test"},
                "toolResult": {"resultType": "success", "textResultForLlm": "ok"},
            },
            {},
            id="Copilot CLI",
        ),
    ],
)
def test_each_agents_form(told: dict[str, Any], more: dict[str, Any]) -> None:
    """The line, the folder and the conversation, and what else the agent tells."""
    assert command_of(json.dumps(told)) == ITEM | more
