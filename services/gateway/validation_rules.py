"""How rules of validation are set for this installation: read once, when the gateway starts."""

from __future__ import annotations

from pathlib import Path

from shared.templates.document import TemplateFileError
from shared.templates.loader import read_text
from shared.validation.config import DEFAULT_CONFIG, ConfigError, ValidationConfig, config_of
from shared.validation.rules import BY_CODE


def load_rules(path: Path | None) -> ValidationConfig:
    """The settings in a file; those of the rules themselves without one. Raises `ConfigError`."""
    if path is None:
        return DEFAULT_CONFIG
    try:
        return config_of(read_text(path), BY_CODE)
    except OSError as error:
        raise ConfigError(f"HIVE_VALIDATION_RULES: {path}: {error.strerror}") from None
    except (ConfigError, TemplateFileError) as error:
        raise ConfigError(f"HIVE_VALIDATION_RULES: {path}: {error}") from None
