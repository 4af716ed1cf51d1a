"""The learning service's settings: read once at start, from the environment (prefix `HIVE_`)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.nats.connection import server_urls
from shared.runtime.logging import LogFormat


class LearningSettings(BaseSettings):
    """Settings of one learning service."""

    model_config = SettingsConfigDict(env_prefix="HIVE_", frozen=True, extra="ignore")

    nats_url: str = Field(
        description="NATS server(s) with user and password; commas between several."
    )
    mongo_url: str = Field(description="MongoDB, with the name of the database.")
    durability: Literal["safe", "relaxed"] = Field("safe", description="`safe` or `relaxed`.")
    learning_share: float = Field(
        0.5, gt=0, le=1, description="How much of one core learning takes at most."
    )
    learning_snapshot_s: float = Field(
        300.0,
        ge=1,
        description="How often a model with something new is saved, in seconds.",
    )
    learning_snapshots: int = Field(
        3, ge=1, le=100, description="How many snapshots of each model are kept."
    )
    learning_mine_s: float = Field(
        3_600.0,
        ge=0,
        description="How often recorded commands are mined for workflows, in seconds; 0: never.",
    )
    learning_keep_commands_days: int = Field(
        180, ge=1, description="For how long recorded commands and feedback are kept, in days."
    )
    learning_keep_runs_days: int = Field(
        730, ge=1, description="For how long the records of runs are kept, in days."
    )
    analytics_hours_days: int = Field(
        15, ge=2, description="For how long analytics are kept by the hour, in days."
    )
    analytics_days_days: int = Field(
        400, ge=62, description="For how long they are kept by the day; not shorter than hours."
    )
    analytics_months_days: int = Field(
        3_660,
        ge=93,
        description="For how long they are kept by the month; not shorter than by days.",
    )
    learning_memories: bool = Field(
        True, description="Whether every execution that has ended leaves a memory."
    )
    learning_memories_days: int = Field(
        90, ge=1, description="For how long that memory is kept, in days."
    )
    metrics_port: int = Field(0, ge=0, le=65_535, description="0 takes a free port.")
    metrics_host: str = Field("127.0.0.1", description="Where metrics and health are served.")
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="`console` or `json`.")
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @model_validator(mode="after")
    def _coarser_is_kept_longer(self) -> Self:
        kept = (self.analytics_hours_days, self.analytics_days_days, self.analytics_months_days)
        if sorted(kept) != list(kept):
            raise ValueError(
                "analytics_hours_days, analytics_days_days and analytics_months_days must not fall"
            )
        return self

    @field_validator("nats_url")
    @classmethod
    def _servers(cls, value: str) -> str:
        return ",".join(server_urls(value))
