"""What the hooks of bash, zsh and fish record of what is typed into real shells."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from services.cli.recording.spool import Item
from tests.integration.shells.typing import SHELLS, Typist, spooled, typing

pytestmark = pytest.mark.parametrize("shell", SHELLS)


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that hooks write to."""
    folder = tmp_path / "it's a spool"
    monkeypatch.setenv("HIVE_RECORD_SPOOL", str(folder))
    return folder


def lines(items: list[Item]) -> list[str]:
    return [str(item["command"]) for item in items]


def test_a_command_is_recorded_with_what_is_around_it(
    shell: str, tmp_path: Path, spool: Path
) -> None:
    """What was typed, where it began, how it ended, how long it took, in which session."""
    (tmp_path / "sub").mkdir()
    began_ms = time.time_ns() // 1_000_000
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        typist.line("cd sub && true")
        typist.line("sleep 0.3; false")
        typist.line("echo 'ü \"b\"  c \\n' | cat")
        items = spooled(spool)
    assert lines(items) == ["cd sub && true", "sleep 0.3; false", "echo 'ü \"b\"  c \\n' | cat"]
    first, second, third = items
    assert (first["cwd"], second["cwd"]) == (str(tmp_path), str(tmp_path / "sub"))
    assert [item["exit"] for item in items] == [0, 1, 0]
    assert second["duration_ms"] >= 300
    assert third["duration_ms"] < second["duration_ms"]
    assert began_ms - 3_000 <= first["at_ms"] <= time.time_ns() // 1_000_000 + 1_000
    assert first["at_ms"] <= second["at_ms"] <= third["at_ms"]
    assert len({item["session"] for item in items}) == 1
    assert len({item["id"] for item in items}) == 3
    assert {item["shell"] for item in items} == {shell}


def test_what_is_left_out(shell: str, tmp_path: Path, spool: Path) -> None:
    """Empty lines, lines that begin with a blank, that fit a pattern, or that are typed while
    recording is paused, leave nothing on the disk."""
    ignore = "*private*:top:ls -?"
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999", HIVE_RECORD_IGNORE=ignore) as typist:
        typist.line("")
        typist.line(" echo blank")
        typist.line("echo private")
        typist.line("ls -l")
        typist.line("echo kept")
        typist.line("")
        typist.line(_set(shell, "HIVE_RECORD", "off"))
        typist.line("echo paused")
        typist.line(_set(shell, "HIVE_RECORD", "on"))
        typist.line("echo again")
        written = b"".join(one.read_bytes() for one in spool.iterdir())
        items = spooled(spool)
    kept = [line for line in lines(items) if "HIVE_RECORD" not in line]
    assert kept == ["echo kept", "echo again"]
    for text in (b"echo blank", b"private", b"ls -l", b"paused"):
        assert text not in written


def test_the_spool_is_the_owners(shell: str, tmp_path: Path, spool: Path) -> None:
    """Nobody else can look into the folder."""
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        typist.line("true")
        assert spool.stat().st_mode & 0o077 == 0


def test_the_shell_is_as_it_was(shell: str, tmp_path: Path, spool: Path) -> None:
    """The status of a command, prompts and hooks of the person's own are as without the hook."""
    own = {
        "bash": "HISTCONTROL=ignoreboth PROMPT_COMMAND='echo own-$?' PS0='zero-'; set -C",
        "zsh": "setopt no_clobber\nown() { echo own-$? }; precmd_functions+=(own)",
        "fish": "function own --on-event fish_postexec; echo own-$status; end",
    }
    with typing(shell, tmp_path, before=own[shell], HIVE_RECORD_EVERY="9999") as typist:
        assert "own-3" in typist.line("sh -c 'exit 3'")
        said = typist.line(f"echo status-{'$status' if shell == 'fish' else '$?'}-")
        assert "status-3-" in said
        assert shell != "bash" or "zero-" in typist.line("true")
        assert lines(spooled(spool))[0] == "sh -c 'exit 3'"


def test_a_command_again(shell: str, tmp_path: Path, spool: Path) -> None:
    """The same line typed twice was run twice."""
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        for _ in range(3):
            typist.line("true")
        assert lines(spooled(spool)) == ["true"] * 3


def test_what_is_recorded_again_after_the_sender_took_it(
    shell: str, tmp_path: Path, spool: Path
) -> None:
    """A shell goes on with a new file when a sender took the one before."""
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        typist.line("echo 1")
        assert lines(spooled(spool)) == ["echo 1"]
        typist.line("echo 2")
        assert lines(spooled(spool)) == ["echo 1", "echo 2"]


def test_a_shell_in_a_shell(shell: str, tmp_path: Path, spool: Path) -> None:
    """A shell that is started in another one is a session of its own."""
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        typist.line("true outer")
        typist.line(f"{shell} -i")
        typist.line("true inner")
        items = spooled(spool)
    sessions = {str(item["command"]): item["session"] for item in items}
    assert sessions["true outer"] != sessions["true inner"]


def test_no_program_is_started_before_the_prompt(shell: str, tmp_path: Path, spool: Path) -> None:
    """Between a command and the prompt no process is made, but for a sender now and then."""
    if not Path("/proc/loadavg").exists():
        pytest.skip("only Linux tells the last process id")
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        typist.line("true")  # the first command starts a sender
        time.sleep(0.5)
        assert _made_by(typist) == 0


def _made_by(typist: Typist) -> int:
    """The least number of processes that were made while a builtin was typed, of several tries:
    others make some, too."""
    least = 100
    for _ in range(300):
        before = _last_process()
        typist.line("true")
        least = min(least, _last_process() - before)
        if not least:
            break
    return least


def _last_process() -> int:
    return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[-1])


def _set(shell: str, name: str, value: str) -> str:
    return f"set -gx {name} {value}" if shell == "fish" else f"export {name}={value}"


def test_hooks_go_where_there_is_no_gateway(shell: str, tmp_path: Path, spool: Path) -> None:
    """Where nobody takes what was typed it waits, and the shell says nothing of it."""
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="0", HIVE_URL="http://127.0.0.1:1") as typist:
        said = typist.line("echo one") + typist.line("echo two")
        time.sleep(0.2)
    assert "hv:" not in said
    assert "Traceback" not in said
    deadline = time.monotonic() + 10
    while len(lines(spooled(spool))) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert lines(spooled(spool)) == ["echo one", "echo two"]


def test_a_spool_that_is_gone(shell: str, tmp_path: Path, spool: Path) -> None:
    """Where nothing can be kept the person is not told at each prompt."""
    with typing(shell, tmp_path, HIVE_RECORD_EVERY="9999") as typist:
        typist.line("true")
        shutil.rmtree(spool)
        said = typist.line("true") + typist.line("true")
    assert "No such" not in said
    assert "hive" not in said
