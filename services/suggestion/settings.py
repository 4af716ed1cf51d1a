"""The suggestion service's settings: read once at start, from the environment (prefix `HIVE_`)."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.nats.connection import server_urls
from shared.runtime.logging import LogFormat


class SuggestionSettings(BaseSettings):
    """Settings of one suggestion process."""

    model_config = SettingsConfigDict(env_prefix="HIVE_", frozen=True, extra="ignore")

    nats_url: str = Field(
        description="NATS server(s) with user and password; commas between several."
    )
    mongo_url: str = Field(description="MongoDB.")
    suggestion_refresh_s: float = Field(
        5.0, gt=0, le=3_600, description="How often templates are looked at for changes."
    )
    suggestion_agents_s: float = Field(
        5.0, gt=0, le=3_600, description="How often the directory of live agents is read."
    )
    suggestion_offers_per_h: int = Field(
        6,
        ge=0,
        le=1_000,
        description="Suggestions that one user is offered unasked, in an hour; 0 offers none.",
    )
    metrics_port: int = Field(0, ge=0, le=65_535, description="0 takes a free port.")
    metrics_host: str = Field("127.0.0.1", description="Where metrics and health are served.")
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="`console` or `json`.")
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @field_validator("nats_url")
    @classmethod
    def _servers(cls, value: str) -> str:
        return ",".join(server_urls(value))
