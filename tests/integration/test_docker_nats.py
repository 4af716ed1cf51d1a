"""Docker's NATS configuration, judged by the real nats-server."""

import os
import subprocess
from pathlib import Path

import nats
import pytest

from ops.docker import make_env
from ops.nats import config
from ops.nats.permissions import USER_NAMES
from ops.stack import ports
from ops.stack.nats import find_binary
from ops.stack.processes import Child

CONFIG = Path(__file__).resolve().parents[2] / config.DOCKER_CONFIG


def environment() -> dict[str, str]:
    return {**os.environ, **make_env.missing("")}


def check(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [find_binary(), "-t", "--config", str(CONFIG)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_configuration_is_valid() -> None:
    """nats-server accepts it with the passwords that `make_env` makes."""
    done = check(environment())
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


@pytest.mark.parametrize("user", USER_NAMES)
def test_missing_password_stops_the_server(user: str) -> None:
    """Without a user's password the server does not start: nobody is left without one."""
    env = environment()
    del env[config.docker_variable(user)]
    done = check(env)
    assert done.returncode != 0
    assert config.docker_variable(user) in done.stderr


async def test_each_user_logs_in_with_its_password(tmp_path: Path) -> None:
    """A server with this configuration lets each user in by the password of the environment, and
    nobody else.
    """
    port, env = ports.pick(), environment()
    text = CONFIG.read_text().replace(str(config.DOCKER_STORE), str(tmp_path / "store"))
    text = text.replace(f"port: {config.DOCKER_PORT}\n", f"port: {port}\n")
    text = text.replace(f":{config.DOCKER_HTTP_PORT}\n", f":{ports.pick(avoid={port})}\n")
    path = tmp_path / "nats.conf"
    path.write_text(text.replace("host: 0.0.0.0", "host: 127.0.0.1"))
    server = Child([find_binary(), "--config", str(path)], env, tmp_path / "nats.log")
    try:
        while not ports.answers(port):
            assert server.running, (tmp_path / "nats.log").read_text()
        for user in USER_NAMES:
            password = env[config.docker_variable(user)]
            client = await nats.connect(f"nats://127.0.0.1:{port}", user=user, password=password)
            await client.flush()
            await client.close()
            with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
                await nats.connect(
                    f"nats://127.0.0.1:{port}",
                    user=user,
                    password="wrong",
                    allow_reconnect=False,
                    connect_timeout=2,
                )
    finally:
        server.stop()
