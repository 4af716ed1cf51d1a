"""Rules about secrets and sensitive outputs: they go to those who keep them, and nowhere else.

The agent refuses a secret in the wrong hands at run time, wherever it comes from. What can be seen
in the definition is refused here already: a place that is nothing but a sensitive output, or a part
of one. A field declared sensitive that the command does not have is refused too: it would seal
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.commands.sensitive import secret_fields
from shared.validation import patches
from shared.validation.json_types import fields_of
from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject, Use
from shared.workflow.late import secrets_in

_PLACE: Final = re.compile(r"\$\{\{\s*(steps\.(\w+)\.output\.(\w+)[\w.\[\]]*)\s*\}\}")
_FIX: Final = "leave it out here, and give it to the steps that use it"


def _refused(subject: Subject) -> Iterator[Found]:
    """Secrets, and sensitive outputs, that a command would pass on in clear."""
    sensitive = {s.id: secret_fields(s.sensitive) for _, s in subject.steps if s.sensitive}
    for use in subject.uses:
        if use.command in subject.registry and not subject.registry[use.command].takes_secrets:
            at = f"{use.path}/parameters"
            yield from _outputs(at, use, use.parameters, sensitive)
            for place, name in secrets_in(use.parameters):
                path = "/".join(map(str, (at, *place)))
                yield Found(path, _passes_on(f"secrets.{name}", use.command), _FIX)


def _outputs(
    path: str, use: Use, value: Any, secret: Mapping[str, frozenset[str]]
) -> Iterator[Found]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _outputs(f"{path}/{key}", use, item, secret)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _outputs(f"{path}/{index}", use, item, secret)
    elif isinstance(value, str):
        for name, step, field in _PLACE.findall(value):
            if field in secret.get(step, ()):
                yield Found(path, _passes_on(name, use.command), _FIX)


def _passes_on(what: str, command: str) -> str:
    return f"{what} is sensitive, and `{command}` would pass it on in clear"


def _in_arguments(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        spec = subject.registry.get(use.command)
        shown = spec.arguments if spec is not None else ()
        for place, name in secrets_in({k: v for k, v in use.parameters.items() if k in shown}):
            yield Found(
                "/".join(map(str, (use.path, "parameters", *place))),
                f"secrets.{name} would be an argument of a process, which everybody on the agent's "
                "host can read while it runs",
                "put it into `env` or `stdin`, and let the program read it from there",
            )


def _seals_nothing(subject: Subject) -> Iterator[Found]:
    for path, step in subject.steps:
        spec = subject.registry.get(step.command)
        known = fields_of(spec.output) if spec is not None else None
        for index, name in enumerate(step.sensitive if known is not None else ()):
            if known is not None and name not in known:
                at = f"{path}/sensitive/{index}"
                close = subject.close(name, known)
                fix = (
                    f"did you mean `{close}`?"
                    if close
                    else f"use one of: {', '.join(sorted(known))}"
                )
                patch = patches.replace(at, close) if close else ()
                yield Found(at, f"`{step.command}` has no output field `{name}`", fix, patch)


_HEAD: Final = "id: rotate_key\nname: Rotate a key\nsteps:\n"

RULES: Final = (
    Rule(
        code="secret-passed-on",
        level="standard",
        severity="error",
        summary="A secret is given to a command that would pass it on in clear.",
        why="What is broadcast or remembered is read by many and kept for long.",
        check=_refused,
        bad=Example(f"""\
{_HEAD}\
  - id: tell
    command: hv-broadcast
    parameters: {{message: "The new key is ${{{{ secrets.api_key }}}}"}}
    irreversible: what is told is told
"""),
        good=Example(f"""\
{_HEAD}\
  - id: tell
    command: hv-broadcast
    parameters: {{message: The key was rotated.}}
    irreversible: what is told is told
"""),
    ),
    Rule(
        code="secret-in-arguments",
        level="standard",
        severity="warning",
        summary="A secret would be an argument of a process.",
        why="Arguments of processes can be read by everybody on the host, and stand in its audit "
        "logs.",
        check=_in_arguments,
        bad=Example(f"""\
{_HEAD}\
  - id: store
    command: shell
    parameters: {{argv: [vault-cli, put, "${{{{ secrets.api_key }}}}"]}}
    irreversible: the old key is revoked
"""),
        good=Example(f"""\
{_HEAD}\
  - id: store
    command: shell
    parameters: {{argv: [vault-cli, put, --stdin], stdin: "${{{{ secrets.api_key }}}}"}}
    irreversible: the old key is revoked
"""),
    ),
    Rule(
        code="unknown-sensitive-output",
        level="standard",
        severity="error",
        summary="A field is declared sensitive that the command does not return.",
        why="It seals nothing, and what should have been sealed is kept in clear.",
        check=_seals_nothing,
        bad=Example(f"""\
{_HEAD}\
  - id: make
    command: shell
    parameters: {{argv: [openssl, rand, -hex, "32"]}}
    irreversible: it only makes a number
    sensitive: [std_out]
"""),
        good=Example(f"""\
{_HEAD}\
  - id: make
    command: shell
    parameters: {{argv: [openssl, rand, -hex, "32"]}}
    irreversible: it only makes a number
    sensitive: [stdout]
"""),
    ),
)
