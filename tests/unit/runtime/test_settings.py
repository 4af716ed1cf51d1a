"""A setting that does not fit is named, and nothing else is said."""

import pytest

from services.executor.settings import ExecutorSettings
from shared.runtime.settings import load_settings


def test_a_bad_value_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable stands in the sentence, and the exit code is 2."""
    monkeypatch.setenv("HIVE_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("HIVE_AGENT_SLOTS", "many")
    with pytest.raises(SystemExit) as end:
        load_settings(ExecutorSettings)
    assert end.value.code == 2
    assert "HIVE_AGENT_SLOTS: " in capsys.readouterr().err


def test_labels_are_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels and capabilities are lists in one variable."""
    monkeypatch.setenv("HIVE_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("HIVE_AGENT_LABELS", "role=web, zone=a")
    monkeypatch.setenv("HIVE_AGENT_CAPABILITIES", "docker, postgres")
    settings = load_settings(ExecutorSettings)
    assert settings.agent_labels == {"role": "web", "zone": "a"}
    assert settings.agent_capabilities == ("docker", "postgres")


def test_a_label_without_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence says how labels are written."""
    monkeypatch.setenv("HIVE_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("HIVE_AGENT_LABELS", "web")
    with pytest.raises(SystemExit):
        load_settings(ExecutorSettings)
    assert "name=value" in capsys.readouterr().err
