"""The gateway's settings: read once from the environment, never changed. See
docs/reference/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime.logging import LogFormat


class GatewaySettings(BaseSettings):
    """Environment variables with the prefix `HIVE_`; for example `HIVE_GATEWAY_PORT=8902`."""

    model_config = SettingsConfigDict(env_prefix="HIVE_", frozen=True, extra="ignore")

    nats_url: str = Field("nats://127.0.0.1:4222", description="Where NATS listens.")
    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/hive?directConnection=true",
        description="Where MongoDB listens, with the name of the database.",
    )
    home: Path = Field(Path(".hive"), description="Folder of the first admin key, admin.key.")
    durability: Literal["safe", "relaxed"] = Field(
        "safe", description="`safe`: NATS syncs each write, so writes are grouped."
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
