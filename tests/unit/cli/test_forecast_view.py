"""A forecast in the terminal."""

from __future__ import annotations

from typing import Any

from services.cli.forecast_view import forecast_text
from shared.forecast.forecasting import forecast
from shared.forecast.world import World
from tests.unit.forecast.templates import REGISTRY, compiled, shell


def shown(*steps: dict[str, Any], **others: Any) -> str:
    found = forecast(compiled(list(steps), **others), {}, World(REGISTRY), runs=400)
    return "\n".join(text.plain for text in forecast_text(found))


def test_it_says_what_counts() -> None:
    """Success with its interval, times, the path, where it fails, and what is assumed."""
    text = shown(shell("a"), shell("b", "a", retry={"max_attempts": 3}))
    assert text.startswith("forecast of 400 simulated runs (0 earlier ones known)")
    assert "% (" in text
    assert "50 %: " in text
    assert "critical     a → b" in text
    assert "fails at     a " in text
    assert "assumed      4 of 4 figures" in text
    assert "no earlier run of this template is known" in text


def test_where_there_is_no_way_back_is_named() -> None:
    """With what is left behind; a run that can be taken back has no such line."""
    text = shown(shell("a", irreversible="a letter is sent"), shell("b", "a"))
    assert "when b fails" in text
    assert "a (irreversible)" in text
    undo = {"command": "noop"}
    assert "no way back" not in shown(shell("a", rollback=undo))
    off = shown(shell("a", rollback=undo), policies={"rollback_enabled": False})
    assert "rollback is off" in off
