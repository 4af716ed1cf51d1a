"""Programs of template versions, made once each and kept within a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.ports.templates import TemplateStore
from shared.workflow.errors import DefinitionError
from shared.workflow.program import CommandSignature, Program, compile_template

MOST_PROGRAMS: Final = 200


class GatewayPrograms:
    """What coordinators run, as this gateway would make it."""

    def __init__(self, templates: TemplateStore, registry: CommandRegistry) -> None:
        self._templates = templates
        self._signatures: Mapping[str, CommandSignature] = signatures(registry)
        self._programs: OrderedDict[tuple[str, str], Program] = OrderedDict()

    async def get(self, template_id: str, version: str) -> Program | None:
        """The program, or `None` where the template is not stored or not understood here."""
        key = template_id, version
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        template = await self._templates.get(*key)
        if template is None:
            return None
        try:
            program = compile_template(template, self._signatures)
        except DefinitionError:
            return None
        self._programs[key] = program
        if len(self._programs) > MOST_PROGRAMS:
            self._programs.popitem(last=False)
        return program
