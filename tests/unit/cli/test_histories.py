"""Histories of bash, zsh and fish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.recording.histories import SHELLS, Shell, Typed, ids_of, shell_of, typed

BASH = b"ls -la\n\n#no time\ngit status\n"
BASH_TIMED = b"#1700000000\nls -la\n#1700000005\nfor i in 1; do\n  echo $i\ndone\n#1700000009\nid\n"
ZSH = b": 1700000000:5;ls -la\n: 1700000009:0;echo a\\\nb\nplain\n"
ZSH_META = b": 1700000000:0;echo \xc4\x83\xa7\n"
FISH = b"""\
- cmd: ls -la
  when: 1700000000
- cmd: echo a\\nb \\\\x
  when: 1700000009
  paths:
    - b
"""


@pytest.mark.parametrize(
    ("data", "shell", "commands"),
    [
        (BASH, "bash", [Typed("ls -la"), Typed("#no time"), Typed("git status")]),
        (
            BASH_TIMED,
            "bash",
            [
                Typed("ls -la", 1_700_000_000),
                Typed("for i in 1; do\n  echo $i\ndone", 1_700_000_005),
                Typed("id", 1_700_000_009),
            ],
        ),
        (
            ZSH,
            "zsh",
            [
                Typed("ls -la", 1_700_000_000, 5),
                Typed("echo a\nb", 1_700_000_009, 0),
                Typed("plain"),
            ],
        ),
        (
            FISH,
            "fish",
            [Typed("ls -la", 1_700_000_000), Typed("echo a\nb \\x", 1_700_000_009)],
        ),
        (b"", "bash", []),
    ],
)
def test_each_form(data: bytes, shell: Shell, commands: list[Typed]) -> None:
    """The form is known by the content; commands, times and durations are read."""
    assert shell_of(data) == shell
    assert typed(data, shell) == commands


def test_zsh_writes_some_bytes_in_two() -> None:
    """What zsh turned comes back as it was typed."""
    assert typed(ZSH_META, "zsh") == [Typed("echo ć", 1_700_000_000, 0)]


def test_ids_outlive_what_a_history_loses() -> None:
    """A file that has grown, and lost its oldest lines, gives the same ids to the same commands;
    a line that is there again has another one."""
    commands = typed(BASH_TIMED + b"#1700000009\nid\n", "bash")
    ids = ids_of(commands, "bash")
    assert len(set(ids)) == len(ids) == 4
    assert ids_of(commands[1:], "bash") == ids[1:]
    assert ids_of(commands, "zsh") != ids


@given(st.binary(max_size=300), st.sampled_from(SHELLS))
def test_any_file_can_be_read(data: bytes, shell: Shell) -> None:
    """No file is refused; every command says something and has an id of its own."""
    commands = typed(data, shell)
    assert all(one.text.strip() for one in commands)
    assert len(set(ids_of(commands, shell))) == len(commands)
