"""The rollback service's settings: read once at start, from the environment (prefix `HIVE_`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.nats.connection import server_urls
from shared.runtime.logging import LogFormat


class RollbackSettings(BaseSettings):
    """Settings of one rollback service."""

    model_config = SettingsConfigDict(env_prefix="HIVE_", frozen=True, extra="ignore")

    nats_url: str = Field(
        description="NATS server(s) with user and password; commas between several."
    )
    mongo_url: str = Field(description="MongoDB, with the name of the database.")
    durability: Literal["safe", "relaxed"] = Field("safe", description="`safe` or `relaxed`.")
    rollback_slots: int = Field(
        8, ge=1, le=256, description="How many plans are made at once by this service."
    )
    metrics_port: int = Field(0, ge=0, le=65_535, description="0 takes a free port.")
    metrics_host: str = Field("127.0.0.1", description="Where metrics and health are served.")
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="`console` or `json`.")
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @field_validator("nats_url")
    @classmethod
    def _servers(cls, value: str) -> str:
        return ",".join(server_urls(value))
