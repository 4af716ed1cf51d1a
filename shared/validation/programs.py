"""Which programs a definition runs: those of `argv`, of scripts, and what they run in turn.

`sudo`, `env`, `timeout`, `xargs` and their like run another program, `sh -c` another script, `find
-exec` a command for each file: those are looked at, too, with what they were wrapped in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.validation.shell import Command, Script, Word, parse_script

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_MAX_DEPTH: Final = 4

_OPTIONS_WITH_VALUE: Final[Mapping[str, frozenset[str]]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-T", "-D", "-R", "-r", "-t", "--user"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "timeout": frozenset({"-k", "-s"}),
    "xargs": frozenset({"-n", "-P", "-I", "-d", "-L", "-s", "-a", "-E"}),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "time": frozenset(),
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "builtin": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "flock": frozenset({"-w", "-E"}),
    "chroot": frozenset(),
    "unshare": frozenset(),
    "watch": frozenset({"-n"}),
}
_OWN_ARGUMENTS: Final[Mapping[str, int]] = {"timeout": 1, "flock": 1, "chroot": 1}
"""Words before the program that they run: a duration, a lock, a folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """A program that is run. `path` leads to the text in which it stands, `offset` to its place in
    that; `wrappers` are the programs that run it."""

    path: str
    offset: int
    command: Command
    wrappers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program's name, without its folder."""
        return self.command.name

    @property
    def arguments(self) -> tuple[Word, ...]:
        """What it is given."""
        return self.command.arguments

    @property
    def texts(self) -> tuple[str, ...]:
        """The same as texts."""
        return tuple(word.text for word in self.command.arguments)


def is_shell(parameters: Mapping[str, Any]) -> bool:
    """Whether a script is read by a shell that is known here."""
    interpreter = parameters.get("interpreter", ["/bin/sh", "-e"])
    if not isinstance(interpreter, list | tuple) or not interpreter:
        return False
    names = [str(one).rpartition("/")[2] for one in interpreter]
    first = next((n for n in names if n != "env" and not n.startswith("-")), "")
    return first in SHELLS


def script_of(parameters: Mapping[str, Any]) -> str | None:
    """The text of a `shell` command's script, where a shell reads it."""
    text = parameters.get("script")
    return text if isinstance(text, str) and is_shell(parameters) else None


def runs(path: str, parameters: Mapping[str, Any]) -> Iterator[Run]:
    """The programs that a `shell` command runs; `path` is that of its parameters."""
    text = script_of(parameters)
    if text is not None:
        for command in parse_script(text).commands:
            yield from _unwrapped(Run(f"{path}/script", command.start, command), 0)
    argv = parameters.get("argv")
    if isinstance(argv, list | tuple) and argv and all(isinstance(one, str) for one in argv):
        words = tuple(Word(one, has_place="${{" in one) for one in argv)
        yield from _unwrapped(Run(f"{path}/argv", 0, Command(words)), 0)


def scripts_in(path: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, Script]]:
    """The scripts of a `shell` command, those that it hands to `sh -c` among them."""
    text = script_of(parameters)
    if text is not None:
        yield f"{path}/script", parse_script(text)
    for run in runs(path, parameters):
        inner = _inner_script(run.command)
        if inner is not None:
            yield run.path, parse_script(inner)


def _unwrapped(run: Run, depth: int) -> Iterator[Run]:
    """A program, and those that it runs in turn."""
    yield run
    if depth >= _MAX_DEPTH:
        return
    around = (*run.wrappers, run.name)
    for words in _inner_commands(run.command):
        command = Command(words, run.command.start, run.command.writes_to)
        yield from _unwrapped(Run(run.path, run.offset, command, around), depth + 1)
    script = _inner_script(run.command)
    for command in parse_script(script).commands if script is not None else ():
        yield from _unwrapped(Run(run.path, run.offset, command, around), depth + 1)


def _inner_commands(command: Command) -> Iterator[tuple[Word, ...]]:
    name = command.name
    if name in _OPTIONS_WITH_VALUE:
        inner = _after_options(name, command.arguments)
        if inner:
            yield inner
    elif name == "find":
        yield from _executed(command.arguments)
    elif name in _ENTERING:
        yield from _ENTERING[name](command.arguments)


def _after_options(name: str, words: tuple[Word, ...]) -> tuple[Word, ...]:
    """What is left of a wrapper's words: the program that it runs."""
    left, own = list(words), _OWN_ARGUMENTS.get(name, 0)
    while left:
        text = left[0].text
        if text == "--":
            left = left[1:]
            break
        if text.startswith("-") and len(text) > 1:
            left = left[2 if text in _OPTIONS_WITH_VALUE[name] else 1 :]
        elif name in ("env", "sudo") and "=" in text:
            left = left[1:]
        elif own:
            left, own = left[1:], own - 1
        else:
            break
    return tuple(left)


def _executed(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """What `find` runs: the words between `-exec` and its end."""
    starts = [i for i, w in enumerate(words) if w.text in ("-exec", "-execdir", "-ok", "-okdir")]
    for start in starts:
        ends = [i for i, w in enumerate(words) if i > start and w.text in (";", "+")]
        yield tuple(words[start + 1 : ends[0] if ends else len(words)])


def _after_dashes(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """`kubectl exec pod -- program`."""
    dashes = [i for i, word in enumerate(words) if word.text == "--"]
    if dashes and any(word.text == "exec" for word in words):
        yield tuple(words[dashes[0] + 1 :])


_ENTERING: Final[Mapping[str, Callable[[Sequence[Word]], Iterator[tuple[Word, ...]]]]] = {
    "kubectl": _after_dashes,
    "oc": _after_dashes,
}


def _inner_script(command: Command) -> str | None:
    """The script that a command hands to a shell, here or on another host."""
    words = command.arguments
    if any(word.substitutes for word in words):
        return None
    if command.name == "eval":
        return " ".join(word.text for word in words)
    if command.name in (*SHELLS, "su", "runuser"):
        return _after(words, "-c")
    if command.name == "ssh":
        plain = [w.text for w in _after_ssh_options(words)]
        return " ".join(plain[1:]) or None
    return None


def _after(words: Sequence[Word], option: str) -> str | None:
    for index, word in enumerate(words[:-1]):
        text = word.text
        joined = text.startswith("-") and not text.startswith("--") and option[1] in text[1:]
        if joined:
            return words[index + 1].text
    return None


_SSH_VALUES: Final = frozenset("bcDEeFIiJLlmOopQRSWw")


def _after_ssh_options(words: Sequence[Word]) -> list[Word]:
    left = list(words)
    while left and left[0].text.startswith("-"):
        option = left[0].text
        takes = len(option) == 2 and option[1] in _SSH_VALUES
        left = left[2 if takes else 1 :]
    return left
