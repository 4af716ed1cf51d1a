"""The bus: streams, subjects and how an execution finds its partition. Nothing else builds names.

| subject | stream | what |
|---|---|---|
| `hive.journal.<partition>.<execution>` | `JOURNAL_<n>` | facts and requests |
| `hive.timer.<partition>.<execution>.<timer>` | `JOURNAL_<n>` | durable timers |
| `hive.task.any._.<execution>.<step>.<attempt>.<leg>` | `TASKS` | for any agent |
| `hive.task.cap.<capability>.<execution>…` | `TASKS` | for agents with a capability |
| `hive.task.host.<agent>.<execution>…` | `TASKS` | for one agent |
| `hive.task.rollback._.<rollback>…` | `TASKS` | for the rollback service |
| `hive.event.<category>.<type>.<id>` | `EVENTS` | public facts |
| `hive.log.<execution>.<step>.<attempt>` | `LOGS` | progress lines |
| `hive.capture.manifest.<execution>.<step>.<agent>` | `CAPTURES` | what was kept before a step |
| `hive.capture.blob.<day>.<sha256>.<parts>.<part>` | `CAPTURE_BLOBS` | contents of it, sealed |
| `hive.record.<type>.<about>` | `RECORD` | what is learned from |
| `hive.control.agent.<agent>.<verb>` | none | orders and questions to one agent |
| `hive.control.all.<verb>` | none | orders and questions to all agents |
| `hive.rpc.<service>.<endpoint>` | none | request and reply between services |
"""

from __future__ import annotations

import re
import zlib
from hashlib import sha256
from typing import Final

_NOT_IN_TOKEN: Final = re.compile(r"[^A-Za-z0-9_-]")

PARTITIONS: Final = 16
JOURNAL_STREAMS: Final = 1

TASKS: Final = "TASKS"
EVENTS: Final = "EVENTS"
LOGS: Final = "LOGS"
CAPTURES: Final = "CAPTURES"
CAPTURE_BLOBS: Final = "CAPTURE_BLOBS"
RECORD: Final = "RECORD"

PARTITION_LEASE: Final = "partition."
MEMBER_LEASE: Final = "coordinator."
"""Leases of the bucket `leases`, by what follows: a partition's number, a coordinator's name."""

AGENTS_BUCKET: Final = "agents"
LEASES_BUCKET: Final = "leases"


def partition_of(execution_id: str, partitions: int = PARTITIONS) -> int:
    """The partition of an execution: CRC-32 of its id, modulo the number of partitions."""
    return zlib.crc32(execution_id.encode()) % partitions


def journal_stream(partition: int) -> str:
    """The stream that holds a partition's journal."""
    return f"JOURNAL_{partition % JOURNAL_STREAMS}"


def journal(partition: int, execution_id: str) -> str:
    """Where facts and requests about an execution go."""
    return f"hive.journal.{partition}.{execution_id}"


def timer(partition: int, execution_id: str, name: str) -> str:
    """The subject that is a timer's identity."""
    return f"hive.timer.{partition}.{execution_id}.{name}"


def task(pool: str, execution_id: str, step: str, attempt: int, leg: int) -> str:
    """Where the task of one leg of an attempt goes. `pool` is from the functions below."""
    return f"hive.task.{pool}.{execution_id}.{step}.{attempt}.{leg}"


def pool_any() -> str:
    """The pool of tasks that any agent may take."""
    return "any._"


def pool_capability(capability: str) -> str:
    """The pool of tasks for agents with a capability (its dots become `_`)."""
    return f"cap.{token(capability)}"


def pool_host(agent: str) -> str:
    """The pool of tasks for one agent."""
    return f"host.{token(agent)}"


def pool_rollback() -> str:
    """The pool of what rollback services are asked to do."""
    return "rollback._"


def pool_validator() -> str:
    """The pool of executions that wait to be looked at before they begin."""
    return "validator._"


def pool_consumer(pool: str) -> str:
    """The consumer through which the agents of a pool share its tasks."""
    return "pool-" + pool.replace(".", "-")


def event(event_type: str, subject_id: str) -> str:
    """Where a public event goes; its type is `<category>.<what happened>`."""
    return f"hive.event.{event_type}.{token(subject_id)}"


def log(execution_id: str, step: str, attempt: int) -> str:
    """Where an attempt's progress lines go."""
    return f"hive.log.{execution_id}.{step}.{attempt}"


CAPTURE_FENCE = "_fence"
"""In the place of a step, and no name of one: what is written before manifests are read."""


def capture_manifest(execution_id: str, step: str, agent: str) -> str:
    """Where it stands what was kept on an agent before a step."""
    return f"hive.capture.manifest.{execution_id}.{step}.{token(agent)}"


def capture_blob(name: str) -> str:
    """Where the parts of a content are, without their numbers. A name is `<day>.<sha256>`."""
    return f"hive.capture.blob.{name}"


def record(kind: str, about: str) -> str:
    """Where an item of the record goes. `about` is whose it is, or the execution that it is of:
    as a digest, so that no two share a subject, and no name is in one."""
    return f"hive.record.{kind}.{sha256(about.encode()).hexdigest()[:32]}"


def control_agent(agent: str, verb: str) -> str:
    """An order or a question to one agent."""
    return f"hive.control.agent.{token(agent)}.{verb}"


def control_all(verb: str) -> str:
    """An order or a question to all agents."""
    return f"hive.control.all.{verb}"


def rpc(service: str, endpoint: str) -> str:
    """A service's endpoint for request and reply."""
    return f"hive.rpc.{service}.{endpoint}"


def token(name: str) -> str:
    """A name as one subject token."""
    return _NOT_IN_TOKEN.sub("_", name)
