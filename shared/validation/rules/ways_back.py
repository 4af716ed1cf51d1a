"""Rules about the way back: whatever changes something can be undone, or is known not to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.commands.spec import Effects
from shared.validation import patches
from shared.validation.programs import SHELLS, Run, runs
from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject, Use

_CHANGES: Final = frozenset({
    "rm", "mv", "cp", "dd", "tee", "kill", "killall", "pkill", "touch", "mkdir", "rmdir", "ln",
    "chmod", "chown", "truncate", "install", "rsync", "scp", "useradd", "userdel", "usermod",
    "mkfs", "mount", "umount", "reboot", "shutdown", "crontab",
})  # fmt: skip
_CHANGING_ACTIONS: Final = frozenset({
    "start", "stop", "restart", "reload", "enable", "disable", "delete", "apply", "create", "patch",
    "install", "upgrade", "uninstall", "rollback", "push", "commit", "destroy", "remove", "scale",
})  # fmt: skip
_ACTING: Final = frozenset({
    "systemctl", "service", "kubectl", "helm", "git", "docker", "podman", "apt-get", "apt", "dnf",
    "yum", "terraform",
})  # fmt: skip


def effects(subject: Subject, use: Use) -> Effects:
    """What a use of a command changes; nothing where the command is not known."""
    spec = subject.registry.get(use.command)
    return spec.effects_of(use.parameters) if spec is not None else Effects.NONE


def keeps_by_itself(subject: Subject, use: Use) -> bool:
    """Whether its command keeps what was there before it changes it."""
    spec = subject.registry.get(use.command)
    return spec is not None and bool(spec.captures)


def is_protected(subject: Subject, use: Use) -> bool:
    """Whether there is a way back from a step, or it is known that there is none."""
    step = use.step
    written = step.rollback is not None or step.capture is not None or bool(step.irreversible)
    return written or keeps_by_itself(subject, use)


def _no_way_back(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        if use.role != "step" or effects(subject, use) is Effects.NONE:
            continue
        if not is_protected(subject, use) and not only_reads(use):
            yield Found(
                use.path,
                f"`{use.step.id}` may change something, and nothing says how that is undone",
                "give it a `rollback`, a `capture`, or say in `irreversible` why nothing can undo "
                "it (a program that only reads has nothing to undo: say that)",
            )


def _needless(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        if use.role != "step" or use.command not in subject.registry:
            continue
        if effects(subject, use) is Effects.NONE:
            for field in ("rollback", "irreversible"):
                if getattr(use.step, field):
                    at = f"{use.path}/{field}"
                    yield Found(at, f"`{use.step.id}` changes nothing, so there is nothing to undo",
                                f"remove `{field}`", patches.remove(at))  # fmt: skip


def _changing(subject: Subject, role: str) -> Iterator[Found]:
    for use in subject.uses:
        if use.role != role:
            continue
        what = _what_changes(subject, use)
        if what:
            yield Found(f"{use.path}/command" if what == use.command else use.path,
                        f"`{what}` changes something, and a {_WORDS[role]} must only look",
                        "use a command that only reads")  # fmt: skip


def only_reads(use: Use) -> bool:
    """Whether all programs of a shell command are known to read only."""
    return use.command == "shell" and programs_only_read(use.parameters, f"{use.path}/parameters")


def programs_only_read(parameters: Mapping[str, Any], path: str = "") -> bool:
    """The same of a shell command with these parameters."""
    if parameters.get("background") == "leave":
        return False
    found = list(runs(path, parameters))
    return bool(found) and all(_reads(run) for run in found)


def _reads(run: Run) -> bool:
    if run.name == "awk" and any(word in text for text in run.texts for word in _AWK_CHANGES):
        return False
    if any(_is_kept(target.text) for target in run.command.writes_to):
        return False
    changing = _CHANGING_OPTIONS.get(run.name, frozenset())
    options = {text.partition("=")[0] for text in run.texts if text.startswith("-")}
    return (run.name in _READS or run.name in SHELLS) and not changing & options


_READS: Final = frozenset({
    "", "[", "[[", "awk", "basename", "bc", "blkid", "cat", "cd", "cmp", "column", "command", "cut",
    "date", "df", "diff", "dig", "dirname", "dmesg", "du", "echo", "env", "exit", "expr", "false",
    "file", "find", "free", "getconf", "getent", "grep", "egrep", "fgrep", "head", "host",
    "hostname", "id", "ip", "journalctl", "jq", "last", "ls", "lsblk", "lscpu", "lsof",
    "md5sum", "mountpoint", "nproc", "nslookup", "pgrep", "ping", "printf", "ps", "pwd", "read",
    "readlink", "realpath", "sed", "seq", "set", "sha1sum", "sha256sum", "sleep", "sort", "ss",
    "stat", "tail", "test", "timeout", "tr", "true", "uname", "uniq", "uptime", "vmstat", "w",
    "wc", "which", "who", "whoami", "xargs", "yq", "zcat", "zgrep", "shift", "return", "local",
    "export", "nice", "nohup",
})  # fmt: skip
_AWK_CHANGES: Final = ("system(", '| "', '|"', '> "', '>"', "inplace")
"""How a program of awk runs another one, or writes a file."""
_CHANGING_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "date": frozenset({"-s", "--set"}),
    "find": frozenset({"-delete", "-fprint", "-fls", "-fprintf"}),
    "hostname": frozenset({"-F", "-b"}),
    "journalctl": frozenset({"--vacuum-size", "--vacuum-time", "--rotate", "--flush"}),
    "sed": frozenset({"-i", "--in-place"}),
    "sort": frozenset({"-o", "--output"}),
    "yq": frozenset({"-i", "--inplace"}),
    "dmesg": frozenset({"-c", "-C", "--clear"}),
}

_WORDS: Final = {"capture": "capture", "verify": "verification"}


def _what_changes(subject: Subject, use: Use) -> str:
    """What in a use of a command changes something; of a shell, as far as its programs tell."""
    if use.command != "shell":
        return use.command if effects(subject, use) is not Effects.NONE else ""
    for run in runs(f"{use.path}/parameters", use.parameters):
        if run.name in _CHANGES or any(_is_kept(t.text) for t in run.command.writes_to):
            return run.name or "a redirection"
        if run.name in _ACTING and _CHANGING_ACTIONS & set(run.texts):
            return f"{run.name} {' '.join(run.texts[:2])}"
        if run.name == "sed" and any(text.startswith("-i") for text in run.texts):
            return "sed -i"
    return ""


def _is_kept(target: str) -> bool:
    return target not in ("/dev/null", "/dev/stderr", "/dev/stdout")


def _captures(subject: Subject) -> Iterator[Found]:
    return _changing(subject, "capture")


def _verifications(subject: Subject) -> Iterator[Found]:
    return _changing(subject, "verify")


def _nothing_captured(subject: Subject) -> Iterator[Found]:
    for use in subject.expressions:
        if use.kind != "way_back" or use.step is None or use.step.capture is not None:
            continue
        if any(name == "captured" or name.startswith("captured.") for name in use.names):
            yield Found(use.path, f"`captured` is used, and `{use.step.id}` has no `capture`",
                        "give the step a `capture`, or use what it returned: `output`"
                        )  # fmt: skip


def _repeated(subject: Subject) -> Iterator[Found]:
    for path, step in subject.steps:
        undo = step.rollback
        if undo is None or not step.command:
            continue
        if (undo.command, undo.parameters) == (step.command, step.parameters):
            yield Found(f"{path}/rollback", f"the rollback of `{step.id}` does the same once more",
                        "write what undoes it")  # fmt: skip


def _idle_policy(subject: Subject) -> Iterator[Found]:
    template = subject.template
    if template is None:
        return
    rollback = template.policies.rollback
    wanted = [name for name in ("on_failure", "on_cancel") if getattr(rollback, name)]
    ways = any(
        step.rollback is not None or step.capture is not None for _, step in subject.steps
    ) or any(
        keeps_by_itself(subject, u) and effects(subject, u) is not Effects.NONE
        for u in subject.uses
    )
    calls = any(step.workflow is not None for _, step in subject.steps)
    for name in wanted if not template.policies.rollback_enabled else ():
        yield Found(f"policies/rollback/{name}", "rollback is turned off by `rollback_enabled`",
                    "remove one of the two")  # fmt: skip
    for name in wanted if template.policies.rollback_enabled and not (ways or calls) else ():
        yield Found(f"policies/rollback/{name}", "no step has anything to roll back",
                    "give steps a `rollback` or a `capture`")  # fmt: skip


_HEAD: Final = "id: move_alias\nname: Move an alias\nsteps:\n"
_SOUND: Final = Example(f"""\
{_HEAD}\
  - id: switch
    command: shell
    parameters: {{argv: [ln, -sfn, /srv/app/new, /srv/app/current]}}
    capture:
      command: shell
      parameters: {{argv: [readlink, /srv/app/current]}}
    rollback:
      command: shell
      parameters: {{argv: [ln, -sfn, "${{{{ captured.stdout }}}}", /srv/app/current]}}
""")


def _bad(text: str) -> Example:
    return Example(_HEAD + text)


RULES: Final = (
    Rule(
        code="no-way-back",
        level="strict",
        severity="error",
        summary="A step changes something and has no way back.",
        why="When a later step fails, what this one did stays. Somebody has to find out what that "
        "was, at a bad time. Before the run there is time to think about it.",
        check=_no_way_back,
        bad=_bad("""\
  - id: switch
    command: shell
    parameters: {argv: [ln, -sfn, /srv/app/new, /srv/app/current]}
"""),
        good=_SOUND,
    ),
    Rule(
        code="needless-way-back",
        level="strict",
        severity="info",
        summary="A step that changes nothing says how it is undone.",
        why="A rollback would do something that was never done before.",
        check=_needless,
        bad=_bad("""\
  - id: look
    command: http
    parameters: {url: "https://example.com/health"}
    rollback:
      command: noop
"""),
        good=_SOUND,
    ),
    Rule(
        code="capture-changes",
        level="strict",
        severity="error",
        summary="A capture changes something.",
        why="It is taken before the step, also in runs that never get further, and nothing undoes "
        "it.",
        check=_captures,
        bad=_bad("""\
  - id: switch
    command: shell
    parameters: {argv: [ln, -sfn, /srv/app/new, /srv/app/current]}
    capture:
      command: shell
      parameters: {argv: [mv, /srv/app/current, /srv/app/before]}
"""),
        good=_SOUND,
    ),
    Rule(
        code="verification-changes",
        level="strict",
        severity="error",
        summary="The verification of a rollback changes something.",
        why="It is to tell whether the way back worked; what it does itself nothing undoes.",
        check=_verifications,
        bad=_bad("""\
  - id: switch
    command: shell
    parameters: {argv: [ln, -sfn, /srv/app/new, /srv/app/current]}
    rollback:
      command: shell
      parameters: {argv: [ln, -sfn, /srv/app/old, /srv/app/current]}
      verify:
        command: shell
        parameters: {argv: [systemctl, restart, app]}
"""),
        good=_SOUND,
    ),
    Rule(
        code="nothing-captured",
        level="standard",
        severity="error",
        summary="A rollback uses `captured`, and nothing is captured.",
        why="The rollback could not be rendered: the way back would end before it began.",
        check=_nothing_captured,
        bad=_bad("""\
  - id: switch
    command: shell
    parameters: {argv: [ln, -sfn, /srv/app/new, /srv/app/current]}
    rollback:
      command: shell
      parameters: {argv: [ln, -sfn, "${{ captured.stdout }}", /srv/app/current]}
"""),
        good=_SOUND,
    ),
    Rule(
        code="rollback-repeats-step",
        level="strict",
        severity="warning",
        summary="The rollback of a step does what the step did.",
        why="It undoes nothing, and most likely was copied and not changed.",
        check=_repeated,
        bad=_bad("""\
  - id: switch
    command: shell
    parameters: {argv: [ln, -sfn, /srv/app/new, /srv/app/current]}
    rollback:
      command: shell
      parameters: {argv: [ln, -sfn, /srv/app/new, /srv/app/current]}
"""),
        good=_SOUND,
    ),
    Rule(
        code="idle-rollback",
        level="strict",
        severity="warning",
        summary="A rollback is asked for that has nothing to do.",
        why="Whoever reads the policy believes that a failure is undone.",
        check=_idle_policy,
        bad=_bad("""\
  - id: look
    command: noop
policies:
  rollback: {on_failure: true}
"""),
        good=_SOUND,
    ),
)
