"""Everything that crosses a process boundary on the bus or is stored, in one list.

Schemas, golden samples and AsyncAPI in `proto/` are written from it (`./hv proto`). Verbs of
`control` and endpoints of `rpc` are found by themselves; any other contract is added to `_NAMED`.
What the gateway's HTTP API takes and gives is described by its OpenAPI instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from shared.automation.messages import AUTOMATION_MESSAGE
from shared.contracts import control, rpc
from shared.contracts.agents import AgentRecord
from shared.contracts.automations import StoredAutomation
from shared.contracts.captures import Manifest
from shared.contracts.claims import ClaimAnswer, ClaimDecisions, ClaimQuestion
from shared.contracts.events import PublicEvent
from shared.contracts.history import Quarantined, StoredState
from shared.contracts.receivers import Receiver
from shared.contracts.tasks import LogChunk, StopOrder, Task
from shared.contracts.webhooks import CloudEvent
from shared.learning.records import RECORD
from shared.workflow.definition import Template
from shared.workflow.events import EVENT
from shared.workflow.messages import JOURNAL_MESSAGE, Entry
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract: its name (snake case, also its file's) and what reads and writes it."""

    name: str
    adapter: TypeAdapter[Any]

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema (draft 2020-12), complete in itself."""
        head = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:hive:schema:{self.name}",
        }
        return head | self.adapter.json_schema(by_alias=True)

    def variants(self) -> dict[str, str]:
        """The definitions in its schema of its alternatives, by their `type` (for example
        `attempt_started`); none for a contract of one form.
        """
        discriminator: dict[str, Any] = self.schema().get("discriminator", {})
        mapping: dict[str, str] = discriminator.get("mapping", {})
        return {tag: ref.rpartition("/")[2] for tag, ref in mapping.items()}


def named(model: type[BaseModel]) -> str:
    """The name of a model's contract: `AgentRecord` becomes `agent_record`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model.__name__).lower()


def verbs() -> tuple[control.Verb[Any, Any], ...]:
    """Every kind of question to live agents."""
    found = [value for value in vars(control).values() if isinstance(value, control.Verb)]
    return tuple(sorted(found, key=lambda verb: verb.name))


def endpoints() -> tuple[rpc.Endpoint[Any, Any], ...]:
    """Every endpoint for request and reply between services."""
    found = [value for value in vars(rpc).values() if isinstance(value, rpc.Endpoint)]
    return tuple(sorted(found, key=lambda one: (one.service, one.name)))


_UNIONS: Final[dict[str, TypeAdapter[Any]]] = {
    "journal_message": JOURNAL_MESSAGE,
    "automation_message": AUTOMATION_MESSAGE,
    "event": EVENT,
    "record": RECORD,
}
_NAMED: Final[tuple[type[BaseModel], ...]] = (
    Entry,
    HistoryEntry,
    ExecutionState,
    StoredState,
    Quarantined,
    StoredAutomation,
    PublicEvent,
    CloudEvent,
    Receiver,
    Task,
    StopOrder,
    LogChunk,
    ClaimQuestion,
    ClaimAnswer,
    ClaimDecisions,
    AgentRecord,
    Manifest,
    Template,
    control.ControlReply,
)


def contracts() -> dict[str, Contract]:
    """Every contract by its name, in the order of the names."""
    models = {named(model): model for model in (*_NAMED, *_questions_and_answers())}
    adapters = {name: TypeAdapter[Any](model) for name, model in models.items()} | _UNIONS
    return {name: Contract(name, adapters[name]) for name in sorted(adapters)}


def _questions_and_answers() -> Iterator[type[BaseModel]]:
    for verb in verbs():
        yield verb.question
        yield verb.answer
    for endpoint in endpoints():
        yield endpoint.request
        yield endpoint.response
