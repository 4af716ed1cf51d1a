"""Names for what was lifted: of a parameter by where its values stood, and what they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.learning.command_text import kind_of
from shared.workflow.declared import ParameterType
from shared.workflow.names import _CEL_WORDS

_BY_PROGRAM: Final[Mapping[str, str]] = {
    "systemctl": "service", "service": "service", "journalctl": "service", "rc-service": "service",
    "ssh": "host", "ping": "host", "nmap": "target", "traceroute": "host", "dig": "domain",
    "host": "domain", "nslookup": "domain", "scp": "source", "rsync": "source",
    "docker": "container",
    "podman": "container", "pip": "package", "apt": "package", "apt-get": "package",
    "dnf": "package", "yum": "package", "npm": "package", "brew": "package", "mkdir": "directory",
    "rmdir": "directory", "useradd": "account", "userdel": "account", "usermod": "account",
    "kill": "process_id", "helm": "release", "unzip": "archive", "tar": "archive",
    "zcat": "archive", "terraform": "workspace", "pytest": "tests", "kubectl": "resource",
}  # fmt: skip
_BY_WORD: Final[Mapping[str, str]] = {
    "checkout": "branch", "switch": "branch", "branch": "branch", "merge": "branch",
    "pull": "remote", "push": "remote", "install": "package", "logs": "container",
    "cordon": "node", "uncordon": "node", "drain": "node", "rollout": "deployment",
    "scale": "deployment", "clone": "repository", "tag": "tag",
}  # fmt: skip
_BY_OPTION: Final[Mapping[str, str]] = {
    "-m": "message", "-u": "unit", "-p": "port", "-o": "output", "-f": "file", "-n": "number",
    "-i": "input", "-d": "directory", "-c": "config", "-t": "tag", "-k": "filter",
    "-e": "expression",
}  # fmt: skip
_BY_OPTION_OF: Final[Mapping[tuple[str, str], str]] = {
    ("kubectl", "-n"): "namespace", ("helm", "-n"): "namespace", ("kubectl", "-l"): "selector",
    ("journalctl", "-u"): "service", ("tail", "-n"): "lines", ("head", "-n"): "lines",
    ("sed", "-n"): "lines", ("docker", "-t"): "image", ("ssh", "-i"): "key_file",
    ("python", "-m"): "module", ("python", "-c"): "code", ("sed", "-i"): "edit",
    ("make", "-j"): "jobs", ("fcrackzip", "-p"): "word_list", ("sudo", "-u"): "account",
}  # fmt: skip
_BY_KIND: Final[Mapping[str, str]] = {
    "address": "address", "url": "url", "number": "number", "hex": "revision", "text": "text",
    "account": "account", "file": "file", "path": "path", "word": "name", "other": "value",
}  # fmt: skip
_MEANT: Final[Mapping[str, str]] = {
    "address": "An address.", "url": "An address on the web.", "file": "A file.", "path": "A path.",
}  # fmt: skip
_SPECIFIC: Final = frozenset({"address", "url", "file", "account", "path"})

PLAIN: Final[Mapping[str, str]] = {
    "address": r"^[A-Za-z0-9][A-Za-z0-9.:/@_-]*$",
    "word": r"^[A-Za-z0-9_][A-Za-z0-9_.:@+-]*$",
    "hex": r"^[0-9a-f]{4,64}$",
}
"""What the values of a kind look like, where all that were seen do."""
NOT_AN_OPTION: Final = r"^[^-]"
"""A value that begins with a hyphen would be read as an option."""


def kind_of_values(values: Iterable[str]) -> str:
    """The kind that most of the values are of, such as `address` or `file`."""
    kinds = Counter(kind_of(value) or "other" for value in values)
    return max(kinds, key=lambda kind: (kinds[kind], kind)) if kinds else "other"


def type_of(values: Iterable[str]) -> ParameterType:
    """The type of a parameter with these values."""
    found = list(values)
    whole = all(re.fullmatch(r"0|[1-9][0-9]{0,14}", value) for value in found)
    return ParameterType.INTEGER if found and whole else ParameterType.STRING


def pattern_of(values: Sequence[str], kind: str) -> str | None:
    """A pattern that all values match, which keeps others from being read as options."""
    plain = PLAIN.get(kind)
    if plain is not None and all(re.match(plain, value) for value in values):
        return plain
    if values and all(re.match(NOT_AN_OPTION, value) for value in values):
        return NOT_AN_OPTION
    return None


def name_of_place(
    program: str, words: Sequence[str], at: int, kind: str, option: str = ""
) -> tuple[int, str]:
    """How well a place names what stands there (the lower the better), and the name. `words` are
    the fixed words before it, `at` is its place among the arguments, `option` the option whose
    value it is, if it is one."""
    if (program, option) in _BY_OPTION_OF:
        return 0, _BY_OPTION_OF[program, option]
    if option.startswith("--"):
        return 0, identifier(option)
    for word in reversed(words):
        if word in _BY_WORD and kind != "file":
            return 1, _BY_WORD[word]
    if program in _BY_PROGRAM and at <= 1 and kind in ("word", "other", "address", "number"):
        return 2, _BY_PROGRAM[program]
    if option in _BY_OPTION and kind not in _SPECIFIC:
        return 3, _BY_OPTION[option]
    if kind in _SPECIFIC:
        return 4, _BY_KIND[kind]
    named = _BY_KIND.get(kind, "value")
    return 5, _BY_PROGRAM.get(program, named) if at <= 1 else named


def identifier(text: str) -> str:
    """A text as the name of a step or a parameter."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name or not name[0].isalpha():
        name = f"x_{name}".rstrip("_")
    name = name[:48].rstrip("_")
    return f"{name}_" if name in _CEL_WORDS else name


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, with a number where it is taken."""
    used = set(taken)
    number, free = 2, name
    while free in used:
        free, number = f"{name}_{number}", number + 1
    return free


def meaning(kind: str) -> str:
    """What a value of a kind is, in a few words; empty where its name says it."""
    return _MEANT.get(kind, "")
