"""Recorded commands as the gateway takes them. Times in epoch milliseconds."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.learning.line_glob import GLOB_LIMIT, LineGlob
from shared.learning.records import Id, Name

BATCH_LIMIT: Final = 1_000
"""Commands of one request."""
TEXT_LIMIT: Final = 20_000
"""Characters of a typed text; its first line is recorded."""

Text = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class NewCommand(_Body):
    """A command that was run, where, and how it ended."""

    command: Text
    """What was typed. Its first line is recorded, with secrets replaced by `***`."""
    id: Id | None = Field(None, description="The same id of the same user again counts once.")
    at_ms: int | None = Field(
        None, ge=0, le=10**14, description="When it began; by default now, never later than now."
    )
    session: Name = Field("", description="What tells this shell or conversation from others.")
    cwd: str = Field("", max_length=1_000, description="The folder it was run in.")
    host: Name = ""
    osuser: Name = ""
    shell: Name = ""
    exit: int | None = Field(None, ge=-(2**31), le=2**32, description="Absent: unknown.")
    duration_ms: int | None = Field(None, ge=0, le=10**12)
    more_lines: bool = Field(False, description="It had more lines, which are not sent.")
    source: Literal["shell", "agent", "import", "api"] = "api"

    @field_validator("command")
    @classmethod
    def _says_something(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("a command is not blank")
        return command


class NewCommands(_Body):
    """Commands in the order in which they were run. One alone, or a list, may be sent as it is."""

    commands: tuple[NewCommand, ...] = Field(min_length=1, max_length=BATCH_LIMIT)
    user: Id | None = Field(
        None, description="Whose they are: by default the key's; another's needs an operator."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_a_batch(cls, given: Any) -> Any:
        if isinstance(given, list):
            return {"commands": given}
        if isinstance(given, dict) and "command" in given and "commands" not in given:
            return {"commands": [given]}
        return given


class CommandsRecorded(_Answer):
    """What became of the commands that were sent."""

    recorded: int
    """How many are in the record, those that were there before included."""
    masked: int = 0
    """In how many of them a secret was replaced by `***`, which the sender had not seen."""
    left_out: int = 0
    """How many are not recorded, for the reason in `why`."""
    why: str = ""
    ids: tuple[str, ...] = ()
    """Their ids, as given or as made."""


class ForgetCommands(_Body):
    """What is to be forgotten: one line (`command`), the lines that a pattern means (`matching`),
    or all that a user ever ran (`everything`)."""

    command: Text | None = Field(None, description="This line, as it was typed or as recorded.")
    matching: str | None = Field(
        None,
        min_length=1,
        max_length=GLOB_LIMIT,
        description="Every kept line of the user that fits all of this: `*` is any text, `?` any "
        "character, `\\\\*` a star. Lines that come later are not meant.",
    )
    preview: bool = Field(
        False, description="With `matching`: only tell what it means, and forget nothing."
    )
    everything: bool = Field(False, description="All commands and feedback of the user.")
    user: Id | None = Field(
        None, description="Of whom: by default the key's; another's needs an operator."
    )
    everybody: bool = Field(
        False, description="With `command`: whoever ran it. Needs an operator's key."
    )

    @field_validator("matching")
    @classmethod
    def _is_a_pattern(cls, matching: str | None) -> str | None:
        if matching is not None:
            LineGlob(matching)
        return matching

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        named = (self.command is not None) + (self.matching is not None) + self.everything
        if named != 1:
            raise ValueError("give one of `command`, `matching` and `everything: true`")
        if self.everybody and (self.command is None or self.user is not None):
            raise ValueError("`everybody` goes with `command` alone")
        if self.preview and self.matching is None:
            raise ValueError("`preview` goes with `matching`")
        return self


class ForgetAccepted(_Answer):
    """The order is in the record; whatever is behind it counts again. With `matching` there is an
    order for each line; with `preview`, or where no line is meant, none."""

    id: str
    """The order's, or the first one's; empty where there is none."""
    user: str
    """Whose commands are forgotten; empty: everybody's."""
    command: str = ""
    """The line as it was recorded; empty: all of the user's, or those that `matching` means."""
    matching: str = ""
    preview: bool = False
    """Nothing was ordered."""
    lines: int = 0
    """With `matching`: different lines that it means of what is kept."""
    items: int = 0
    """With `matching`: commands and feedback with those lines."""
    more: bool = False
    """With `preview`: it means more lines than may be forgotten so; they are not counted."""
    examples: tuple[str, ...] = ()
    """With `preview`: a few of the lines; only their owner is shown them."""


class RecordingWanted(_Body):
    """Whether a user's commands are recorded from now on."""

    on: bool
    user: Id | None = Field(
        None, description="Of whom: by default the key's; another's needs an operator."
    )


class RecordingView(_Answer):
    """Whether a user's commands are recorded. `since_ms` 0: nobody ever chose."""

    user: str
    on: bool
    since_ms: int = 0
    by: str = ""
