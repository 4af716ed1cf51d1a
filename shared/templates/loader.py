"""Template files: read, write, and the ones that come with the product.

A file is YAML or JSON and holds one template. Reading is bounded (see `shared.templates.document`)
and checks what the model can check alone; references and expressions are checked where the template
becomes a program (`shared.workflow.program`). Writing gives YAML that reads back as the same
template.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from shared.templates.document import (
    FLOAT,
    INTEGER,
    MAX_BYTES,
    Document,
    PlacedProblem,
    TemplateFileError,
    parse,
)
from shared.workflow.declared import Parameter
from shared.workflow.definition import (
    Notification,
    Policies,
    Step,
    Template,
    Trigger,
)
from shared.workflow.fleets import RateLimit, Target
from shared.workflow.retry_rule import Retry
from shared.workflow.validation_policy import GateRule, Suppression, ValidationPolicy
from shared.workflow.way_back import Capture, RollbackAction, RollbackPolicy, Verify

BUILTIN_FOLDER: Final = Path(__file__).with_name("builtin")

MAX_PROBLEMS: Final = 50
"""Most problems reported for one file."""

_MODELS: Final[tuple[type[BaseModel], ...]] = (
    Template,
    Step,
    Parameter,
    Policies,
    Retry,
    Capture,
    RollbackAction,
    Verify,
    RollbackPolicy,
    ValidationPolicy,
    Suppression,
    GateRule,
    Target,
    RateLimit,
    Trigger,
    Notification,
)
_LINE_WIDTH: Final = 100


def load(text: str) -> Template:
    """The template in a text, YAML or JSON; raises `TemplateFileError` with every problem found."""
    return template_of(parse(text))


def load_file(path: Path) -> Template:
    """The template in a file. Raises `TemplateFileError`, or `OSError` if it cannot be read."""
    return load(read_text(path))


def read_text(path: Path) -> str:
    """A file's text, never more than a template may have. Raises like `load_file`."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A file cut off at the bound may end within a character; then it is too large anyway.
        if len(data) > MAX_BYTES:
            return data.decode("utf-8", "replace")
        problem = PlacedProblem(
            path="",
            code="not_utf8",
            message=f"byte {error.start + 1} is not UTF-8",
            fix="save it as UTF-8",
            line=data.count(b"\n", 0, error.start) + 1,
            column=1,
        )
        raise TemplateFileError([problem]) from None


def template_of(document: Document) -> Template:
    """The template that a parsed document holds; raises `TemplateFileError`."""
    try:
        return Template.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = [_problem(document, d) for d in details if not _follows_from_another(d, details)]
        raise TemplateFileError(problems[:MAX_PROBLEMS]) from None


def dump_yaml(template: Template) -> str:
    """The template as YAML that reads back as an equal template; what was not written stays out."""
    return dump_data(template.model_dump(mode="json", by_alias=True, exclude_unset=True))


def dump_data(data: Any) -> str:
    """Plain data as YAML that reads back as the same."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_LINE_WIDTH,
        default_flow_style=False,
    )
    return text


def flow_text(value: Any) -> str:
    """A value on one line, as it stands within YAML."""
    text: str = yaml.dump(
        [value],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=10**9,
        default_flow_style=True,
    )
    return text.removesuffix("\n")[1:-1]


@cache
def builtin() -> tuple[Template, ...]:
    """The templates that come with the product, in the order of their ids."""
    return tuple(load_file(path) for path in sorted(BUILTIN_FOLDER.glob("*.yaml")))


def _follows_from_another(detail: Any, details: Any) -> bool:
    """A list counts as too short only because its items are wrong: that says nothing new."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in details
    )


def _problem(document: Document, detail: Any) -> PlacedProblem:
    loc = [part for part in detail["loc"] if part != "[key]"]
    path = "/".join(map(str, loc))
    line, column = document.place(path)
    unknown = detail["type"] == "extra_forbidden"
    return PlacedProblem(
        path=path,
        code="unknown_field" if unknown else detail["type"],
        message="there is no such field" if unknown else _message(detail),
        fix=_fix(detail["type"], loc),
        line=line,
        column=column,
    )


def _message(detail: Any) -> str:
    text = str(detail["msg"]).removeprefix("Value error, ")
    return f"must be: {text.removeprefix('Input should be ')}" if text.startswith("Input") else text


def _fix(kind: str, loc: list[Any]) -> str:
    """What to do about pydantic's error of this type at this location."""
    if kind == "missing":
        return f"add {loc[-1]}"
    if kind == "extra_forbidden":
        names = {f.alias or name for model in _MODELS for name, f in model.model_fields.items()}
        close = difflib.get_close_matches(str(loc[-1]), names, n=1)
        return f"did you mean {close[0]}?" if close else "remove it"
    if kind == "string_pattern_mismatch":
        return "lower-case letters, digits and underscores (ids also: hyphens and points)"
    if kind == "string_type":
        return "put it in quotes"
    return ""


class _Dumper(yaml.SafeDumper):
    """Indents lists, writes long text as blocks, and quotes all that would read as a number."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - aliases are refused on reading
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None
    if not value.replace("\n", "").isprintable():
        style = '"'
    elif "\n" in value and not re.search(r"[ \t]\n|^[ \n]", value):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
for _tag, _pattern in (("int", INTEGER), ("float", FLOAT)):
    _Dumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern.pattern})$"), list("-+.0123456789")
    )
