"""What a tool is: its name, its arguments, its answer, and what it does with the gateway's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mcp import types
from pydantic import BaseModel

from shared.mcp.api import GatewayApi
from shared.mcp.waiting import Report

ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)
AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Tool(Generic[ArgumentsT, AnswerT]):
    """One tool. The first sentence of `description` says what it does."""

    name: str
    title: str
    description: str
    arguments: type[ArgumentsT]
    answer: type[AnswerT]
    run: Callable[[GatewayApi, ArgumentsT, Report], Awaitable[AnswerT]]
    reads_only: bool = False
    destructive: bool = False
    idempotent: bool = False

    async def call(self, api: GatewayApi, given: Mapping[str, Any], report: Report) -> BaseModel:
        """Check the arguments and run. Raises `ValidationError` and `RefusedError`."""
        return await self.run(api, self.arguments.model_validate(given), report)

    def described(self) -> types.Tool:
        """The tool as clients list it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.model_json_schema(),
            output_schema=self.answer.model_json_schema(mode="serialization"),
            annotations=types.ToolAnnotations(
                read_only_hint=self.reads_only,
                destructive_hint=self.destructive,
                idempotent_hint=self.idempotent or self.reads_only,
                open_world_hint=False,
            ),
        )
