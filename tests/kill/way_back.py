"""What the test of rollbacks under kills changes and undoes: files, a web service, processes.

A template of six steps on three agents, each of which changes something else; the step that the
parameter `fail_at` names does its work and then counts as failed.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

AGENTS: Final = ("alpha", "beta", "gamma")
STEPS: Final = ("write", "put", "start", "remove", "chmod", "append")
BINARY: Final = bytes(range(256)) * 3
DIED_MIDWAY: Final = "fail_at"
CHECKPOINT: Final = "halfway"
"""The point before the step `start`."""


class Service:
    """A real service: things with a value (PUT, GET, DELETE `/things/NAME`), and workers that are
    real processes (PUT and DELETE `/workers/NAME`)."""

    def __init__(self) -> None:
        self.things: dict[str, str] = {}
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self.url = ""

    def answer(self, method: str, kind: str, name: str, body: str) -> tuple[int, str]:
        """Carry a request out."""
        with self._lock:
            if kind == "things":
                return self._thing(method, name, body)
            if method == "PUT":
                self._stop(name)
                self.workers[name] = subprocess.Popen(["sleep", "600"])
            elif method == "DELETE":
                self._stop(name)
            return 200, "running" if name in self.workers else "stopped"

    def _thing(self, method: str, name: str, body: str) -> tuple[int, str]:
        if method == "PUT":
            self.things[name] = body
        elif method == "DELETE":
            self.things.pop(name, None)
            return 200, ""
        return (200, self.things[name]) if name in self.things else (404, "")

    def _stop(self, name: str) -> None:
        worker = self.workers.pop(name, None)
        if worker is not None:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()

    def close(self) -> None:
        """Stop every worker."""
        for name in list(self.workers):
            self._stop(name)


@contextmanager
def running_service() -> Iterator[Service]:
    """A service on a free port of loopback."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            _, kind, name = self.path.split("/")
            status, text = service.answer(self.command, kind, name, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
            service.close()


class Ground:
    """What one run works on: files with the agents, and its names at the service."""

    def __init__(self, home: Path, name: str, service: Service) -> None:
        self.name = name
        self._service = service
        self._folders = {agent: home / "agents" / agent / "ground" / name for agent in AGENTS}
        for folder in self._folders.values():
            folder.mkdir(parents=True)
        self._write("write", "alpha", b"before\n", 0o640)
        self._write("remove", "gamma", BINARY, 0o600)
        self._write("chmod", "beta", b"\xff\xfe", 0o604)
        self._write("append", "alpha", b"one\n", 0o644)
        service.things[name] = "before"

    def path(self, step: str) -> Path:
        """The file of a step."""
        agent = {"write": "alpha", "remove": "gamma", "chmod": "beta", "append": "alpha"}[step]
        return self._folders[agent] / step

    def _write(self, step: str, agent: str, content: bytes, mode: int) -> None:
        path = self._folders[agent] / step
        path.write_bytes(content)
        path.chmod(mode)

    def snapshot(self) -> dict[str, Any]:
        """Every part of it, to the byte, by the step that changes it."""
        files = {step: _print(self.path(step)) for step in ("write", "remove", "chmod", "append")}
        return {
            **files,
            "put": self._service.things.get(self.name),
            "start": self.name in self._service.workers,
        }

    def parameters(self, fail_at: str) -> dict[str, Any]:
        """The parameters of its run."""
        paths = {step: str(self.path(step)) for step in ("write", "remove", "chmod", "append")}
        return {"paths": paths, "url": self._service.url, "name": self.name, DIED_MIDWAY: fail_at}


def _print(path: Path) -> tuple[str, int] | None:
    if not path.exists():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode & 0o7777


def after(before: Mapping[str, Any], done: frozenset[str]) -> dict[str, Any]:
    """What a snapshot is when these steps were done and the others were not."""
    digest = hashlib.sha256
    changed = {
        "write": (digest(b"after\n").hexdigest(), 0o640),
        "put": "after",
        "start": True,
        "remove": None,
        "chmod": (before["chmod"][0], 0o400),
        "append": (digest(b"one\ntwo\n").hexdigest(), 0o644),
    }
    return {step: changed[step] if step in done else before[step] for step in STEPS}


def template(strategy: str) -> dict[str, Any]:
    """The template, which rolls back by itself with this strategy."""
    text = {"type": "string"}
    return {
        "id": f"way_back_{strategy}",
        "name": f"Six changes, {strategy}",
        "parameters": {"paths": {"type": "object"}, "url": text, "name": text, DIED_MIDWAY: text},
        "steps": _chained(
            _file("write", "alpha", operation="write", content="after\n"),
            _http("put", "beta", "things", "after", _put_back()),
            _http("start", "gamma", "workers", "", _stop_worker(), checkpoint=CHECKPOINT),
            _file("remove", "gamma", operation="delete"),
            _file("chmod", "beta", operation="permissions", mode="0400"),
            _append(),
        ),
        "policies": {"rollback": {"strategy": strategy, "on_failure": True}},
    }


def _chained(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    """One after another; the one that `fail_at` names does not meet its criteria."""
    return [
        {
            **step,
            "depends_on": [steps[number - 1]["id"]] if number else [],
            "success_criteria": [f"params.{DIED_MIDWAY} != '{step['id']}'"],
        }
        for number, step in enumerate(steps)
    ]


def _file(step: str, agent: str, **parameters: Any) -> dict[str, Any]:
    """A step whose command keeps by itself what was there."""
    path = f"${{{{ params.paths.{step} }}}}"
    return {
        "id": step,
        "command": "file",
        "target": {"host": agent},
        "parameters": {"path": path, **parameters},
    }


def _http(
    step: str, agent: str, kind: str, body: str, rollback: dict[str, Any], **rest: Any
) -> dict[str, Any]:
    return {
        "id": step,
        "command": "http",
        "target": {"host": agent},
        "parameters": {"method": "PUT", "url": _url(kind), "body": body},
        "capture": {"command": "http", "parameters": {"url": _url(kind)}},
        "rollback": rollback,
        **rest,
    }


def _url(kind: str) -> str:
    return f"${{{{ params.url }}}}/{kind}/${{{{ params.name }}}}"


def _put_back() -> dict[str, Any]:
    return {
        "command": "http",
        "parameters": {"method": "PUT", "url": _url("things"), "body": "${{ captured.body }}"},
        "idempotent": True,
        "verify": {
            "command": "http",
            "parameters": {"url": _url("things")},
            "condition": "output.body == captured.body",
        },
    }


def _stop_worker() -> dict[str, Any]:
    return {
        "command": "http",
        "parameters": {"method": "DELETE", "url": _url("workers")},
        "idempotent": True,
        "verify": {"condition": "output.body == 'stopped'"},
    }


def _append() -> dict[str, Any]:
    path = "${{ params.paths.append }}"
    return {
        "id": "append",
        "command": "shell",
        "target": {"host": "alpha"},
        "parameters": {"script": 'echo two >> "$FILE"', "env": {"FILE": path}},
        "capture": {
            "command": "file",
            "parameters": {"operation": "read", "path": path, "encoding": "base64"},
        },
        "rollback": {
            "command": "file",
            "parameters": {
                "operation": "write",
                "path": path,
                "encoding": "base64",
                "content": "${{ captured.content }}",
            },
            "idempotent": True,
            "verify": {"condition": "output.exists"},
        },
    }
