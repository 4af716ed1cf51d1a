"""What tests of the gateway send and get: a small template, and problems."""

from __future__ import annotations

from typing import Any

import httpx

NOOP = {"id": "greet", "command": "noop", "parameters": {"echo": "${{ params.who }}"}}


def definition(template_id: str = "hello", **changes: Any) -> dict[str, Any]:
    """A small valid template."""
    return {
        "id": template_id,
        "version": "1.0.0",
        "name": "Hello",
        "parameters": {"who": {"type": "string"}, "times": {"type": "integer", "default": 1}},
        "steps": [NOOP],
        **changes,
    }


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem details of an answer, complete and free of traces."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = answer.json()
    assert details["type"].startswith("urn:hive:problem:")
    assert details["status"] == status
    assert details["title"]
    assert details["detail"]
    assert "Traceback" not in answer.text
    return details
