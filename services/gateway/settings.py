"""The gateway's settings: read once from the environment, never changed. See
docs/reference/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.adapters.nats.connection import server_urls
from shared.runtime.logging import LogFormat


class GatewaySettings(BaseSettings):
    """Environment variables with the prefix `HIVE_`; for example `HIVE_GATEWAY_PORT=8902`."""

    model_config = SettingsConfigDict(env_prefix="HIVE_", frozen=True, extra="ignore")

    nats_url: str = Field(
        "nats://127.0.0.1:4222",
        description="Where NATS listens; several servers of a cluster with commas between.",
    )
    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/hive?directConnection=true",
        description="Where MongoDB listens, with the name of the database.",
    )
    home: Path = Field(Path(".hive"), description="Folder of the first admin key, admin.key.")
    durability: Literal["safe", "relaxed"] = Field(
        "safe", description="`safe`: NATS syncs each write, so writes are grouped."
    )
    replicas: int = Field(
        0,
        ge=0,
        le=5,
        description="Copies of each stream, on as many servers; 0: three on a cluster, else one.",
    )
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="`console` or `json`.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    gateway_host: str = Field("127.0.0.1", description="Address to listen on.")
    gateway_port: int = Field(8902, ge=0, le=65_535, description="Port to listen on; 0: any.")
    gateway_max_body_bytes: int = Field(
        1024 * 1024, ge=1_024, description="Largest body of a request, in bytes."
    )
    gateway_rate_per_s: float = Field(
        500.0, gt=0, description="Requests per second that one API key may make on average."
    )
    gateway_rate_burst: int = Field(
        1_000, ge=1, description="Requests that one API key may make at once."
    )
    gateway_commands_per_s: float = Field(
        1_000.0, gt=0, description="Commands per second that one key may record on average."
    )
    gateway_commands_burst: int = Field(
        20_000, ge=1_000, description="Commands that one key may record at once."
    )
    gateway_metrics_open: bool = Field(
        True,
        description="Serve /metrics without a key to callers on this machine. Others need a key.",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Serve /metrics here too, without a key, for a private network; 0: any port.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address of that port.")
    gateway_max_sockets: int = Field(1_000, ge=1, description="Most WebSockets open at once.")
    gateway_socket_queue: int = Field(
        1_000, ge=10, description="Events that may wait for one WebSocket before it is dropped."
    )
    gateway_grace_s: float = Field(
        10.0, ge=0, description="How long requests in hand may take after a signal to stop, in s."
    )

    validation_rules: Path | None = Field(
        None, description="File that sets rules of validation by category of templates, as YAML."
    )
    risk_gate: Path | None = Field(
        None, description="File with rules of the risk gate that hold for every run, as YAML."
    )

    webhook_allow_private: bool = Field(
        False, description="Let webhooks point to private, loopback and link-local addresses."
    )
    webhook_allow_http: bool = Field(False, description="Let webhooks do without TLS.")
    webhook_retry_s: Annotated[tuple[float, ...], NoDecode] = Field(
        (5, 30, 120, 600, 1_800, 3_600, 7_200, 18_000, 36_000),
        min_length=1,
        max_length=19,
        description="Waits between the attempts at a delivery, in s; then it is a dead letter.",
    )
    webhook_timeout_s: float = Field(
        15.0, gt=0, le=120, description="How long one attempt at a webhook may take, in s."
    )
    webhook_grace_s: float = Field(
        3.0,
        ge=0,
        le=30,
        description="How long a stopping gateway waits for attempts under way, in s; another one "
        "(or the next start) makes those that are cut off anew.",
    )
    webhook_concurrency: int = Field(
        32, ge=1, le=1_000, description="Attempts at webhooks at once, in one gateway."
    )
    webhook_disable_failures: int = Field(
        10, ge=1, description="A webhook is disabled after so many failures in a row …"
    )
    webhook_disable_after_s: float = Field(
        86_400.0, ge=0, description="… if the first of them was so long ago, in s."
    )
    webhook_log_kept: int = Field(
        1_000, ge=1, description="Deliveries that arrived, kept in the log of each webhook."
    )
    webhook_dead_kept: int = Field(
        1_000, ge=1, description="Dead letters kept for each webhook; the oldest go first."
    )
    webhook_pending_limit: int = Field(
        10_000, ge=1, description="A webhook with more pending deliveries is disabled."
    )
    webhook_limit: int = Field(100, ge=1, le=10_000, description="Most webhooks.")
    webhook_source: str = Field(
        "urn:haivemind:workflows",
        min_length=1,
        description="The CloudEvents `source`: a URI that names this installation.",
    )

    mcp_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names beside localhost and the gateway's own that /mcp may be reached by, "
        "as `hive.example.com` or `hive.example.com:8902`.",
    )
    mcp_allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Web pages that may call /mcp, as `https://app.example.com`.",
    )

    @field_validator("nats_url")
    @classmethod
    def _servers(cls, value: str) -> str:
        return ",".join(server_urls(value))

    @field_validator("webhook_retry_s", "mcp_allowed_hosts", "mcp_allowed_origins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Lists are written with commas."""
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())
