"""The executor's settings: read once at start, from the environment (prefix `HIVE_`)."""

from __future__ import annotations

import os
import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.adapters.nats.connection import server_urls
from shared.runtime.logging import LogFormat


class Durability(StrEnum):
    """What survives what: `safe` a power cut, `relaxed` a crash of any process."""

    SAFE = "safe"
    RELAXED = "relaxed"


class Role(StrEnum):
    """What an executor process does."""

    COORDINATOR = "coordinator"
    RUNNER = "runner"
    BOTH = "both"


class ExecutorSettings(BaseSettings):
    """Settings of one executor process."""

    model_config = SettingsConfigDict(env_prefix="HIVE_", frozen=True, extra="ignore")

    nats_url: str = Field(
        description="NATS server(s) with user and password; commas between several."
    )
    mongo_url: str = Field("", description="MongoDB; needed by the coordinator role only.")
    home: Path = Field(Path(".hive"), description="Directory for data and keys.")
    durability: Durability = Field(Durability.SAFE, description="`safe` or `relaxed`.")
    replicas: int = Field(
        0,
        ge=0,
        le=5,
        description="Copies of each stream, on as many servers; 0: three on a cluster, else one.",
    )
    role: Role = Field(Role.BOTH, description="`coordinator`, `runner` or `both`.")
    agent_name: str = Field(
        default_factory=lambda: socket.gethostname().lower().replace(".", "-"),
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="The agent's name; unique in the fleet.",
    )
    agent_labels: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict, description="`role=web,zone=a`"
    )
    agent_capabilities: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="`docker,postgres`; the built-in commands' own are added."
    )
    agent_slots: int = Field(
        64, ge=1, le=1_000, description="How many tasks run at once on this agent."
    )
    agent_policy: Path | None = Field(None, description="The agent's policy file (YAML).")
    secrets_env: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Environment variables that steps may use as secrets, `DB_URL,API_TOKEN`."
    )
    secrets_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Directories with one file for each secret, separated by `:`."
    )
    secrets_key: Path | None = Field(
        None, description="Key file of the encrypted store; none: `secrets.key` in `HIVE_HOME`."
    )
    output_limit_bytes: int = Field(
        256 * 1024, ge=1_024, le=4 * 1024 * 1024, description="Largest output of one command."
    )
    capture_file_bytes: int = Field(
        16 * 1024 * 1024,
        ge=0,
        le=512 * 1024 * 1024,
        description="Largest file that is kept before a step changes it; a step that would change "
        "a larger one does not begin.",
    )
    capture_bytes: int = Field(
        64 * 1024 * 1024,
        ge=0,
        le=1024 * 1024 * 1024,
        description="Most bytes of all files that are kept before one step.",
    )
    shutdown_grace_s: float = Field(
        20.0,
        ge=0,
        le=3_600,
        description="What running tasks get to finish at shutdown, in seconds.",
    )
    retention_keep_days: float = Field(
        30.0,
        gt=0,
        le=36_500,
        description="Days after its end an execution moves to the archive, unless its template "
        "says otherwise.",
    )
    retention_keep_last: int = Field(
        100_000,
        ge=0,
        le=100_000,
        description="Of each template, ended executions beyond the newest so many move earlier.",
    )
    retention_archive_days: float = Field(
        365.0,
        ge=1,
        le=36_500,
        description="Days after its end an archived execution is deleted for good.",
    )
    capture_store_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=1024 * 1024,
        le=1024**4,
        description="Most bytes of the contents of all captures together, as stored; NATS reserves "
        "them.",
    )
    capture_keep_days: float = Field(
        30.0,
        ge=1,
        le=36_500,
        description="Days after the end of an execution what was kept before its steps is removed; "
        "earlier, if the execution itself is deleted.",
    )
    retention_settle_s: float = Field(
        600.0,
        ge=1,
        le=86_400,
        description="Nothing moves to the archive earlier than so many seconds after its end.",
    )
    retention_every_s: float = Field(
        60.0, ge=0.1, le=86_400, description="How often housekeeping looks for what is due, in s."
    )
    metrics_port: int = Field(0, ge=0, le=65_535, description="0 takes a free port.")
    metrics_host: str = Field("127.0.0.1", description="Where metrics and health are served.")
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="`console` or `json`.")
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @field_validator("nats_url")
    @classmethod
    def _servers(cls, value: str) -> str:
        return ",".join(server_urls(value))

    @field_validator("agent_labels", mode="before")
    @classmethod
    def _labels(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not separator or not name.strip() for name, separator, _ in pairs):
            raise ValueError("write labels as name=value, separated by commas")
        return {name.strip(): text.strip() for name, _, text in pairs}

    @field_validator("secrets_dirs", mode="before")
    @classmethod
    def _directories(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part for part in value.split(os.pathsep) if part)

    @field_validator("agent_capabilities", "secrets_env", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @property
    def owner(self) -> str:
        """This process's name among coordinators: agent and process id."""
        return f"{self.agent_name}-{os.getpid()}"

    @property
    def data_dir(self) -> Path:
        """The agent's own directory; its commands may touch it."""
        return (self.home / "agents" / self.agent_name).resolve()
