"""Builds an agent's vault from its settings."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from services.executor.policy import Policy
from services.executor.secrets.providers import DirectorySecrets, EnvironmentSecrets, StoreSecrets
from services.executor.secrets.vault import Vault
from services.executor.settings import ExecutorSettings
from shared.ports.secrets import SecretProvider
from shared.runtime.secret_store import KEY_FILE, STORE_FILE, SecretStore

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts the credentials of a service (`LoadCredential=`)."""


def vault_of(
    settings: ExecutorSettings, policy: Policy, environment: MutableMapping[str, str]
) -> Vault:
    """The environment first, then directories in their order, then the store."""
    directories = [*settings.secrets_dirs]
    if environment.get(CREDENTIALS):
        directories.append(Path(environment[CREDENTIALS]))
    key = settings.secrets_key or settings.home / KEY_FILE
    providers: list[SecretProvider] = [
        EnvironmentSecrets(settings.secrets_env, environment),
        *(DirectorySecrets(directory) for directory in dict.fromkeys(directories)),
        StoreSecrets(SecretStore(settings.home / STORE_FILE, key)),
    ]
    return Vault(settings.agent_name, providers, policy)
