"""What messages and states are made of: who asks, what failed, what is proven."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """Base of all journal messages."""

    model_config = ConfigDict(frozen=True)


class Actor(BaseModel):
    """Who or what asked for something: a person, an agent, a key, a schedule."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["user", "agent", "schedule", "alert", "system"] = "user"
    id: str = Field("unknown", max_length=200)


ENGINE: Final = Actor(kind="system", id="engine")
"""Who decides what nobody asked for."""


class Failure(BaseModel):
    """Why something did not work: a stable code, words for a person, and whether to try again. Of
    a sub-workflow `touched` are its fleets whose work is to be undone, as paths below it."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    retryable: bool = True
    touched: tuple[str, ...] = ()


class Proof(BaseModel):
    """What is known about the processes of an attempt that was stopped: whether they are gone,
    which they were, what was sent to them, how the first of them ended, and how that is known."""

    model_config = ConfigDict(frozen=True)

    gone: bool
    pids: tuple[int, ...] = ()
    reason: str = ""
    signals: tuple[str, ...] = ()
    exit: str = ""


class Instance(BaseModel):
    """What one instance of a loop is for: item number `index`, and its key in a map. Of a fleet:
    the agent `target` in batch number `batch`, from 1, and its record as `item`. With `given` the
    `item` has values of variables by name, and `target` is the agent it runs on."""

    model_config = ConfigDict(frozen=True)

    index: int
    key: str = ""
    item: Any = None
    target: str = ""
    batch: int = 0
    given: bool = False


class AttemptRecord(BaseModel):
    """One ended attempt. Times are the agent's clock in epoch milliseconds, 0 where nothing ran."""

    model_config = ConfigDict(frozen=True)

    number: int
    outcome: str
    agent: str = ""
    started_at_ms: int = 0
    finished_at_ms: int = 0
    failure: Failure | None = None
    proof: Proof | None = None


class Mark(BaseModel):
    """What a person says became of a step, and why."""

    model_config = ConfigDict(frozen=True)

    verdict: Literal["completed", "failed"]
    by: Actor = Actor()
    reason: str = ""
    output: dict[str, Any] = Field(default_factory=dict)
