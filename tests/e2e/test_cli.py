"""`hv` against the running embedded stack: every command, its JSON, its exit codes."""

import http.server
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hv_process import HV, Hv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GREET = """\
id: greet
version: 1.0.0
name: Greet
parameters:
  who: {type: string, description: Whom to greet., minLength: 1}
  times: {type: integer, minimum: 1, maximum: 3, default: 1}
steps:
  - id: say
    command: shell
    parameters:
      script: for n in $(seq "$TIMES"); do echo "hello $WHO"; done
      env: {WHO: "${{ params.who }}", TIMES: "${{ string(params.times) }}"}
  - id: judge
    command: shell
    depends_on: [say]
    parameters:
      argv: [test, "${{ params.who }}", "!=", nobody]
outputs:
  said: ${{ steps.say.output.stdout }}
"""
SLEEP = """\
id: sleep
name: Sleep
steps:
  - {id: rest, command: shell, parameters: {argv: [sleep, "120"]}}
  - {id: after, command: noop, depends_on: [rest]}
"""
NAP = """\
id: nap
name: Nap
steps:
  - {id: rest, command: shell, parameters: {argv: [sleep, "8"]}}
  - {id: after, command: noop, depends_on: [rest]}
"""
EVERYWHERE = """\
id: everywhere
name: Everywhere
parameters:
  role: {type: string, default: nowhere}
steps:
  - id: say
    command: shell
    parameters: {argv: [echo, "${{ agent.name }}"]}
    target: {where: agent.labels.role == params.role, canary: 1}
"""
GUARDED = """\
id: guarded
name: Guarded
steps:
  - {id: act, command: noop}
policies: {approval_required: true}
"""
GATED = """\
id: gated
name: Gated
steps:
  - {id: act, command: shell, parameters: {argv: [sh, -c, "echo hello"]}}
policies:
  approval: {approvers: {groups: [ops]}}
"""


@pytest.fixture(scope="module")
def hv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hv]:
    """The stack with one agent, and three small workflows in it."""
    home = tmp_path_factory.mktemp("hive")
    run = Hv(home)
    up = run("up", "--detach", "--durability", "relaxed", "--agent", "solo:role=any:")
    try:
        assert up.code == 0, up.err
        for name, text in (("greet", GREET), ("sleep", SLEEP), ("guarded", GUARDED)):
            (home / f"{name}.yaml").write_text(text, encoding="utf-8")
            created = run("templates", "create", f"{name}.yaml")
            assert created.code == 0, created.err
        yield run
    finally:
        run("down")


def accepted(hv: Hv, *arguments: str) -> str:
    """Run a workflow without waiting; the id of the execution."""
    done = hv("run", *arguments, "--json")
    assert done.code == 0, done.err
    return str(done.json()["execution_id"])


def status(hv: Hv, execution_id: str) -> str:
    """Where an execution stands now."""
    return str(hv("show", execution_id, "--json").json()["status"])


def test_whom_a_fleet_runs_on(hv: Hv) -> None:
    """Whom a selector and a template would match now, and what became of each target."""
    (hv.home / "everywhere.yaml").write_text(EVERYWHERE, encoding="utf-8")
    assert hv("templates", "create", "everywhere.yaml").code == 0
    assert hv("targets", "--where", "agent.labels.role == 'any'", "--quiet").out == "solo\n"
    found = json.loads(hv("targets", "everywhere", "-p", "role=any", "--json").out)
    assert [one["target"] for one in found["items"][0]["targets"]] == ["solo"]
    execution = accepted(hv, "everywhere", "-p", "role=any")
    assert hv("watch", execution).code == 0
    assert "1 of 1 completed" in hv("targets", "--of", execution).out
    steps = json.loads(hv("targets", "--of", execution, "--step", "say", "--json").out)["items"]
    assert steps[0]["targets"][0]["output"]["stdout"] == "solo\n"
    assert "say[0] on solo" in hv("show", execution).out
    assert hv("targets", "everywhere", "--where", "true").code == 2


def test_the_library(hv: Hv, tmp_path: Path) -> None:
    """Built-in and own templates are listed, shown, versioned and exported so that they come back
    the same."""
    listed = {one["id"] for one in hv("templates", "--json").json()}
    assert listed >= {"incident_response", "config_update", "greet"}
    only = hv("templates", "list", "--category", "security", "--json").json()
    assert [one["id"] for one in only] == ["security_alert"]
    assert "-p who=…" in hv("templates", "show", "greet").out
    exported = tmp_path / "greet.yaml"
    assert hv("templates", "export", "greet", "-o", str(exported)).code == 0
    again = hv("templates", "create", str(exported), "--json").json()
    assert again["outcome"] == "unchanged"
    newer = exported.read_text(encoding="utf-8").replace("1.0.0", "1.1.0-beta.1")
    exported.write_text(newer, encoding="utf-8")
    assert hv("templates", "create", str(exported)).code == 0
    versions = hv("templates", "versions", "greet", "--json").json()
    assert {one["version"] for one in versions} == {"1.1.0-beta.1", "1.0.0"}
    newest = hv("templates", "show", "greet", "--json").json()["summary"]["version"]
    assert newest == "1.0.0"  # a pre-release is nobody's default


def test_watching_to_the_end(hv: Hv) -> None:
    """`run --watch` prints a line per event and the tree; the exit code is the workflow's."""
    done = hv("run", "greet", "-p", "who=world", "-p", "times=2", "--watch")
    assert done.code == 0, done.out + done.err
    assert "step.completed  say on solo" in done.out
    assert "✓ judge  shell  on solo" in done.out
    failed = hv("run", "greet", "-p", "who=nobody", "--watch")
    assert failed.code == 1
    assert "exit code 1, expected 0" in failed.out


def test_watching_as_json(hv: Hv) -> None:
    """One JSON object per line: the events in order, then the execution; an ended execution can be
    watched again, and gives the same."""
    done = hv("run", "greet", "-p", "who=json", "--watch", "--json")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    events = [line["event"] for line in lines[:-1]]
    assert [event["version"] for event in events] == sorted(event["version"] for event in events)
    assert events[-1]["type"] == "execution.completed"
    execution = lines[-1]["execution"]
    assert execution["outputs"] == {"said": "hello json\n"}
    again = hv("watch", execution["id"], "--json")
    assert [json.loads(line)["event"]["type"] for line in again.out.splitlines()[:-1]] == [
        event["type"] for event in events
    ]


def test_what_commands_wrote(hv: Hv) -> None:
    """`hv logs ID` prints the lines of the steps; `hv logs SERVICE` those of a service."""
    done = hv("run", "greet", "-p", "who=logs", "-p", "times=3", "--wait", "--json")
    assert done.code == 0, done.err
    identity = done.json()["id"]
    lines = hv("logs", identity, "--follow", "--json").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["hello logs"] * 3
    assert hv("logs", identity, "--step", "say").out.count("solo │ hello logs") == 3
    nothing = hv("logs", identity, "--step", "judge")
    assert (nothing.code, nothing.out) == (0, "")
    assert hv("logs", identity, "--step", "absent").code == 2
    assert hv("logs", "gateway").code == 0
    assert "There are logs of: " in hv("logs", "nothing-like-it").err


def test_cancelling_while_somebody_watches(hv: Hv) -> None:
    """Who watches sees the end that another one asked for: exit code 4."""
    identity = accepted(hv, "sleep")
    assert hv("run", "sleep", "--wait", "--timeout", "0.5", "--json").code == 5
    watching = hv.start("watch", identity)
    try:
        assert hv("cancel", identity, "--reason", "enough").code == 0
        out, err = watching.communicate(timeout=60)
    finally:
        watching.kill()
    assert watching.returncode == 4, out + err
    assert "execution.cancelled" in out
    late = hv("cancel", identity)
    assert late.code == 2
    assert "it has ended (cancelled)" in late.err
    for one in hv("executions", "--status", "running", "--json").json():
        assert hv("cancel", one["id"], "--json").json()["request"] == "cancel"


def test_watching_survives_the_gateway(hv: Hv) -> None:
    """The gateway is killed while somebody watches; it comes back, and the rest is seen."""
    (hv.home / "nap.yaml").write_text(NAP, encoding="utf-8")
    assert hv("templates", "create", "nap.yaml").code == 0
    identity = accepted(hv, "nap")
    watching = hv.start("watch", identity)
    try:
        assert watching.stdout is not None
        before = ""
        while "step.started  rest" not in before:
            line = watching.stdout.readline()
            assert line, "the watch ended early"
            before += line
        services = hv("status", "--json").json()["services"]
        (pid,) = (one["pid"] for one in services if one["name"] == "gateway")
        os.kill(pid, signal.SIGKILL)
        after, err = watching.communicate(timeout=90)
    finally:
        watching.kill()
    assert watching.returncode == 0, before + after + err
    assert "connecting again" in after
    types = [line.split()[2] for line in (before + after).splitlines() if line[2:3] == ":"]
    assert types.count("step.completed") == 2
    assert types[-1] == "execution.completed"


def test_approval(hv: Hv) -> None:
    """An execution waits until somebody approves; a rejected one is cancelled."""
    identity = accepted(hv, "guarded")
    assert hv("pause", identity).code == 2
    assert hv("approve", identity, "-c", "go ahead").code == 0
    assert hv("watch", identity).code == 0
    other = accepted(hv, "guarded")
    assert hv("reject", other).code == 0
    assert hv("watch", other).code == 4
    assert hv("approve", other).code == 2


def test_a_gate_is_shown_and_approved_by_another_person(hv: Hv, tmp_path: Path) -> None:
    """Who asked cannot approve; another key's owner sees what runs, and names its hash."""
    template = tmp_path / "gated.yaml"
    template.write_text(GATED, encoding="utf-8")
    assert hv("templates", "create", str(template)).code == 0
    identity = accepted(hv, "gated")
    key = hv("keys", "create", "gwen", "--group", "ops", "--json").json()
    key_file = tmp_path / "gwen.key"
    key_file.write_text(key["secret"], encoding="utf-8")
    as_gwen = ("--key-file", str(key_file))
    assert hv("approvals").out.strip() == "Nothing waits for you."
    assert "asked for the run" in hv("approvals", "--all").out
    assert identity in hv("approvals", "-q", *as_gwen).out.split()
    shown = hv("approvals", "show", identity, *as_gwen).out
    assert "echo hello" in shown
    assert "effects: irreversible, no rollback" in shown
    asked = hv("approvals", "show", identity, "--json").json()[0]["subject_hash"]
    without = hv("approve", identity, *as_gwen)
    assert (without.code, f"--yes --hash {asked}" in without.err) == (2, True)
    assert hv("approve", identity, "--yes", "--hash", "0" * 64, *as_gwen).code == 2
    mine = hv("approve", identity, "--yes", "--hash", asked)
    assert (mine.code, "would not count" in mine.err) == (3, True)
    assert hv("approve", identity, "--yes", "--hash", asked, *as_gwen).code == 0
    assert hv("watch", identity).code == 0
    assert hv("approvals", "show", identity).out.count("approved so far: gwen") == 1
    assert "gwen" in hv("keys").out
    assert hv("keys", "revoke", key["key"]["id"]).code == 0
    assert hv("approvals", *as_gwen).code == 3


def test_pause_and_resume(hv: Hv) -> None:
    """A paused execution starts nothing new until it is resumed."""
    identity = accepted(hv, "sleep")
    assert hv("pause", identity, "--reason", "lunch").code == 0
    assert hv("run", "greet", "-p", "who=other", "--wait").code == 0
    assert status(hv, identity) == "paused"
    assert hv("resume", identity).code == 0
    assert hv("cancel", identity).code == 0
    assert hv("watch", identity).code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "nope"), 2, "There is no template 'nope'"),
        (("run", "greet"), 2, "parameters/who"),
        (("run", "greet", "-p", "who=a", "-p", "times=x"), 2, "'x' is not a whole number"),
        (("run", "greet", "-p", "who=a", "-p", "times=9"), 2, "parameters/times: 9 is greater"),
        (("run", "greet", "-p", "whom=a"), 2, "did you mean who?"),
        (("run", "greet", "-p", "who"), 2, "is not name=value"),
        (("run", "greet", "--version", "9.9.9", "-p", "who=a"), 2, "9.9.9"),
        (("run", "greet", "--file", "absent.yaml"), 2, "cannot be read"),
        (
            ("show", "ex_nothing"),
            2,
            "There is no execution 'ex_nothing'. `hv executions` lists them.",
        ),
        (("watch", "ex_nothing"), 2, "There is no execution"),
        (("logs", "ex_nothing"), 2, "There is no execution"),
        (("approve", "ex_nothing"), 2, "There is no execution"),
        (
            ("templates", "show", "nope"),
            2,
            "There is no template 'nope'. `hv templates` lists them.",
        ),
        (("delegations", "accept", "dl_nothing"), 2, "dl_nothing"),
        (("executions", "--url", "http://127.0.0.1:9"), 3, "cannot be reached"),
        (("executions", "--url", "nonsense"), 2, "is not an address"),
        (("executions", "--key-file", "greet.yaml"), 3, "does not hold one API key"),
        (("executions", "--status", "sleepy"), 2, "sleepy"),
    ],
)
def test_bad_input(hv: Hv, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Every mistake is a sentence on standard error with its exit code, and never a traceback."""
    done = hv(*arguments)
    assert done.code == code, done.out + done.err
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize("key", ["schlüssel", "two words", "two\nlines"])
def test_what_is_no_key_is_not_sent(hv: Hv, key: str) -> None:
    """A key that no header can hold is said before anything is asked."""
    done = hv("executions", HIVE_API_KEY=key)
    assert (done.code, done.err) == (3, "hv: HIVE_API_KEY does not hold one API key.\n")


def test_something_else_at_the_address_is_said(hv: Hv) -> None:
    """A server that is not the gateway is called what it is."""
    handler = http.server.BaseHTTPRequestHandler
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = hv("executions", "--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.code == 3
    assert "answered 501" in done.err
    assert f"is the address right (http://127.0.0.1:{server.server_port}/)?" in done.err


def test_a_full_disk_is_said(hv: Hv) -> None:
    """Output that cannot be written is a sentence and exit code 74, whatever the command did."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [str(HV), "templates", "--json"],
            env={**os.environ, "HIVE_HOME": str(hv.home)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (74, "hv: No space left on device.\n")


def test_a_reader_that_leaves_is_no_failed_workflow(hv: Hv) -> None:
    """Where `head` has seen enough the exit code says neither success nor failure: 141."""
    identity = accepted(hv, "sleep")
    watching = hv.start("watch", identity)
    try:
        assert watching.stdout is not None
        watching.stdout.readline()
        watching.stdout.close()
        assert hv("cancel", identity).code == 0
        assert watching.wait(timeout=60) == 141
        assert watching.stderr is not None
        assert watching.stderr.read() == ""
    finally:
        watching.kill()


def test_ctrl_c_leaves_the_execution_alone(hv: Hv) -> None:
    """Who stops watching is told how to go on, and the workflow runs."""
    identity = accepted(hv, "sleep")
    watching = hv.start("watch", identity)
    try:
        assert watching.stdout is not None
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=60)
    finally:
        watching.kill()
    assert watching.returncode == 130, out + err
    assert f"{identity} goes on.\n  follow it   hv watch {identity}" in out
    assert err == ""
    assert status(hv, identity) == "running"
    assert hv("cancel", identity).code == 0


def test_a_wrong_key_is_said(hv: Hv) -> None:
    """A key that the gateway does not know is exit code 3."""
    done = hv("executions", "--json", HIVE_API_KEY="hive_wrong")
    assert done.code == 3
    assert done.json()["error"]["status"] == 401


def test_a_bad_template_file_names_the_line(hv: Hv) -> None:
    """Mistakes that only the gateway finds are located in the file as well."""
    bad = GREET.replace('params.who }}", TIMES', 'params.hwo }}", TIMES')
    (hv.home / "bad.yaml").write_text(bad.replace("greet", "bad"), encoding="utf-8")
    done = hv("templates", "create", "bad.yaml")
    assert done.code == 2
    assert "bad.yaml:12: steps/0/parameters" in done.err
    (hv.home / "bad.yaml").write_text(GREET.replace("command:", "comand:", 1), encoding="utf-8")
    assert (
        "bad.yaml:9: steps/0/comand: there is no such field"
        in hv("templates", "create", "bad.yaml").err
    )


def test_tasks_for_people(hv: Hv) -> None:
    """A delegated task waits for a person, who accepts and completes it with `hv`."""
    assert hv("agents", "--json").json()["agents"][0]["name"] == "solo"
    nobody = hv("run", "task_delegation", "-p", "task=Rotate the certificates.", "--wait")
    assert nobody.code == 1
    responder = hv.start("responder", "--name", "helper", "--capability", "other")
    try:
        parameters = ("-p", "task=Look around.", "-p", "required_capabilities=other")
        more = ("-p", "wait_for=completed", "--wait", "--timeout", "60")
        assert responder.stdout is not None
        assert responder.stdout.readline().startswith("ready")
        done = hv("run", "task_delegation", *parameters, *more)
        assert done.code == 0, done.out + done.err
    finally:
        responder.terminate()
        responder.communicate(timeout=30)
    assert responder.returncode == 0
    (delegation,) = hv("delegations", "--status", "completed", "--json").json()
    assert delegation["offers"][-1]["participant"] == "helper"
    assert hv("delegations", "decline", delegation["id"], "--as", "helper").code == 2


def test_who_takes_tasks(hv: Hv) -> None:
    """A person is added, changed, listed and removed; a name that cannot be is said."""
    added = hv("participants", "add", "anna", "-c", "storage", "--description", "Storage")
    assert (added.code, added.out) == (0, "anna (human) is available, who can storage.\n")
    assert hv("participants", "add", "anna", "--away", "--json").json()["available"] is False
    (anna,) = (one for one in hv("participants", "--json").json() if one["name"] == "anna")
    assert anna["kind"] == "human"
    assert "anna" in hv("participants").out
    assert hv("participants", "remove", "anna").code == 0
    assert "anna" not in hv("participants").out
    assert hv("participants", "remove", "anna").code == 2
    wrong = hv("participants", "add", "Anna B")
    assert wrong.code == 2
    assert "name: " in wrong.err


def test_ids_for_the_shell(hv: Hv) -> None:
    """With --quiet there are ids on standard output and nothing else."""
    run = hv("run", "greet", "-p", "who=quiet", "--quiet")
    assert run.code == 0, run.err
    assert run.out.startswith("ex_")
    assert hv("executions", "--quiet", "--limit", "1").out == run.out
    assert hv("delegations", "--quiet", "--execution", run.out.strip()).out == ""


def test_what_is_advised_can_be_typed(hv: Hv) -> None:
    """Advice names `hv` by the path under which it was called, and from PATH by its name."""
    identity = accepted(hv, "greet", "-p", "who=advice")
    assert f"  logs        hv logs {identity}" in hv("show", identity).out
    typed = subprocess.run(
        ["./hv", "show", identity],
        cwd=HV.parent,
        env={**os.environ, "HIVE_HOME": str(hv.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"  logs        ./hv logs {identity}" in typed.stdout


def test_memory(hv: Hv) -> None:
    """What is remembered is recalled, best first."""
    kept = hv("remember", "Restart the broker twice.", "-t", "broker", "--json").json()
    found = hv("recall", "broker", "--json").json()
    assert found[0]["memory"]["id"] == kept["id"]
    assert "Restart the broker twice." in hv("recall", "broker").out


def test_shell_completion(hv: Hv) -> None:
    """The shell completes templates and execution ids from the running gateway."""

    def completed(words: str) -> str:
        count = str(len(words.split(" ")) - 1)
        return hv(
            _HV_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count, COLUMNS="200"
        ).out

    assert completed("hv run inci").split() == ["incident_response"]
    identity = accepted(hv, "greet", "-p", "who=complete")
    assert identity in completed("hv show ex_")
    assert "gateway" in completed("hv logs gate")
