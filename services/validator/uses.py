"""The commands that a template uses, as far as their parameters are known before the run, and what
an agent must be told of them to say whether it would run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from shared.contracts.prechecks import CommandUse, NetworkAddress
from shared.workflow.definition import Step, placed_steps
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Rendered
from shared.workflow.late import secrets_in
from shared.workflow.program import Program

_PLACE: Final = "${{"
_PORTS: Final = {"http": 80, "https": 443}
_MAX_PORT: Final = 65_535
_FOR_POLICY: Final[Mapping[str, tuple[str, ...]]] = {
    "shell": ("argv", "interpreter"),
    "file": ("path", "source"),
    "restore": ("path",),
}
"""The parameters that an agent's policy looks at; nothing else is sent to it."""


@dataclass(frozen=True, slots=True)
class StepUse:
    """One use of a command at `path` by a step: its own, or its capture, rollback or verification.
    `parameters` with the places that are not known left as they are written."""

    id: str
    path: str
    step: Step
    command: str
    parameters: Mapping[str, Any]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it takes."""
        return tuple(sorted({name for _, name in secrets_in(dict(self.parameters))}))

    @property
    def question(self) -> CommandUse:
        """What an agent is told: names of secrets, and only what its policy looks at."""
        given = dict(self.parameters)
        told = {name: given[name] for name in _FOR_POLICY.get(self.command, ()) if name in given}
        if isinstance(told.get("argv"), list):
            told["argv"] = told["argv"][:1]
        environment = given.get("env")
        if self.command == "shell" and isinstance(environment, dict):
            told["env"] = dict.fromkeys(environment, "")
        return CommandUse(
            id=self.id,
            command=self.command,
            parameters=told,
            unknown=("script",) if "script" in given else (),
            secrets=self.secrets,
        )

    @property
    def address(self) -> NetworkAddress | None:
        """What an `http` step connects to, where that is known."""
        url = self.parameters.get("url")
        if self.command != "http" or not isinstance(url, str):
            return None
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme.lower())
        except ValueError:
            return None
        if not host or port is None or _PLACE in parts.netloc or not 0 < port <= _MAX_PORT:
            return None
        return NetworkAddress(host=host[:253], port=port)


def uses_of(program: Program, parameters: Mapping[str, Any] | None) -> Iterator[StepUse]:
    """Every use of a command, in the order of the definition."""
    for path, step in placed_steps(program.template):
        way_back = program.steps[step.id].way_back
        if step.command:
            rendered = program.steps[step.id].parameters
            given = _known(rendered, step.parameters, parameters)
            yield StepUse(step.id, path, step, step.command, given)
        if step.capture is not None:
            kept = step.capture
            given = _known(way_back.capture, kept.parameters, parameters)
            yield StepUse(f"{step.id}/capture", f"{path}/capture", step, kept.command, given)
        if step.rollback is not None:
            undo = step.rollback
            given = _known(way_back.parameters, undo.parameters, parameters)
            yield StepUse(f"{step.id}/rollback", f"{path}/rollback", step, undo.command, given)
            seen = undo.verify
            if seen is not None and seen.command:
                given = _known(way_back.verify, seen.parameters, parameters)
                at = f"{path}/rollback/verify"
                yield StepUse(f"{step.id}/verify", at, step, seen.command, given)


def _known(
    rendered: Rendered | None, written: Mapping[str, Any], parameters: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """The parameters with what this run was given filled in; as written where that fails."""
    if rendered is None or parameters is None:
        return written
    names = [name for name in rendered.needs if name.startswith("params.")]
    data = {name: parameters.get(name.partition(".")[2]) for name in names}
    try:
        found = rendered.known(data)
    except ExpressionError:
        return written
    return found if isinstance(found, Mapping) else written
