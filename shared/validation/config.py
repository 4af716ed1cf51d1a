"""How rules are set for categories of templates: the file that an operator writes.

```yaml
roots: [/srv/app, /var/cache/app]
severities:
  "*": {unused-parameter: "off"}
  deployment: {no-way-back: error, script-injection: error}
```

A template's own category wins over `*`. What can never run (a binding rule) cannot be set.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.templates.document import TemplateFileError, parse
from shared.validation.finding import Severity
from shared.workflow.validation_policy import FindingCode

Setting = Literal["error", "warning", "info", "off"]
EVERY_CATEGORY: Final = "*"


class ValidationConfig(BaseModel):
    """Severities by category and rule, and the folders in which files may be removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severities: dict[str, dict[FindingCode, Setting]] = Field(default_factory=dict)
    roots: tuple[str, ...] = Field(
        ("/tmp", "/var/tmp"),  # noqa: S108 - names of folders, none is used
        description="Absolute folders under which a recursive delete is what it seems.",
    )

    def setting(self, category: str, code: str) -> Setting | None:
        """What a rule is set to for a category; nothing where it is as the rule says."""
        for name in (category, EVERY_CATEGORY):
            found = self.severities.get(name, {}).get(code)
            if found is not None:
                return found
        return None

    def severity(self, category: str, code: str) -> Severity | None:
        """The severity that a rule is set to; nothing where it is not set, or off."""
        found = self.setting(category, code)
        return None if found == "off" else found


DEFAULT_CONFIG: Final = ValidationConfig()


class ConfigError(ValueError):
    """The settings of rules cannot be read; the message says where and why."""


def config_of(text: str, known: Collection[str]) -> ValidationConfig:
    """The settings in a text, YAML or JSON; `known` are the codes of rules.

    Raises `ConfigError`.
    """
    try:
        config = ValidationConfig.model_validate(parse(text).value)
    except TemplateFileError as error:
        raise ConfigError(str(error)) from None
    except ValidationError as error:
        told = "; ".join(
            f"{'/'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise ConfigError(told) from None
    unknown = {code for one in config.severities.values() for code in one} - {*known}
    if unknown:
        raise ConfigError(f"there are no rules {', '.join(sorted(unknown))}")
    return config
