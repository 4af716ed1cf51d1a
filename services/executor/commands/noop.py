"""`noop`: nothing, at once."""

from pydantic import BaseModel

from services.executor.commands.base import CommandContext, Completed, Outcome
from shared.commands.noop import SPEC, NoopParameters
from shared.commands.spec import CommandSpec


class NoopCommand:
    """Returns its parameter."""

    spec: CommandSpec = SPEC
    parameters: type[BaseModel] = NoopParameters

    async def run(self, params: NoopParameters, context: CommandContext) -> Outcome:  # noqa: ARG002
        """Complete with the given value."""
        return Completed({"echo": params.echo})
