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

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

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
