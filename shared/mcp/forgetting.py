"""The tool by which an AI agent has what its own key recorded forgotten; nobody else's."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import Field, model_validator

from shared.contracts.api.commands import ForgetAccepted, Text
from shared.learning.line_glob import GLOB_LIMIT
from shared.mcp.api import GatewayApi
from shared.mcp.arguments import Arguments
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report

FORGET: Final = "/api/v1/commands/forget"


class ForgetOwn(Arguments):
    """What of your own commands is to be forgotten: one line, the kept lines that fit a pattern,
    or, only with `confirm`, everything."""

    command: Text | None = Field(None, description="This line, as it was run or as recorded.")
    matching: str | None = Field(
        None,
        min_length=1,
        max_length=GLOB_LIMIT,
        description="Kept lines that fit all of this: `*` is any text, `?` any character.",
    )
    confirm: bool = Field(
        False, description="With `matching`: forget them. Without it they are only told."
    )
    confirm_everything: bool = Field(
        False, description="Alone: forget all that your key ever recorded. Ask your user first."
    )

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        named = (self.command is not None) + (self.matching is not None) + self.confirm_everything
        if named != 1:
            raise ValueError("give one of `command`, `matching` and `confirm_everything`")
        if self.confirm and self.matching is None:
            raise ValueError("`confirm` goes with `matching`")
        return self


async def forget(api: GatewayApi, given: ForgetOwn, _report: Report) -> ForgetAccepted:
    """Order it, or look at what a pattern means; the gateway takes the key's name as the user."""
    if given.command is not None:
        body: dict[str, Any] = {"command": given.command}
    elif given.matching is not None:
        body = {"matching": given.matching, "preview": not given.confirm}
    else:
        body = {"everything": True}
    return await api.post(FORGET, ForgetAccepted, body)


TABLE: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "command_forget",
        "Forget commands",
        "Has commands of your own key forgotten: they leave the record, and what was learned of "
        "them. With `matching` it only tells which lines it means, until `confirm` is true.",
        ForgetOwn,
        ForgetAccepted,
        forget,
        destructive=True,
    ),
)
