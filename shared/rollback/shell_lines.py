"""Commands as lines to paste into a shell of the host: what a person does in place of an agent.

What has no line of its own is told as the command and its parameters.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from shared.workflow.placeholders import placeholders

Parameters = Mapping[str, Any]
_SEALED: Final = re.compile(r"sealed:[A-Za-z0-9_=:-]")


def lines_of(command: str, parameters: Parameters) -> str | None:
    """Shell lines that do what the command does, or `None` where there are none."""
    made = _LINES.get(command)
    return made(parameters) if made is not None else None


def described(command: str, parameters: Parameters) -> str:
    """The command and its parameters as JSON."""
    return json.dumps({"command": command, **parameters}, indent=2, ensure_ascii=False)


def needs_secrets(parameters: Parameters) -> bool:
    """True when something is to be filled in that only agents know."""
    text = json.dumps(parameters, ensure_ascii=False)
    return any(placeholders(text)) or _SEALED.search(text) is not None


def _shell(parameters: Parameters) -> str:
    before = [f"cd {shlex.quote(parameters['cwd'])} &&"] if parameters.get("cwd") else []
    env = [f"{name}={shlex.quote(str(v))}" for name, v in (parameters.get("env") or {}).items()]
    env = ["env", *env] if env else []
    if parameters.get("argv"):
        program = [shlex.join(str(one) for one in parameters["argv"])]
        text = ""
    else:
        interpreter = parameters.get("interpreter") or ["/bin/sh", "-e"]
        text = str(parameters.get("script") or "")
        program = [shlex.join([*interpreter, "/dev/stdin"])]
    line = " ".join([*before, *env, *program])
    given = text or str(parameters.get("stdin") or "")
    return f"{line} <<'{_end(given)}'\n{given.rstrip()}\n{_end(given)}" if given else line


def _http(parameters: Parameters) -> str:
    url = str(parameters.get("url", ""))
    query = parameters.get("query") or {}
    if query:
        url += ("&" if "?" in url else "?") + urlencode(query, doseq=True)
    parts = ["curl", "--fail-with-body", "-sS", "-X", str(parameters.get("method") or "GET")]
    for name, value in (parameters.get("headers") or {}).items():
        parts += ["-H", f"{name}: {value}"]
    if parameters.get("json") is not None:
        parts += ["-H", "Content-Type: application/json"]
        parts += ["--data-binary", json.dumps(parameters["json"], ensure_ascii=False)]
    elif parameters.get("body") is not None:
        parts += ["--data-binary", str(parameters["body"])]
    return shlex.join([*parts, url])


def _file(parameters: Parameters) -> str | None:
    path = shlex.quote(str(parameters.get("path", "")))
    mode = parameters.get("mode")
    after = f"\nchmod {mode} {path}" if mode else ""
    match parameters.get("operation"):
        case "write":
            return _write(path, parameters) + after
        case "copy":
            return f"cp -- {shlex.quote(str(parameters.get('source', '')))} {path}" + after
        case "delete":
            return f"rm -f -- {path}"
        case "permissions":
            return f"chmod {mode} {path}"
        case "stat":
            return f"stat -- {path}"
        case "checksum":
            return f"sha256sum -- {path}"
        case "read":
            return f"cat -- {path}"
    return None


def _write(path: str, parameters: Parameters) -> str:
    content = str(parameters.get("content") or "")
    if parameters.get("encoding") != "base64":
        content = base64.b64encode(content.encode()).decode()
    return f"printf %s {shlex.quote(content)} | base64 -d > {path}"


def _restore(parameters: Parameters) -> str:
    """From anywhere: what was kept is with the hive, and only its agent can read it."""
    operation = "compare" if parameters.get("operation") == "compare" else "put-back"
    words = ["hv", "captures", operation, parameters["execution_id"], parameters["step"]]
    agent = parameters.get("agent")
    return shlex.join([*map(str, words), *(["--agent", str(agent)] if agent else [])])


def _end(text: str) -> str:
    """A word to end a here-document, which is no line of the text."""
    word = "END"
    while word in text.splitlines():
        word += "_"
    return word


_LINES: Final[Mapping[str, Callable[[Parameters], str | None]]] = {
    "shell": _shell,
    "http": _http,
    "file": _file,
    "restore": _restore,
}
