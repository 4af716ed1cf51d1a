"""The fixtures of the unit tests of commands, here too."""

from tests.unit.commands.conftest import stage, tiny_disk

__all__ = ["stage", "tiny_disk"]
