"""What hooks of AI agents are told, as commands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.recording.agent_hook import command_of

POST_TOOL = {
    "session_id": "abc123",
    "transcript_path": "/x.jsonl",
    "cwd": "/srv/shop",
    "hook_event_name": "PostToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "make test", "description": "Run the tests"},
    "tool_response": {"stdout": "ok", "stderr": "", "interrupted": False},
    "tool_use_id": "toolu_01",
}


@pytest.mark.parametrize(
    ("told", "item"),
    [
        (
            POST_TOOL,
            {"command": "make test", "cwd": "/srv/shop", "session": "abc123", "id": "toolu_01"},
        ),
        (
            {**POST_TOOL, "tool_response": {"meta": {"exit_code": 2}}},
            {
                "command": "make test",
                "cwd": "/srv/shop",
                "session": "abc123",
                "id": "toolu_01",
                "exit": 2,
            },
        ),
        (
            {
                "hook_event_name": "afterShellExecution",
                "conversation_id": "c1",
                "workspace_roots": ["/srv/a", "/srv/b"],
                "command": "npm ci",
                "output": "added 3 packages",
                "duration": 1834.6,
            },
            {"command": "npm ci", "cwd": "/srv/a", "session": "c1", "duration_ms": 1834},
        ),
        (
            {
                "hook_event_name": "AfterTool",
                "session_id": "g1",
                "cwd": "/srv",
                "tool_name": "run_shell_command",
                "tool_input": {"command": "ls", "directory": "sub"},
                "tool_response": {"returncode": 0},
            },
            {"command": "ls", "cwd": "sub", "session": "g1", "exit": 0},
        ),
        (
            {
                "sessionId": "p1",
                "cwd": "/srv",
                "toolName": "bash",
                "toolArgs": '{"command": "git status"}',
                "toolResult": {"exitCode": 128},
            },
            {"command": "git status", "cwd": "/srv", "session": "p1", "exit": 128},
        ),
        (
            {
                "tool": "shell",
                "arguments": {"command": ["bash", "-lc", "rg 'a b'"], "workdir": "/w"},
            },
            {"command": "rg 'a b'", "cwd": "/w", "session": ""},
        ),
        (
            {"tool": "exec", "input": {"cmd": ["grep", "a b", "x"]}},
            {"command": "grep 'a b' x", "cwd": "", "session": ""},
        ),
    ],
)
def test_the_common_forms(told: dict[str, Any], item: dict[str, Any]) -> None:
    """Each agent's way of telling gives the same command."""
    assert command_of(json.dumps(told)) == {**item, "source": "agent"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        '{"tool_name": "Edit", "tool_input": {"file_path": "/x", "command": "x"}}',
        '{"tool_name": "Bash", "tool_input": {"command": ""}}',
        '{"tool_name": "Bash", "tool_input": {"command": {"a": 1}}}',
        '{"tool_name": "Bash", "tool_input": "{broken"}',
    ],
)
def test_what_is_no_command(text: str) -> None:
    """Calls of other tools, and texts that tell nothing, are no command and no error."""
    assert command_of(text) is None


_names = st.sampled_from(
    ["tool_name", "tool_input", "command", "cwd", "session_id", "exit_code", "duration", "output",
     "tool_response", "workspace_roots", "tool_use_id", "x"]
)  # fmt: skip
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_names, _json, max_size=8))
def test_nothing_is_an_error(told: dict[str, Any]) -> None:
    """Whatever an agent tells, it is a command that the gateway takes, or none."""
    from shared.contracts.api.commands import NewCommand

    item = command_of(json.dumps(told))
    if item is not None and item["command"].strip():
        NewCommand.model_validate(item)
