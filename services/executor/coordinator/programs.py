"""Programs by template version: loaded once, compiled once, kept within a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from shared.ports.store import TemplateSource
from shared.workflow.errors import WorkflowError
from shared.workflow.program import CommandSignature, Program, compile_template

MOST_PROGRAMS: Final = 1_000


class UnknownTemplateError(WorkflowError):
    """An execution names a template version that is not stored."""


class Programs:
    """A cache of programs, least recently used dropped first."""

    def __init__(self, templates: TemplateSource, commands: Mapping[str, CommandSignature]) -> None:
        self._templates = templates
        self._commands = commands
        self._programs: OrderedDict[tuple[str, str], Program] = OrderedDict()

    def cached(self, template_id: str, version: str) -> Program | None:
        """The program if it is in hand."""
        program = self._programs.get((template_id, version))
        if program is not None:
            self._programs.move_to_end((template_id, version))
        return program

    async def get(self, template_id: str, version: str) -> Program:
        """The program; raises `UnknownTemplateError`, or `DefinitionError` if it is broken."""
        program = self.cached(template_id, version)
        if program is None:
            template = await self._templates.get(template_id, version)
            if template is None:
                raise UnknownTemplateError(f"template {template_id}@{version} is not stored")
            program = compile_template(template, self._commands)
            self._programs[template_id, version] = program
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)
        return program
