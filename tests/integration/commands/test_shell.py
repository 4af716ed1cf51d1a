"""The shell command with real processes: bounds, ends, and proof that nothing is left."""

import asyncio
import contextlib
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.executor.commands.base import Cancelled, Completed, Failed, JsonObject, TimedOut
from services.executor.commands.process_tree import ProcessTree
from services.executor.commands.shell import ShellCommand
from services.executor.policy import default_policy
from shared.commands.shell import ShellParameters
from tests.unit.commands.contexts import Stage

SHELL = ShellCommand(term_grace_s=0.5)


def parameters(**given: Any) -> ShellParameters:
    return ShellParameters.model_validate(given)


async def completed(stage: Stage, **given: Any) -> JsonObject:
    outcome = await SHELL.run(parameters(**given), stage.context())
    assert isinstance(outcome, Completed), outcome
    return outcome.output


async def failed(stage: Stage, **given: Any) -> Failed:
    outcome = await SHELL.run(parameters(**given), stage.context())
    assert isinstance(outcome, Failed), outcome
    return outcome


async def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.02)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def pids_in(directory: Path) -> list[int]:
    return [int(file.read_text()) for file in directory.glob("*.pid") if file.read_text().strip()]


async def test_argv_is_not_interpreted(stage: Stage) -> None:
    """Arguments reach the program as they are; both streams, the code and the lines come back."""
    output = await completed(stage, argv=["printf", "%s\n", "$HOME; *", "ä"])
    assert output["stdout"] == "$HOME; *\nä\n"
    assert (output["exit_code"], output["signal"], output["stdout_bytes"]) == (0, None, 12)
    assert stage.lines == [("stdout", "$HOME; *"), ("stdout", "ä")]


async def test_script_leaves_stdin_free(stage: Stage) -> None:
    """A script can read its standard input, stops at the first error, and leaves no file."""
    output = await completed(stage, script="read a; echo got $a; echo e >&2", stdin="x\n")
    assert (output["stdout"], output["stderr"]) == ("got x\n", "e\n")
    outcome = await failed(stage, script="false\necho not reached")
    assert (outcome.code, outcome.output["stdout"]) == ("unexpected_exit", "")
    assert not any(stage.workdir.iterdir())


async def test_other_interpreters(stage: Stage) -> None:
    """The interpreter may be any program that takes a file."""
    script = "import sys; print(sys.stdin.read()[::-1])"
    output = await completed(stage, script=script, interpreter=[sys.executable, "-I"], stdin="abc")
    assert output["stdout"] == "cba\n"


async def test_environment_is_a_short_list(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's variables stay with the agent unless they are named; explicit ones win."""
    monkeypatch.setenv("AGENT_SECRET", "hidden")
    monkeypatch.setenv("PASSED", "on")
    output = await completed(
        stage, argv=["env"], env={"LANG": "C.own"}, env_allow=["PATH", "PASSED"]
    )
    variables = dict(line.split("=", 1) for line in output["stdout"].splitlines())
    mark = variables.pop("HIVE_PROCESS_MARK")
    assert len(mark) == 32
    assert variables.keys() == {"PATH", "PASSED", "LANG"}
    assert "hidden" not in (await completed(stage, argv=["env"]))["stdout"]


async def test_working_directory(stage: Stage) -> None:
    """By default the attempt's own directory; relative ones start there."""
    (stage.workdir / "sub").mkdir()
    assert (await completed(stage, argv=["pwd"]))["stdout"].strip() == str(stage.workdir)
    output = await completed(stage, argv=["pwd"], cwd="sub")
    assert output["stdout"].strip() == str(stage.workdir / "sub")


async def test_expected_exit_codes(stage: Stage) -> None:
    """Other codes than 0 may count as success."""
    output = await completed(stage, argv=["sh", "-c", "exit 3"], expect_exit=[0, 3])
    assert output["exit_code"] == 3
    outcome = await failed(stage, argv=["sh", "-c", "exit 4"], expect_exit=[0, 3])
    assert (outcome.message, outcome.retryable) == ("exit code 4, expected 0, 3", True)


async def test_death_by_signal_is_named(stage: Stage) -> None:
    """A program ended by a signal has no exit code."""
    outcome = await failed(stage, argv=["sh", "-c", "kill -SEGV $$"])
    assert outcome.code == "killed_by_signal"
    assert (outcome.output["exit_code"], outcome.output["signal"]) == (None, "SIGSEGV")


async def test_json(stage: Stage) -> None:
    """Standard output is parsed on request; what is no JSON fails and is shown."""
    output = await completed(stage, argv=["echo", '{"a": [1]}'], parse_json=True)
    assert output["json"] == {"a": [1]}
    for text in ("{", "NaN", "[" * 50_000, "1" * 10_000):
        outcome = await failed(stage, script=f"echo '{text}'", parse_json=True)
        assert outcome.code == "not_json"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"argv": ["no-such-program"]}, "executable_not_found"),
        ({"argv": ["./none"]}, "executable_not_found"),
        ({"script": "true", "interpreter": ["/none/sh"]}, "executable_not_found"),
        ({"argv": ["true"], "cwd": "/none"}, "cwd_missing"),
        ({"argv": ["./plain"]}, "permission_denied"),
        ({"argv": ["./garbage"]}, "not_executable"),
        ({"argv": ["./bad-interpreter"]}, "executable_not_found"),
        ({"argv": ["true", *["x" * 100_000] * 40]}, "arguments_too_long"),
        ({"argv": ["./" + "x" * 100_000]}, "invalid_path"),
        ({"argv": ["x" * 100_000]}, "executable_not_found"),
        ({"argv": ["true"], "cwd": "x" * 4_000}, "invalid_path"),
    ],
)
async def test_what_cannot_start_says_why(stage: Stage, given: JsonObject, code: str) -> None:
    """Each reason has a code and a sentence; trying again would not help."""
    for name, content, mode in (
        ("plain", "true", 0o644),
        ("garbage", "\x00\x01", 0o755),
        ("bad-interpreter", "#!/none/sh\n", 0o755),
    ):
        (stage.workdir / name).write_text(content)
        (stage.workdir / name).chmod(mode)
    outcome = await failed(stage, **given)
    assert (outcome.code, outcome.retryable) == (code, False)
    assert len(outcome.message) < 500


async def test_policy_refuses_programs_and_scripts(stage: Stage) -> None:
    """The refusal names the rule, also for a link to a denied program and for an interpreter."""
    policy = default_policy(stage.workdir)
    denied = policy.model_validate({"executables": {"deny": ["echo", "dash", "bash", "sh"]}})
    no_scripts = policy.model_validate({"shell": {"allow_scripts": False}})
    (stage.workdir / "link").symlink_to("/bin/echo")
    for given, using in (
        ({"argv": ["echo"]}, denied),
        ({"argv": ["./link"]}, denied),
        ({"script": "true"}, denied),
        ({"script": "true"}, no_scripts),
    ):
        outcome = await SHELL.run(parameters(**given), stage.context(policy=using))
        assert isinstance(outcome, Failed)
        assert outcome.code == "refused_by_policy"
        assert "(rule " in outcome.message


async def test_listed_programs_cannot_be_forged(stage: Stage) -> None:
    """Neither a file under a listed name, nor PATH, nor a preloaded library runs other code."""
    listed = default_policy(stage.workdir).model_validate({"executables": {"allow": ["ls"]}})
    forged = stage.workdir / "ls"
    forged.write_text("#!/bin/sh\ntouch forged\n")
    forged.chmod(0o755)
    for given in (
        {"argv": ["./ls"]},
        {"argv": [str(forged)]},
        {"argv": ["ls"], "env": {"PATH": str(stage.workdir)}},
        {"argv": ["ls"], "env": {"LD_PRELOAD": str(forged)}},
        {"argv": ["env", "ls"]},
        {"argv": ["sh", "-c", "ls"]},
        {"argv": [f"{'../' * len(stage.workdir.parts)}bin/sh", "-c", "ls"]},
    ):
        outcome = await SHELL.run(parameters(**given), stage.context(policy=listed))
        assert isinstance(outcome, Failed)
        assert outcome.code == "refused_by_policy", given
    real = await SHELL.run(parameters(argv=["ls"]), stage.context(policy=listed))
    assert isinstance(real, Completed)
    assert real.output["stdout"] == "ls\n"


async def test_huge_output_in_bounded_memory(stage: Stage) -> None:
    """Of 50 MB the beginning and the end are kept; memory does not grow with the output."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    script = "echo first; yes 0123456789 | head -c 50000000; echo last"
    output = await completed(stage, script=script)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert output["stdout_bytes"] == 50_000_011
    assert output["stdout_truncated"]
    assert output["stdout"].startswith("first\n")
    assert output["stdout"].endswith("last\n")
    assert len(output["stdout"]) <= 128 * 1024
    assert grown_kib < 30_000


async def test_one_endless_line(stage: Stage) -> None:
    """A line without an end is streamed up to its bound."""
    output = await completed(stage, script="head -c 5000000 /dev/zero | tr '\\0' x")
    assert output["stdout_bytes"] == 5_000_000
    assert [len(line) for _, line in stage.lines] == [2001]


async def test_binary_output(stage: Stage) -> None:
    """Bytes that are no text are replaced and flagged, and still fit the limit as JSON."""
    output = await completed(stage, script="head -c 300000 /dev/urandom; echo plain >&2")
    assert (output["stdout_bytes"], output["stdout_binary"]) == (300_000, True)
    assert (output["stderr"], output["stderr_binary"]) == ("plain\n", False)


async def test_unread_stdin_is_no_error(stage: Stage) -> None:
    """A program that does not read its input ends by its own code."""
    assert (await completed(stage, argv=["true"], stdin="x" * 1_000_000))["exit_code"] == 0


FAMILY = """
echo $$ > leader.pid
sh -c 'trap "" TERM; echo $$ > stubborn.pid; sleep 1000; sleep 1000; sleep 1000' &
setsid sh -c 'echo $$ > session.pid; sleep 1000' &
(setsid sh -c 'echo $$ > orphan.pid; exec sleep 1000' &) &
(env -i setsid sh -c 'echo $$ > bare.pid; exec sleep 1000' &) &
for one in stubborn session orphan bare; do while [ ! -s $one.pid ]; do sleep 0.01; done; done
echo ready
wait
"""


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_whole_family_is_gone(stage: Stage, how: str) -> None:
    """Children, those that ignore SIGTERM, other sessions, orphans, and those with another
    environment: all gone, with proof."""
    context = stage.context(deadline_s=5.0 if how == "timeout" else None)
    task = asyncio.create_task(SHELL.run(parameters(script=FAMILY), context))
    await eventually(lambda: ("stdout", "ready") in stage.lines)
    if how == "cancel":
        stage.cancelled.set()
    outcome = await task
    assert isinstance(outcome, TimedOut if how == "timeout" else Cancelled)
    family = pids_in(stage.workdir)
    assert len(family) == 5
    assert outcome.proof.gone, outcome.proof
    assert set(family) <= set(outcome.proof.pids)
    assert outcome.proof.signals == ("SIGTERM", "SIGKILL")
    assert not any(is_alive(pid) for pid in family)
    assert outcome.output["stdout"] == "ready\n"
    assert outcome.output["signal"] == "SIGTERM"


async def test_polite_program_cleans_up(stage: Stage) -> None:
    """SIGTERM comes first, once, and what it starts to clean up is left to finish."""
    script = (
        "trap 'sleep 0.2; echo x >> cleaned; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    )
    command = ShellCommand(term_grace_s=20)
    task = asyncio.create_task(command.run(parameters(script=script), stage.context()))
    await eventually(lambda: ("stdout", "ready") in stage.lines)
    stage.cancelled.set()
    outcome = await task
    assert isinstance(outcome, Cancelled)
    assert outcome.proof.signals == ("SIGTERM",)
    assert outcome.output["exit_code"] == 7
    assert (stage.workdir / "cleaned").read_text() == "x\n"


async def test_background_is_stopped_or_left(stage: Stage) -> None:
    """By default nothing stays behind; `leave` reports what does."""
    stopped = await completed(stage, script="sleep 1000 & echo $!")
    assert not is_alive(int(stopped["stdout"]))
    script = "sleep 1000 >/dev/null 2>&1 & echo $!"
    left = await completed(stage, script=script, background="leave")
    pid = int(left["stdout"])
    assert left["left_running"] == [pid]
    assert is_alive(pid)
    psutil.Process(pid).kill()


async def test_daemon_holding_the_pipe_does_not_block(stage: Stage) -> None:
    """A process that left the session with the output open does not keep the step waiting."""
    output = await completed(
        stage, script="setsid sh -c 'echo $$ > d.pid; exec sleep 1000' & sleep 0.3"
    )
    assert output["exit_code"] == 0
    for pid in pids_in(stage.workdir):
        psutil.Process(pid).kill()


async def test_what_is_still_there_is_named() -> None:
    """Nothing counts as gone that can be seen: the proof names it, until it really is gone."""
    stubborn = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]
    child = await asyncio.create_subprocess_exec(
        *stubborn, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert child.stdout
    await child.stdout.readline()
    tree = ProcessTree(child.pid, "no-mark")
    proof = await asyncio.to_thread(tree.proof)
    assert not proof.gone
    assert proof.reason.startswith(f"still there: {child.pid} (sh, ")
    assert (await asyncio.to_thread(tree.stop, 0.1)).gone
    await child.wait()


async def test_cancelled_task_kills_the_group(stage: Stage) -> None:
    """If the agent drops the task itself, the process group dies with it."""
    script = "echo $$ > a.pid; echo ready; sleep 1000"
    task = asyncio.create_task(SHELL.run(parameters(script=script), stage.context()))
    await eventually(lambda: ("stdout", "ready") in stage.lines)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (pid,) = pids_in(stage.workdir)
    await eventually(lambda: not is_alive(pid))


async def test_full_disk_for_the_script(stage: Stage, tiny_disk: Path) -> None:
    """If the script cannot be written, nothing is run and no file is left."""
    full = Stage(tiny_disk)
    outcome = await failed(full, script="echo x >&2\n" * 10_000)
    assert (outcome.code, outcome.retryable) == ("disk_full", True)
    assert not any(entry.name for entry in tiny_disk.glob("*"))  # noqa: ASYNC240 - a tiny tmpfs


async def test_full_disk_does_not_touch_output(stage: Stage, tiny_disk: Path) -> None:
    """Output is kept in memory, so a full disk under the working directory cannot cut it."""
    script = "head -c 200000 /dev/zero > fill 2>/dev/null || true; echo still here"
    outcome = await SHELL.run(parameters(argv=["sh", "-c", script]), Stage(tiny_disk).context())
    assert isinstance(outcome, Completed)
    assert outcome.output["stdout"] == "still here\n"


async def test_many_at_once(stage: Stage) -> None:
    """Commands do not disturb each other's output or end."""
    runs: list[Coroutine[Any, Any, JsonObject]] = [
        completed(stage, argv=["sh", "-c", f"echo {n}; exec sleep 0.1"]) for n in range(20)
    ]
    outputs = await asyncio.gather(*runs)
    assert [output["stdout"] for output in outputs] == [f"{n}\n" for n in range(20)]
