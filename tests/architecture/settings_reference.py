"""Draws docs/reference/settings.md from the settings models:
`python -m tests.architecture.settings_reference > docs/reference/settings.md`.

It stands here because services may not import each other, and only the tests know them all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from services.executor.settings import ExecutorSettings
from services.gateway.settings import GatewaySettings
from services.learning.settings import LearningSettings
from services.rollback.settings import RollbackSettings
from services.suggestion.settings import SuggestionSettings
from services.validator.settings import ValidatorSettings

_SERVICES = (
    ("Executor", ExecutorSettings),
    ("Gateway", GatewaySettings),
    ("Learning service", LearningSettings),
    ("Rollback service", RollbackSettings),
    ("Suggestion service", SuggestionSettings),
    ("Validator", ValidatorSettings),
)

HEAD = """# Settings

Every service reads its settings once, at its start, from environment variables. A value that does
not fit ends the service with a sentence that names it. `./hv up` sets what the embedded stack
needs; `docker-compose.yml` the rest.

This page is drawn from the code; `./hv test` fails when it is out of date.
"""

TAIL = """
## Several services in one process

`python -m services.together gateway rollback validator learning` serves those it is told; each
reads the variables above.

| variable | default | what |
|---|---|---|
| `HIVE_TOGETHER` | none | What is one service's own: `{"rollback": {"HIVE_NATS_URL": "…"}}`. |

## For `hv` itself

| variable | default | what |
|---|---|---|
| `HIVE_HOME` | `.hive` in the repository | where the embedded stack keeps its data and keys |
| `HIVE_NATS_URL` | none | use this NATS instead of starting one |
| `HIVE_MONGO_URL` | none | use this MongoDB instead of starting one |
| `HIVE_GATEWAY_PORT` | `8902` | the gateway's port |
| `HIVE_URL` | the running stack's | the gateway that `hv run`, `hv show` … talk to |
| `HIVE_API_KEY` | the content of `admin.key` | the key they use |
| `HIVE_RECORD` | `on` | `off`: nothing that is typed is [recorded](../how-to/recording.md) |
| `HIVE_RECORD_IGNORE` | none | patterns of lines that are not recorded, with `:` between them |
| `HIVE_RECORD_EVERY` | `10` | seconds between two senders of what a shell recorded |
| `HIVE_RECORD_SPOOL` | `hive/record` in `XDG_STATE_HOME` | where it waits until it is sent |
| `HIVE_LOG_FORMAT` | `console` | `json` for machines |
| `HIVE_DEBUG` | none | any value: a defect of `hv` shows its traceback |
| `HIVE_PYTHON` | the first that fits on `PATH` | the Python that `./hv` makes its `.venv` with |
| `HIVE_TEXT_MODEL` | the installed wheel | a folder with the [text model](../suggestion.md), or \
`off` to do without |

An agent also looks for secrets in `CREDENTIALS_DIRECTORY`, which systemd sets for a service with
credentials. Programs that `shell` starts find their attempt's fencing token in
`HIVE_FENCING_TOKEN`.

The processes that a step starts find `HIVE_PROCESS_MARK` in their environment. The agent finds them
by it when it stops the step; who removes it can outlive the step.
"""


def render() -> str:
    """The page."""
    parts = [HEAD]
    for title, model in _SERVICES:
        parts.append(f"\n## {title}\n\n| variable | default | what |\n|---|---|---|\n")
        parts.extend(_rows(model))
    return "".join([*parts, TAIL])


def _rows(model: type[BaseSettings]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        description = (field.description or "").replace("|", "\\|")
        yield f"| `HIVE_{name.upper()}` | {_default(name, field)} | {description} |\n"


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if name == "agent_name":
        return "the host's name"
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, Enum):
        value = value.value
    if value is None or value in ({}, (), ""):
        return "none"
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(render())
