"""A real Prometheus server for the tests: starts with a configuration, answers queries, ends."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ops.stack import ports
from tests.promtool import find

START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; fail with the server's words if refused."""
        answer = httpx.post(
            f"{self.url}/api/v1/query", data={"query": expr}, timeout=30, trust_env=False
        ).json()
        assert answer["status"] == "success", f"{expr}\n{answer.get('error')}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def wait_for(self, expr: str, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Return the result of a query as soon as it is not empty."""
        deadline = time.monotonic() + timeout_s
        while not (result := self.query(expr)):
            assert time.monotonic() < deadline, f"nothing came of {expr}"
            time.sleep(0.1)
        return result


@contextmanager
def run_prometheus(config: Path, data: Path) -> Iterator[Prometheus]:
    """Run a server over `config` with its data under `data` for the length of a `with` block."""
    port = ports.pick()
    log = data.with_suffix(".log")
    argv = [
        find("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={ports.LOOPBACK}:{port}",
        "--query.lookback-delta=1m",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    try:
        url = f"http://{ports.LOOPBACK}:{port}"
        _wait_ready(url, process, log)
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(30)


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, f"prometheus did not start:\n{log.read_text(errors='replace')[-4000:]}"
        time.sleep(0.1)
