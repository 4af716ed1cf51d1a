"""What the pure core must know of the commands that are installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.commands.registry import CommandRegistry
from shared.commands.spec import CommandSpec, Effects
from shared.workflow.program import CommandSignature


def signatures(registry: CommandRegistry) -> Mapping[str, CommandSignature]:
    """One signature for each command, by name."""
    return {name: _signature(spec) for name, spec in registry.items()}


def _signature(spec: CommandSpec) -> CommandSignature:
    def effect_free(parameters: Mapping[str, Any]) -> bool:
        return spec.effects_of(parameters) is Effects.NONE

    return CommandSignature(spec.output, spec.capabilities, effect_free, bool(spec.captures))
