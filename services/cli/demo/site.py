"""A small web site, as the demo's agents have one each: `python -m services.cli.demo.site`.

It is real and simple: it reads its configuration from a file at every request, as many programs do
when they are told to reload, and is healthy if its host is large enough for what is asked of it.
"""

from __future__ import annotations

import argparse
import configparser
import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECTION = "site"


def health(config: Path, room: int) -> tuple[int, dict[str, Any]]:
    """The status and the answer of `/health`: 200 if the site can run with its configuration."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(config.read_text(encoding="utf-8"))
        version, workers = parser[SECTION]["version"], int(parser[SECTION]["workers"])
    except (OSError, ValueError, KeyError, configparser.Error) as error:
        return 503, {"healthy": False, "reason": f"the configuration is of no use: {error}"}
    if workers > room:
        reason = f"{workers} workers do not fit into this host, which has room for {room}"
        return 503, {"healthy": False, "reason": reason, "version": version}
    return 200, {"healthy": True, "version": version, "workers": workers}


def serve(config: Path, room: int) -> None:
    """Answer on a free port of loopback, which is printed first, until SIGTERM."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, answer = health(config, room)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Requests of health checks are not worth a line."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--room", type=int, required=True, help="How many workers fit.")
    asked = parser.parse_args()
    serve(asked.config, asked.room)
