"""An agent's policy: which commands, programs, files and hosts it may touch, as its owner wrote it
down.

The law: `deny` wins over `allow`; what no `allow` entry matches is refused; every refusal names
its rule.

What a policy can and cannot do: the agent enforces `roots` and `http` on what it does itself
(`file`, `http`). A program that it starts can do whatever the operating-system user of the agent
can do. That user, and `executables`, are the boundary for `shell`.
"""

import functools
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.executor.policy_defaults import EVERYTHING, LOADING_VARIABLES, METADATA_HOSTS
from services.executor.secret_rules import SecretRules
from shared.net.addresses import Address, kind_if_not_public, unwrapped

FILE_LIMIT_BYTES = 1_048_576
"""Largest policy file, in bytes."""


@dataclass(frozen=True)
class Allowed:
    """The policy permits it."""


@dataclass(frozen=True)
class Refused:
    """The policy forbids it: by which rule, in one sentence, and what would permit it."""

    rule: str
    message: str
    fix: str


Decision = Allowed | Refused
ALLOWED = Allowed()


class PolicyError(ValueError):
    """A policy file that cannot be used; the message names the file, the key and the remedy."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NameRules(_Section):
    """Glob patterns; `deny` wins."""

    allow: tuple[str, ...] = (EVERYTHING,)
    deny: tuple[str, ...] = ()


class HttpRules(_Section):
    """Hosts by glob on the name, by address, or by network in CIDR form; `deny` wins."""

    allow_hosts: tuple[str, ...] = ("*",)
    deny_hosts: tuple[str, ...] = METADATA_HOSTS
    allow_private: bool = True


class ShellRules(_Section):
    """Whether `shell` may run scripts, not only programs, and which variables a step may not set.

    Without `deny_env` it is LOADING_VARIABLES where programs are listed, else none.
    """

    allow_scripts: bool = True
    deny_env: tuple[str, ...] | None = None


class Policy(_Section):
    """What one agent may do. The defaults permit every command and program, and no file.

    Programs and scripts are open by default because refusing scripts alone protects from nothing
    while `sh -c` is a program like any other; who wants less lists the programs. Private addresses
    are open because a fleet's own services live there; credentials of the cloud are not.
    """

    commands: NameRules = NameRules()
    executables: NameRules = NameRules()
    roots: tuple[Path, ...] = Field(default=(), description="Directories the agent may touch.")
    http: HttpRules = HttpRules()
    shell: ShellRules = ShellRules()
    secrets: SecretRules = SecretRules()

    @field_validator("roots")
    @classmethod
    def _absolute(cls, roots: tuple[Path, ...]) -> tuple[Path, ...]:
        for root in roots:
            if not root.is_absolute():
                raise ValueError(f"'{root}' must be an absolute path")
        return roots

    def with_root(self, directory: Path) -> "Policy":
        """The same policy with one more root, such as the agent's own data directory."""
        if directory in self.roots:
            return self
        return self.model_copy(update={"roots": (*self.roots, directory)})

    def command(self, name: str) -> Decision:
        """Whether the agent runs this command at all."""
        return _by_name("commands", self.commands, name, f"the command '{name}'")

    def executable(self, path: Path) -> Decision:
        """Whether the agent starts this program; `path` is absolute, found, not yet resolved.

        A pattern with a slash is matched against the whole path, any other against the file's
        name; both with and without resolving symbolic links, so that a link is no way around
        `deny`. In `allow` a name stands for a program of the host: one in the agent's own PATH.
        A step could write another file of that name.
        """
        forms = list(dict.fromkeys((path, path.resolve())))
        described = f"the program '{path}'"
        denied = _denying("executables.deny", self.executables.deny, forms, described)
        if denied is not None:
            return denied
        own = [form for form in forms if form.parent in _program_directories()]
        for pattern in self.executables.allow:
            anywhere = "/" in pattern or pattern == EVERYTHING
            if any(_fits(form, pattern) for form in (forms if anywhere else own)):
                return ALLOWED
        return _unlisted("executables.allow", str(path), described)

    def variable(self, name: str) -> Decision:
        """Whether a step may set this environment variable for a program."""
        patterns = self.shell.deny_env
        if patterns is None:
            patterns = () if self.executables.allow == (EVERYTHING,) else LOADING_VARIABLES
        denied = _denying("shell.deny_env", patterns, [name], f"setting the variable '{name}'")
        return denied or ALLOWED

    def secret(self, name: str, command: str, template: str) -> Decision:
        """Whether a step of this command, in a workflow of this template, may have the secret."""
        described = f"the secret '{name}' to '{command}' in template '{template}'"
        for index, rule in enumerate(self.secrets.deny):
            if rule.covers(name, command, template):
                return _denied("secrets.deny", index, ", ".join(rule.names), described)
        if any(rule.covers(name, command, template) for rule in self.secrets.allow):
            return ALLOWED
        return _unlisted("secrets.allow", name, described)

    def script(self) -> Decision:
        """Whether `shell` may run a script."""
        if self.shell.allow_scripts:
            return ALLOWED
        return Refused(
            "shell.allow_scripts: false",
            "this agent does not run scripts",
            "use argv, or set shell.allow_scripts in the agent's policy",
        )

    def path(self, resolved: Path) -> Decision:
        """Whether a path, its symbolic links already resolved, lies within a root."""
        if any(resolved.is_relative_to(root.resolve()) for root in self.roots):
            return ALLOWED
        listed = ", ".join(str(root) for root in self.roots) or "none"
        return Refused(
            f"roots: no root contains '{resolved}'",
            f"'{resolved}' is outside this agent's roots ({listed})",
            "use a path within a root, or add the directory to roots in the agent's policy",
        )

    def host(self, name: str, address: Address) -> Decision:
        """Whether the agent may connect to this host name at this address."""
        target = _Host(name.lower().rstrip("."), (address, unwrapped(address)))
        described = f"the host '{name}' ({address})"
        for index, entry in enumerate(self.http.deny_hosts):
            if target.matches(entry):
                return _denied("http.deny_hosts", index, entry, described)
        if not any(target.matches(entry) for entry in self.http.allow_hosts):
            return _unlisted("http.allow_hosts", name, described)
        kind = None if self.http.allow_private else kind_if_not_public(address)
        if kind is not None:
            return Refused(
                "http.allow_private: false",
                f"this agent's policy refuses {described}: the address is not public but {kind}",
                "use a public host, or set http.allow_private in the agent's policy",
            )
        return ALLOWED


@dataclass(frozen=True)
class _Host:
    """A host's name, and its address as given and as the one inside of it (IPv4 in IPv6)."""

    name: str
    addresses: tuple[Address, ...]

    def matches(self, entry: str) -> bool:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return fnmatchcase(self.name, entry.lower())
        return any(address in network for address in self.addresses)


def default_policy(data_dir: Path, roots: Sequence[Path] = ()) -> Policy:
    """The policy of an agent without a policy file: its own data directory and the given roots."""
    return Policy(roots=tuple(roots)).with_root(data_dir)


def load_policy(file: Path, data_dir: Path) -> Policy:
    """Read a policy file (YAML); `data_dir` is always a root. Raises PolicyError."""
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise PolicyError(f"agent policy {file}: larger than {FILE_LIMIT_BYTES} bytes")
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Policy.model_validate({} if content is None else content).with_root(data_dir)
    except OSError as error:
        raise PolicyError(f"agent policy {file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"agent policy {file}: is not YAML: {error}") from error
    except ValidationError as error:
        listed = "; ".join(_explain(problem) for problem in error.errors())
        raise PolicyError(f"agent policy {file}: {listed}") from error


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key; docs/reference/agent-policy.md lists the keys"
    return f"{place}: {problem['msg']}"


def _by_name(key: str, rules: NameRules, name: str, described: str) -> Decision:
    denied = _denying(f"{key}.deny", rules.deny, [name], described)
    if denied is not None:
        return denied
    if any(_fits(name, pattern) for pattern in rules.allow):
        return ALLOWED
    return _unlisted(f"{key}.allow", name, described)


def _denying(
    key: str, patterns: Sequence[str], forms: Sequence[str | Path], described: str
) -> Refused | None:
    """The refusal by the first pattern that fits a form."""
    for index, pattern in enumerate(patterns):
        if any(_fits(form, pattern) for form in forms):
            return _denied(key, index, pattern, described)
    return None


@functools.cache
def _program_directories() -> frozenset[Path]:
    """Where this agent's own PATH leads, also by symbolic links; read once."""
    given = [Path(entry) for entry in os.get_exec_path()]
    absolute = [entry for entry in given if entry.is_absolute()]
    return frozenset([*absolute, *(entry.resolve() for entry in absolute)])


def _fits(form: str | Path, pattern: str) -> bool:
    if isinstance(form, Path) and "/" not in pattern:
        return fnmatchcase(form.name, pattern)
    return fnmatchcase(str(form), pattern)


def _denied(key: str, index: int, entry: str, described: str) -> Refused:
    return Refused(
        f"{key}[{index}]: '{entry}'",
        f"this agent's policy refuses {described}",
        f"target another agent, or remove the entry from {key} in the agent's policy",
    )


def _unlisted(key: str, value: str, described: str) -> Refused:
    return Refused(
        f"{key}: no entry matches '{value}'",
        f"this agent's policy does not list {described}",
        f"target another agent, or add an entry to {key} in the agent's policy",
    )
