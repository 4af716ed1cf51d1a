"""The parts of the embedded stack that decide something without starting a server."""

import dataclasses
import errno
import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from ops.nats.config import ClusterMember, Durability
from ops.nats.permissions import USER_NAMES, render_authorization
from ops.stack import credentials, keeper, ports, spec, state
from ops.stack.errors import PortTakenError, StackError
from ops.stack.keeper import FIRST_DELAY_S, MAX_DELAY_S, Keeper, Service
from ops.stack.layout import Layout
from ops.stack.logs import Follower
from ops.stack.nats import NatsConfig
from ops.stack.processes import Child, start_time
from ops.stack.spec import ServerUrls, ServiceSpec
from ops.stack.supervisor import Supervisor
from ops.stack.urls import with_user, without_password


@pytest.mark.parametrize(("durability", "expected"), [("safe", True), ("relaxed", False)])
def test_safe_means_fsync_for_each_message(
    tmp_path: Path, durability: Durability, expected: bool
) -> None:
    """Only durability `safe` asks nats-server to sync always; both keep it on loopback."""
    passwords = dict.fromkeys(USER_NAMES, "secret")
    text = NatsConfig(tmp_path, 4222, 8222, durability, passwords).render()
    assert ("sync_interval: always" in text) is expected
    assert "host: 127.0.0.1\n" in text


def test_a_member_knows_the_others(tmp_path: Path) -> None:
    """A server of a cluster has a name of its own, the routes to the others with the password that
    all share, and everything else as a single one."""
    passwords = dict.fromkeys(USER_NAMES, "secret")
    alone = NatsConfig(tmp_path, 4222, 8222, "relaxed", passwords).render()
    member = ClusterMember("hive-1", "h1:6222", ("h0:6222", "h2:6222"), "word")
    text = NatsConfig(tmp_path, 4222, 8222, "relaxed", passwords, member).render()
    assert "server_name: hive-1\n" in text
    assert '["nats-route://route:word@h0:6222", "nats-route://route:word@h2:6222"]' in text
    assert text.replace(member.render(), "").replace("hive-1", "hive") == alone


def test_passwords_may_be_references() -> None:
    """A password that starts with a dollar sign is left for nats-server to resolve."""
    passwords = {name: f"${name.upper()}" for name in USER_NAMES} | {"executor": "plain"}
    text = render_authorization(passwords)
    assert "password = $GATEWAY," in text
    assert 'password = "plain",' in text


def test_missing_password_is_an_error() -> None:
    """No user is ever left without a password."""
    with pytest.raises(KeyError):
        render_authorization({"gateway": "x"})


def test_credentials_stay_the_same(tmp_path: Path) -> None:
    """A password is made once, has 256 bits, and is read back as it was."""
    path = tmp_path / "servers.json"
    known = credentials.load(path)
    password = known.password("nats.gateway")
    assert len(bytes.fromhex(password)) == 32
    known.save(path)
    assert credentials.load(path).password("nats.gateway") == password
    assert path.stat().st_mode & 0o777 == 0o600


def test_damaged_credentials_say_what_to_do(tmp_path: Path) -> None:
    """A damaged file is never replaced in silence: the data behind it would be locked away."""
    path = tmp_path / "servers.json"
    path.write_text("{")
    with pytest.raises(StackError, match=r"is damaged.*move the whole folder"):
        credentials.load(path)


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A read-only or impossible folder is named, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"file.*cannot be made: Not a directory.*HIVE_HOME"):
        Layout(tmp_path / "file" / "hive").create()


def test_stale_record_is_not_alive(tmp_path: Path) -> None:
    """A process id that now belongs to another process does not make an old record alive."""
    layout = Layout(tmp_path)
    started = start_time(os.getpid())
    assert started
    record = state.StackRecord(os.getpid(), started, "safe")
    record.save(layout)
    assert state.running(layout) == record
    dataclasses.replace(record, process_started_at=started - 60).save(layout)
    assert state.running(layout) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"services": [{"nonsense": 1}]}'])
def test_unreadable_record_counts_as_none(tmp_path: Path, text: str) -> None:
    """A record that cannot be understood is treated as absent."""
    (tmp_path / "stack.json").write_text(text)
    assert state.read(tmp_path / "stack.json") is None


def test_taken_port_names_holder_and_variable() -> None:
    """The message names the port, who needs it, who holds it and the variable that changes it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        service = ServiceSpec("door", (), health_port=port, port_variable="DOOR_PORT")
        with pytest.raises(PortTakenError, match=rf"{port}.*door.*{os.getpid()}.*DOOR_PORT"):
            spec.check_ports([service])
        assert ports.pick(port) != port


def test_picked_ports_are_not_given_to_others() -> None:
    """No port that is picked is one that the system hands out by itself in the meantime."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        given = other.getsockname()[1]
    picked = {ports.pick() for _ in range(50)}
    assert max(picked) < given
    assert len(picked) > 1


def test_another_program_on_the_port_of_health_is_not_healthy() -> None:
    """A server that speaks something else than HTTP there is not ready, and raises nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"INFO {}\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert not keeper.answers_ok(f"http://127.0.0.1:{server.getsockname()[1]}/health/ready")
        thread.join()


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", ""])
def test_bad_gateway_port_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """HIVE_GATEWAY_PORT must be a port number."""
    monkeypatch.setenv("HIVE_GATEWAY_PORT", text)
    with pytest.raises(StackError, match="HIVE_GATEWAY_PORT must be a port number"):
        spec.services()


@pytest.mark.parametrize("count", [-1, 65])
def test_number_of_executors_is_bounded(count: int) -> None:
    """Fewer than none or more than 64 executors are refused."""
    with pytest.raises(StackError, match="between 0 and 64"):
        spec.services(count)


def test_each_service_gets_its_own_environment() -> None:
    """Executors differ in agent name and port, and each service gets its own NATS user only."""
    users = {"gateway": "nats://g", "validator": "nats://v", "executor": "nats://e"}
    users |= {"rollback": "nats://r", "suggestion": "nats://s", "learning": "nats://l"}
    users |= {"admin": "nats://a"}
    urls = ServerUrls(users, "mongodb://m")
    environments = [spec.environment(each, urls, "home", "safe") for each in spec.services(2)]
    used = ["nats://g", "nats://s", "nats://e", "nats://e"]
    assert [env["HIVE_NATS_URL"] for env in environments] == used
    names = [env.get("HIVE_AGENT_NAME") for env in environments]
    assert names == [None, None, "agent-1", "agent-2"]
    assert not any("nats://a" in text for env in environments for text in env.values())
    guests = json.loads(environments[0][spec.TOGETHER_VARIABLE])
    assert {n: env["HIVE_NATS_URL"] for n, env in guests.items()} == {
        "validator": "nats://v",
        "rollback": "nats://r",
    }
    computing = json.loads(environments[1][spec.TOGETHER_VARIABLE])
    assert {n: env["HIVE_NATS_URL"] for n, env in computing.items()} == {"learning": "nats://l"}
    every = [*guests.values(), *computing.values(), *environments[1:]]
    assert len({env["HIVE_METRICS_PORT"] for env in every}) == 6


def test_agents_have_names_labels_and_capabilities() -> None:
    """`hv up --agent web-1:role=web:nginx` gives the executor exactly that."""
    agents = [spec.AgentSpec.parse(text) for text in ("web-1:role=web,zone=a:nginx,tls", "ops-1")]
    assert [str(agent) for agent in agents] == ["web-1:role=web,zone=a:nginx,tls", "ops-1::"]
    _, _, one, two = spec.services(1, agents)
    assert one.env["HIVE_AGENT_LABELS"] == "role=web,zone=a"
    assert one.env["HIVE_AGENT_CAPABILITIES"] == "nginx,tls"
    assert two.env["HIVE_AGENT_NAME"] == "ops-1"
    assert "HIVE_AGENT_LABELS" not in two.env
    assert spec.AgentSpec.parse(str(agents[1])) == agents[1]


@pytest.mark.parametrize("text", ["", "Web", "a b", "a:b:c:d"])
def test_what_is_no_agent_is_refused(text: str) -> None:
    """The refusal shows how to write one."""
    with pytest.raises(StackError, match="NAME:LABELS:CAPABILITIES"):
        spec.AgentSpec.parse(text)


def test_agent_names_are_unique() -> None:
    """Two executors must never answer to one name."""
    with pytest.raises(StackError, match="unique"):
        spec.services(1, [spec.AgentSpec("a"), spec.AgentSpec("a")])


def test_restarts_slow_down(tmp_path: Path) -> None:
    """A process that keeps ending is restarted after delays that double up to a bound."""
    now = 0.0
    service = Service(
        ServiceSpec("x", (sys.executable, "-c", "")), dict(os.environ), tmp_path / "x.log"
    )
    service.start()
    keeper = Keeper(service, clock=lambda: now)
    delays = []
    for _ in range(7):
        assert service.child
        assert service.child.wait(10)
        said = keeper.tend()
        assert said
        assert "ended (exit code 0)" in said
        due = keeper._due_at
        assert due is not None
        delays.append(due - now)
        now = due - 0.01
        assert keeper.tend() is None
        now = due
        said = keeper.tend()
        assert said
        assert "restarted" in said
    assert delays[:3] == pytest.approx([FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S])
    assert delays[-1] == pytest.approx(MAX_DELAY_S)
    assert keeper.restarts == 7


def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    """On a full disk a process cannot be started: it is said, and tried again, more slowly."""
    now = 0.0

    class OnFullDisk(Service):
        full = False

        def start(self) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().start()

    spec_ = ServiceSpec("x", (sys.executable, "-c", ""))
    service = OnFullDisk(spec_, dict(os.environ), tmp_path / "x.log")
    service.start()
    assert service.child
    assert service.child.wait(10)
    keeper = Keeper(service, clock=lambda: now)
    keeper.tend()
    service.full = True
    for delay_s in (2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S):
        assert keeper._due_at is not None
        now = keeper._due_at
        said = keeper.tend()
        assert said is not None
        assert "No space left on device" in said
        assert f"tried again in {delay_s:g} s" in said
        assert keeper.tend() is None
    service.full = False
    assert keeper._due_at is not None
    now = keeper._due_at
    assert keeper.tend() == "x restarted (restart 1)"
    assert service.child.wait(10)


def test_a_record_that_cannot_be_written_does_not_stop_the_stack(tmp_path: Path) -> None:
    """It is said once, leaves nothing behind, and the record is written as soon as it can be."""
    layout, said = Layout(tmp_path), list[str]()
    supervisor = Supervisor(layout, "relaxed", [], report=said.append)
    layout.create()
    layout.record.mkdir()
    for _ in range(3):
        supervisor._tend()
        supervisor._save("ready")
    (sentence,) = said
    assert f"{layout.record} cannot be written" in sentence
    assert sorted(path.name for path in tmp_path.glob("*stack.json*")) == ["stack.json"]
    layout.record.rmdir()
    supervisor._tend()
    record = state.running(layout)
    assert record is not None
    assert record.phase == "ready"


def test_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    """A process that does not end on SIGTERM is killed after the grace period."""
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)"
    )
    log = tmp_path / "deaf.log"
    child = Child([sys.executable, "-c", script], os.environ, log)
    while "deaf" not in log.read_text():
        assert child.running
    child.stop(grace_s=0.2)
    assert child.describe_end() == "signal SIGKILL"


def test_follower_gives_complete_new_lines(tmp_path: Path) -> None:
    """Only what was added is given, a line when it is complete, and a shorter file is read anew."""
    path = tmp_path / "x.log"
    path.write_text("old\n")
    follower = Follower(path)
    with path.open("a") as file:
        file.write("one\ntw")
    assert list(follower.lines()) == ["one"]
    with path.open("a") as file:
        file.write("o\n")
    assert list(follower.lines()) == ["two"]
    path.write_text("new\n")
    assert list(follower.lines()) == ["new"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://gateway:secret@h:4222", "nats://gateway@h:4222"),
        ("nats://u:p@a:1,nats://u:p@b:2", "nats://u@a:1,nats://u@b:2"),
        ("mongodb://hive:s3@a:1,b:2/hive?replicaSet=x", "mongodb://hive@a:1,b:2/hive?replicaSet=x"),
        ("nats://h:4222", "nats://h:4222"),
    ],
)
def test_shown_urls_hold_no_password(url: str, shown: str) -> None:
    """A URL is shown without passwords, of a cluster too."""
    assert without_password(url) == shown


def test_login_is_replaced() -> None:
    """A login takes the place of the one in the URL."""
    assert with_user("nats://a:b@h:1/x", "c", "d") == "nats://c:d@h:1/x"
