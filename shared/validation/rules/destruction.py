"""Rules about destructive commands: disks, databases, clusters, hosts.

They are part of the work; that is why a person should have looked. A step behind a gate of its own,
or of a workflow that asks before it starts, is not reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from shared.validation.programs import Run
from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject, Use

Judge = Callable[[Sequence[str]], str]
"""What is destructive about a program with these arguments; nothing if it is not."""

_DEVICE: Final = re.compile(r"^(of=)?/dev/(sd|hd|vd|xvd|nvme|mmcblk|mapper/|md|disk)")
_SQL: Final = re.compile(
    r"\b(drop\s{1,99}(?:database|schema|table)|truncate\s{1,99}(?:table\s{1,99})?\w"
    r"|delete\s{1,99}from\s{1,99}[\w.\"`]{1,200}\s{0,99}(?:;|$))",
    re.IGNORECASE,
)
_FORK_BOMB: Final = re.compile(r"(\S{1,40})_\(\)_\{_\1_\|_\1_&_\}_;_\1".replace("_", r"\s{0,9}"))


def _always(what: str) -> Judge:
    return lambda _arguments: what


def _words(what: str, *alternatives: Sequence[str]) -> Judge:
    """Destructive when all words of one alternative are among the arguments."""

    def judge(arguments: Sequence[str]) -> str:
        plain = {text.partition("=")[0] for text in arguments} | {*arguments}
        return what if any(plain.issuperset(words) for words in alternatives) else ""

    return judge


def _dd(arguments: Sequence[str]) -> str:
    return "overwrites a disk" if any(map(_DEVICE.match, arguments)) else ""


def _sql(arguments: Sequence[str]) -> str:
    found = next((m for m in map(_SQL.search, arguments) if m), None)
    return f"runs `{' '.join(found[1].split())}`" if found else ""


def _kubectl(arguments: Sequence[str]) -> str:
    if "delete" not in arguments:
        return ""
    kinds = {"namespace", "namespaces", "ns", "pv", "pvc", "crd", "node", "nodes"}
    named = kinds & {text.partition("/")[0] for text in arguments}
    everything = {"--all", "-A", "--all-namespaces"} & {*arguments}
    return f"deletes {' '.join(sorted(named or everything))}" if named or everything else ""


def _git(arguments: Sequence[str]) -> str:
    if "push" in arguments and {"-f", "--force", "--mirror"} & {*arguments}:
        return "overwrites what others have pushed"
    if "reset" in arguments and "--hard" in arguments:
        return "throws changes away"
    cleans = "clean" in arguments and any(re.match(r"-\w*f", text) for text in arguments)
    return "removes files that are not kept in git" if cleans else ""


def _kill(arguments: Sequence[str]) -> str:
    return "ends every process" if "-1" in arguments[-1:] and len(arguments) > 1 else ""


def _redis(arguments: Sequence[str]) -> str:
    found = {"FLUSHALL", "FLUSHDB"} & {text.upper() for text in arguments}
    return f"runs {found.pop()}" if found else ""


def _mongo(arguments: Sequence[str]) -> str:
    return "drops data" if re.search(r"\.drop(Database)?\(", " ".join(arguments)) else ""


_PROGRAMS: Final[Mapping[str, Judge]] = {
    **dict.fromkeys(("shutdown", "reboot", "halt", "poweroff"), _always("stops the host")),
    **dict.fromkeys(("wipefs", "blkdiscard", "shred"), _always("destroys data for good")),
    **dict.fromkeys(("psql", "mysql", "mariadb", "sqlite3", "sqlcmd", "cockroach"), _sql),
    **dict.fromkeys(("mongosh", "mongo"), _mongo),
    "dropdb": _always("drops a database"),
    "dd": _dd,
    "kubectl": _kubectl,
    "oc": _kubectl,
    "git": _git,
    "kill": _kill,
    "redis-cli": _redis,
    "terraform": _words("destroys what it manages", ["destroy"], ["apply", "-destroy"]),
    "tofu": _words("destroys what it manages", ["destroy"], ["apply", "-destroy"]),
    "aws": _words(
        "deletes in the cloud",
        ["s3", "rb"],
        ["s3", "rm", "--recursive"],
        ["terminate-instances"],
        ["delete-db-instance"],
        ["delete-stack"],
        ["delete-hosted-zone"],
    ),
    "gcloud": _words("deletes in the cloud", ["delete", "--quiet"], ["delete", "-q"]),
    "az": _words("deletes in the cloud", ["delete", "--yes"], ["delete", "-y"]),
    "docker": _words(
        "removes containers' data", ["system", "prune"], ["volume", "prune"], ["volume", "rm"]
    ),
    "podman": _words("removes containers' data", ["system", "prune"], ["volume", "prune"]),
    "zpool": _words("destroys a pool", ["destroy"]),
    "zfs": _words("destroys a file system", ["destroy"]),
    "lvremove": _always("removes a volume"),
    "vgremove": _always("removes a volume group"),
    "iptables": _words("drops every rule of the firewall", ["-F"], ["--flush"]),
    "nft": _words("drops every rule of the firewall", ["flush", "ruleset"]),
    "userdel": _words("removes a user with the home folder", ["-r"], ["--remove"]),
    "crontab": _words("removes every job", ["-r"]),
    "rabbitmqctl": _words("throws queues away", ["reset"], ["force_reset"]),
    "kafka-topics.sh": _words("deletes a topic", ["--delete"]),
    "etcdctl": _words("deletes keys", ["del", "--prefix"]),
    "helm": _words("removes a release", ["uninstall"], ["delete"]),
    "systemctl": _words("stops the host", ["poweroff"], ["reboot"], ["halt"]),
    "truncate": _words("empties a file", ["-s", "0"], ["--size"]),
}


def _destructive(subject: Subject) -> Iterator[Found]:
    for use, run in subject.runs:
        what = _what(run)
        if what and not _is_approved(subject, use):
            yield _found(subject, run, what)
    for use in subject.uses:
        script = use.parameters.get("script")
        match = _FORK_BOMB.search(script) if isinstance(script, str) else None
        if match is not None:
            path = f"{use.path}/parameters/script"
            place = subject.inside(path, match.start())
            yield Found(path, "a function that starts itself twice fills the host with processes",
                        "remove it", place=place)  # fmt: skip


def _what(run: Run) -> str:
    if run.name.startswith("mkfs"):
        return "makes a new file system"
    if any(_DEVICE.match(target.text) for target in run.command.writes_to):
        return "overwrites a disk"
    judge = _PROGRAMS.get(run.name)
    return judge(run.texts) if judge is not None else ""


def _found(subject: Subject, run: Run, what: str) -> Found:
    return Found(
        run.path,
        f"`{run.name or 'a redirection'}` {what}, and nobody is asked before",
        "put a gate (`approval`) before the step or the workflow",
        place=subject.in_run(run),
    )


def _is_approved(subject: Subject, use: Use) -> bool:
    whole = subject.template is not None and subject.template.policies.asks_first
    return whole or use.step.approval is not None


_HEAD: Final = "id: shrink_database\nname: Shrink a database\nsteps:\n"
_STEP: Final = """\
  - id: drop
    command: shell
    irreversible: the table was exported before
    parameters: {argv: [psql, -c, "DROP TABLE audit_2019"]}
"""

RULES: Final = (
    Rule(
        code="destructive-command",
        level="strict",
        severity="warning",
        summary="A command destroys something, and nobody is asked before.",
        why="Disks, databases and clusters do not come back. It takes a person a minute to look.",
        check=_destructive,
        bad=Example(_HEAD + _STEP),
        good=Example(f"{_HEAD}{_STEP}    approval: {{approvers: {{groups: [dba]}}}}\n"),
    ),
)
