"""Commands that wait on this machine: what shells append, what a sender takes, and the bound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.cli.client import Gateway
from services.cli.connection import Connection
from services.cli.outcome import CliError
from services.cli.recording.sender import Sent, send, send_spool, without_secrets
from services.cli.recording.spool import Item, Spool, spool_folder

SHELL_ITEM = ("hive1", "s.1", "1790000000000000", "1500000", "3", "/srv", "s", "ls -la\ncat")


def raw(*items: tuple[str, ...]) -> bytes:
    return b"".join(f"{field}\0".encode() for item in items for field in item)


def taken(spool: Spool) -> list[Item]:
    return [item for batch in spool.take() for item in batch.items]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_what_a_shell_appended(tmp_path: Path, spool: Spool) -> None:
    """Fields become a command; microseconds become milliseconds; unknown times are left out."""
    (tmp_path / "spool").mkdir()
    timeless = ("hive1", "s.2", "", "", "", "/", "s", "true")
    (tmp_path / "spool" / "zsh-17-1790000000.raw").write_bytes(raw(SHELL_ITEM, timeless))
    first, second = taken(spool)
    host, osuser = first.pop("host"), first.pop("osuser")
    assert first == {
        "id": "s.1",
        "command": "ls -la\ncat",
        "session": "s",
        "cwd": "/srv",
        "shell": "zsh",
        "source": "shell",
        "at_ms": 1_790_000_000_000,
        "duration_ms": 1_500,
        "exit": 3,
    }
    assert host
    assert isinstance(osuser, str)
    assert not {"at_ms", "duration_ms", "exit"} & set(second)


def test_a_shell_that_was_killed_midway(tmp_path: Path, spool: Spool) -> None:
    """Half a command hides none behind it."""
    (tmp_path / "spool").mkdir()
    half = b"hive1\0s.0\x001790000000000000\0"
    file = tmp_path / "spool" / "bash-1-1.raw"
    file.write_bytes(half + raw(SHELL_ITEM) + b"hive1\0s.9\0")
    assert [item["id"] for item in taken(spool)] == ["s.1"]


def test_what_comes_while_it_is_sent_stays(tmp_path: Path, spool: Spool) -> None:
    """A shell that had the file open adds to it while it is sent: that is sent later."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "bash-1-1.raw").write_bytes(raw(SHELL_ITEM))
    (batch,) = spool.take()
    late = ("hive1", "s.2", *SHELL_ITEM[2:])
    with batch.path.open("ab") as file:
        file.write(raw(late))
    spool.sent(batch)
    assert [item["id"] for item in taken(spool)] == ["s.2"]
    spool.sent(spool.take()[0])
    assert spool.waiting() == []


def test_a_name_of_a_shell_survives_being_taken_twice(tmp_path: Path, spool: Spool) -> None:
    """Files that could not be sent are taken again, as they are."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "fish-1-1.raw").write_bytes(raw(SHELL_ITEM))
    assert [item["shell"] for item in taken(spool)] == ["fish"]
    assert [item["shell"] for item in taken(spool)] == ["fish"]


def test_added_items_wait_in_order(tmp_path: Path, spool: Spool) -> None:
    """What `hv` adds comes back equal; only the owner can read it."""
    items: list[Item] = [{"command": "ls ü\n"}, {"command": "id"}]
    spool.add(items)
    assert taken(spool) == items
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in spool.waiting())


def test_the_spool_has_a_bound(tmp_path: Path) -> None:
    """The oldest files go first; what is left is within the bound."""
    spool = Spool(tmp_path / "spool", limit_bytes=250)
    for number in range(10):
        spool.add([{"command": f"{number}" * 60}])
    with spool.sending() as mine:
        assert mine
        left = taken(spool)
    assert [item["command"][0] for item in left] == ["7", "8", "9"]


def test_two_never_send_at_once(spool: Spool) -> None:
    """While one sends, another one does nothing."""
    with spool.sending() as mine, spool.sending() as also:
        assert (mine, also) == (True, False)
    with spool.sending() as again:
        assert again


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HIVE_RECORD_SPOOL": "/srv/spool"}, "/srv/spool"),
        ({"XDG_STATE_HOME": "/srv/state"}, "/srv/state/hive/record"),
        ({"HOME": "/srv/ada"}, "/srv/ada/.local/state/hive/record"),
    ],
)
def test_where_it_is(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    """A folder of the person's state, unless another one is named."""
    for name in ("HIVE_RECORD_SPOOL", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(spool_folder()) == folder


def gateway(answer: Callable[[list[Item]], httpx.Response]) -> Gateway:
    """A gateway that answers as the test wants, by the commands that it is sent."""

    def handle(request: httpx.Request) -> httpx.Response:
        return answer(json.loads(request.content)["commands"])

    return Gateway(Connection("http://gateway", "hive_key"), httpx.MockTransport(handle))


def test_what_is_sent_holds_no_secret(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything leaves the machine secrets are taken out, and lines that are to be ignored;
    then the spool is empty."""
    monkeypatch.setenv("HIVE_RECORD_IGNORE", "top:*private*")
    seen: list[Item] = []

    def answer(commands: list[Item]) -> httpx.Response:
        seen.extend(commands)
        return httpx.Response(200, json={"recorded": len(commands)})

    typed = ("mysql -pS3cr3t! x", " echo blank", "a private b", "top", "cat <<E\nS3cr3t!\nE", "ls")
    spool.add([{"command": line} for line in typed])
    sent = send_spool(spool, gateway(answer))
    assert [item["command"] for item in seen] == ["mysql -p*** x", "cat <<E", "ls"]
    assert [item.get("more_lines", False) for item in seen] == [False, True, False]
    assert (sent.recorded, spool.waiting()) == (3, [])


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_what_cannot_be_sent_stays(spool: Spool, status: int) -> None:
    """A gateway that is away, or refuses for now, leaves everything where it is."""
    spool.add([{"command": "ls"}])
    with pytest.raises(CliError):
        send_spool(spool, gateway(lambda _: httpx.Response(status, json={})))
    assert taken(spool) == [{"command": "ls"}]


def test_one_that_is_invalid_is_given_up_alone() -> None:
    """The gateway refuses a batch whole; those that are not to blame are sent without the one."""
    problem = {"type": "x", "title": "no", "status": 422, "detail": "no"}
    recorded: list[str] = []

    def answer(commands: list[Item]) -> httpx.Response:
        lines = [str(item["command"]) for item in commands]
        if "bad" in lines:
            return httpx.Response(422, json=problem)
        recorded.extend(lines)
        return httpx.Response(200, json={"recorded": len(lines)})

    sent = Sent()
    lines = ["a", "b", "bad", "c", "d", "bad"]
    send([{"command": line} for line in lines], gateway(answer), sent)
    assert recorded == ["a", "b", "c", "d"]
    assert (sent.recorded, sent.invalid) == (4, 2)


def test_many_are_sent_in_parts() -> None:
    """No request is larger than a gateway takes."""
    sizes: list[int] = []

    def answer(commands: list[Item]) -> httpx.Response:
        sizes.append(len(commands))
        return httpx.Response(200, json={"recorded": 0, "left_out": len(commands), "why": "no"})

    sent = Sent()
    send(without_secrets({"command": f"echo {n}"} for n in range(450)), gateway(answer), sent)
    assert sizes == [200, 200, 50]
    assert (sent.left_out, sent.why) == (450, "no")
