"""The rules of the risk gate of an installation, as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.risk import NO_GATE, GateError, load_gate


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    """Nor with an empty one."""
    assert load_gate(None) is NO_GATE
    empty = tmp_path / "gate.yaml"
    empty.write_text("")
    assert load_gate(empty).rules == ()


def test_rules_are_read_and_ready(tmp_path: Path) -> None:
    """Each with its condition compiled."""
    path = tmp_path / "gate.yaml"
    path.write_text("rules:\n  - {when: counts.warning > 3, then: approve, reason: too many}\n")
    rules = load_gate(path)
    assert (rules.whose, len(rules.conditions)) == ("installation", 1)
    assert rules.rules[0].reason == "too many"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{when: nonsense, then: run}]", "undeclared reference"),
        ("rules: [{when: 'true', then: maybe}]", "rules.0.then"),
        ("rules: [{when: 'true'}]", "rules.0.then"),
        ("ruls: []", "ruls"),
        ("rules: [", "gate.yaml"),
        ("[]", "the file"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    """The setting, the file and the place are named: a gateway without its gate must not start."""
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(GateError, match="HIVE_RISK_GATE") as raised:
        load_gate(path)
    assert says in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what the system says."""
    with pytest.raises(GateError, match="No such file"):
        load_gate(tmp_path / "none.yaml")
