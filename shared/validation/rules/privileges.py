"""Rules about rights: who may write, and who becomes somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.validation import patches
from shared.validation.finding import PatchOperation
from shared.validation.programs import Run
from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject

_OCTAL: Final = re.compile(r"^0?[0-7]{3,4}$")
_SYMBOLIC: Final = re.compile(r"^[ugoa]*[+=-][rwxXst]*(,[ugoa]*[+=-][rwxXst]*)*$")
_OTHERS_WRITE: Final = re.compile(r"(?:^|,)[ug]*[oa][ugoa]*[+=][rxXst]*w")
_SET_ID: Final = re.compile(r"(?:^|,)[ugoa]*[+=][rwxX]*s")
_ACCOUNTS: Final = (
    "/etc/sudoers",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/pam.d/",
)
_GROUPS: Final = frozenset({"sudo", "wheel", "docker", "root", "admin", "adm"})
_WRITES: Final = frozenset({"write", "copy", "template", "permissions"})


def opens_to_all(mode: str) -> bool:
    """Whether a mode lets everybody write; a folder like /tmp, with a sticky bit, is not meant."""
    if _OCTAL.match(mode):
        sticky = len(mode) == 4 and mode[0] in "1357"
        return bool(int(mode[-1]) & 2) and not sticky
    return bool(_SYMBOLIC.match(mode) and _OTHERS_WRITE.search(mode))


def _world_writable(subject: Subject) -> Iterator[Found]:
    for _, run in subject.runs:
        for mode in _modes(run):
            if opens_to_all(mode):
                yield Found(
                    run.path,
                    f"`{run.name}` lets everybody on the host write (`{mode}`)",
                    "give the right to an owner or a group",
                    place=subject.in_run(run),
                )
    yield from _masks(subject)
    for use in subject.uses:
        if use.command in ("file", "hv-sync"):
            yield from _written_modes(f"{use.path}/parameters", use.parameters)


def _masks(subject: Subject) -> Iterator[Found]:
    for _, run in subject.runs:
        mask = run.texts[0].zfill(3) if run.name == "umask" and run.texts else ""
        if _OCTAL.match(mask) and not int(mask[-1]) & 2:
            yield Found(run.path, f"with `umask {mask}` everybody can write what is made from here",
                        "use 022 or 077", place=subject.in_run(run))  # fmt: skip


def _modes(run: Run) -> Iterator[str]:
    texts = run.texts
    if run.name == "chmod":
        plain = [t for t in texts if not t.startswith("-") or re.match(r"-[rwxs]+$", t)]
        yield from plain[:1]
    elif run.name in ("install", "mkdir"):
        for index, text in enumerate(texts):
            if text in ("-m", "--mode") and index + 1 < len(texts):
                yield texts[index + 1]
            elif text.startswith("--mode="):
                yield text.partition("=")[2]
            elif re.match(r"-m[0-7]{3,4}$", text):
                yield text[2:]


def _written_modes(path: str, value: Any) -> Iterator[Found]:
    """Modes of files that are written, at any depth."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _written_modes(f"{path}/{index}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "mode" and isinstance(item, str) and opens_to_all(item):
                at = f"{path}/mode"
                yield Found(at, f"with mode {item} everybody on the host can write the file",
                            "take the right from the others", _closed(at, item))  # fmt: skip
            else:
                yield from _written_modes(f"{path}/{key}", item)


def _closed(path: str, mode: str) -> tuple[PatchOperation, ...]:
    return patches.replace(path, mode[:-1] + str(int(mode[-1]) & ~2))


def _escalations(subject: Subject) -> Iterator[Found]:
    for _, run in subject.runs:
        what = _gains(run.name, run.texts) or _account_file(run)
        if what:
            yield Found(run.path, f"`{run.name or 'a redirection'}` {what}",
                        "run the step on an agent that has the rights it needs and no more, and "
                        "name the program in that agent's policy",
                        place=subject.in_run(run))  # fmt: skip
    for use in subject.uses:
        path = use.parameters.get("path")
        changes = use.command == "file" and use.parameters.get("operation") in _WRITES
        if changes and isinstance(path, str) and _is_account_file(path):
            yield Found(f"{use.path}/parameters/path", f"`{path}` says who may do what on the host",
                        "leave it to the tools of the system, or to an agent of its own"
                        )  # fmt: skip


def _gains(name: str, texts: Sequence[str]) -> str:
    """How a program gets more rights; nothing if it does not."""
    joined = " ".join(texts)
    if name in ("sudo", "doas", "pkexec", "su", "runuser"):
        return "runs as somebody else"
    if name == "chmod" and any(_sets_id(text) for text in texts[:2]):
        return "makes a program run as its owner, whoever starts it"
    if name == "setcap":
        return "gives a program rights of the system"
    if name in ("docker", "podman"):
        return _container(texts)
    if name in ("usermod", "gpasswd", "adduser") and _GROUPS & set(re.split(r"[\s,]+", joined)):
        return "adds somebody to a group that may do everything"
    if name in ("kubectl", "oc") and "cluster-admin" in joined:
        return "gives the rights of a cluster's administrator"
    return {"nsenter": "enters the host's namespaces", "visudo": "changes who may do what",
            "setenforce": "turns the protection of the system off"}.get(name, "")  # fmt: skip


def _sets_id(mode: str) -> bool:
    if _OCTAL.match(mode):
        return len(mode) == 4 and int(mode[0]) >= 2 and int(mode[0]) & 6 != 0
    return bool(_SYMBOLIC.match(mode) and _SET_ID.search(mode))


def _container(texts: Sequence[str]) -> str:
    joined = " ".join(texts)
    if "--privileged" in texts or re.search(r"--cap-add[= ](ALL|SYS_ADMIN)", joined):
        return "starts a container that may do everything on the host"
    if re.search(r"(?:-v|--volume)[= ]?/(?::|var/run/docker\.sock)", joined):
        return "gives a container the whole host"
    return "shares the host's processes" if re.search(r"--pid[= ]host", joined) else ""


def _is_account_file(path: str) -> bool:
    return path.startswith(_ACCOUNTS) or path.endswith("/.ssh/authorized_keys")


def _account_file(run: Run) -> str:
    targets = [word.text for word in run.command.writes_to]
    targets += [t for t in run.texts if run.name in ("tee", "cp", "mv", "install")][-1:]
    hit = next((t for t in targets if _is_account_file(t)), "")
    return f"writes `{hit}`, which says who may do what on the host" if hit else ""


_HEAD: Final = "id: share_folder\nname: Share a folder\nsteps:\n"


def _step(argv: str) -> Example:
    return Example(f"""\
{_HEAD}\
  - id: share
    command: shell
    irreversible: the rights before are in the inventory
    parameters: {{argv: {argv}}}
""")


RULES: Final = (
    Rule(
        code="world-writable",
        level="strict",
        severity="error",
        summary="Everybody on the host may write something.",
        why="Whoever can write a file that somebody else reads or runs acts in their name.",
        check=_world_writable,
        bad=_step("[chmod, -R, '777', /srv/share]"),
        good=_step("[chmod, -R, 'g+w', /srv/share]"),
    ),
    Rule(
        code="privilege-escalation",
        level="strict",
        severity="warning",
        summary="A program gets more rights than its agent has.",
        why="What an agent may do is said in its policy. A step that becomes somebody else goes "
        "around it, and so does whoever can change the step.",
        check=_escalations,
        bad=_step("[sudo, systemctl, restart, smbd]"),
        good=_step("[systemctl, restart, smbd]"),
    ),
)
