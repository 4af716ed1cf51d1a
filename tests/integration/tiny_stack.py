"""A real supervisor over two tiny services: `python tiny_stack.py HOME PORT` runs it, `… serve
PORT` is a service.
"""

import http.server
import os
import sys
from pathlib import Path

from ops.stack.errors import StackError
from ops.stack.layout import Layout
from ops.stack.spec import ServiceSpec
from ops.stack.supervisor import Supervisor


class Health(http.server.BaseHTTPRequestHandler):
    """Answers every request with the process id and the NATS URL that this service was given."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.getpid()} {os.environ['HIVE_NATS_URL']}".encode())


def specs(port: int) -> tuple[ServiceSpec, ...]:
    """Return one service with a health URL, and one without."""
    return (
        ServiceSpec(
            "door",
            (sys.executable, __file__, "serve", str(port)),
            nats_user="gateway",
            health_port=port,
            port_variable="HIVE_DOOR_PORT",
        ),
        ServiceSpec("sleeper", (sys.executable, "-c", "import time; time.sleep(600)")),
    )


def main() -> int:
    """Serve health, or supervise; what cannot start is said on standard error, exit code 1."""
    if sys.argv[1] == "serve":
        http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Health).serve_forever()
    try:
        Supervisor(Layout(Path(sys.argv[1])), "relaxed", specs(int(sys.argv[2]))).run()
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
