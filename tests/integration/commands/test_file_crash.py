"""The file command in a process that is killed: no half file, and nothing beside it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WRITER = """
import asyncio, os, sys, time
from pathlib import Path
from services.executor.commands.file import FileCommand
from shared.commands.file import FileParameters
from tests.unit.commands.contexts import Stage

workdir, moment = Path(sys.argv[1]), sys.argv[2]
pieces = 0

def here() -> None:
    print("here", flush=True)
    time.sleep(600)

def write(fd: int, data: bytes) -> int:
    global pieces
    pieces += 1
    if moment == "writing" and pieces == 2:
        here()
    return os.write(fd, data[: len(data) // 2 + 1])

if moment == "whole":
    os.fsync = lambda fd: here()

parameters = FileParameters(operation="write", path="a", content="new" * 100_000)
asyncio.run(FileCommand(write=write).run(parameters, Stage(workdir).context()))
"""


def has_nameless_files(directory: Path) -> bool:
    try:
        os.close(os.open(directory, os.O_WRONLY | os.O_TMPFILE, 0o600))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("moment", ["writing", "whole"])
def test_killed_writer_leaves_the_old_file(tmp_path: Path, moment: str) -> None:
    """kill -9 amid the data, or before it is on the disk: the old file, whole, and no litter."""
    if not has_nameless_files(tmp_path):
        pytest.skip("this file system has no nameless files: a draft may be left beside the file")
    (tmp_path / "a").write_text("old")
    command = [sys.executable, "-c", WRITER, str(tmp_path), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
