"""Settings are documented."""

from ops.stack.layout import REPO_ROOT
from services.executor.settings import ExecutorSettings
from services.gateway.settings import GatewaySettings
from services.validator.settings import ValidatorSettings
from tests.architecture.settings_reference import render

PAGE = REPO_ROOT / "docs" / "reference" / "settings.md"


def test_every_setting_says_what_it_does() -> None:
    """No setting without a description."""
    silent = [
        f"{model.__name__}.{name}"
        for model in (ExecutorSettings, GatewaySettings, ValidatorSettings)
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert silent == []


def test_the_page_is_what_the_code_says() -> None:
    """docs/reference/settings.md is drawn from the models."""
    assert PAGE.read_text(encoding="utf-8") == render()
