"""Receivers: addresses at which other systems tell what happens there. Times in epoch ms."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.automation.specs import Title

OVERLAP_LIMIT_S: Final = 30 * 86_400
MAX_TOLERANCE_S: Final = 3_600

ReceiverKind = Literal["alertmanager", "webhook", "cloudevents"]
Proof = Literal["bearer", "standard", "hmac"]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]


class NewReceiver(BaseModel):
    """A receiver as it is to be. `proof` is how a sender shows that it knows the secret: as a
    bearer token, by a signature of Standard Webhooks, or by an HMAC-SHA-256 of the body in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Title
    kind: ReceiverKind
    proof: Proof | None = Field(
        None, description="Default: `standard` for webhooks, `bearer` for the others."
    )
    signature_header: HeaderName = Field("X-Hub-Signature-256", description="Of `hmac`.")
    timestamp_header: HeaderName | None = Field(
        None,
        description="Of `hmac`: a header with the epoch seconds, which are signed before the body, "
        "with a point between. Without it nothing tells how old a delivery is.",
    )
    tolerance_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far a signed time may be from now."
    )

    @property
    def proven_by(self) -> Proof:
        """The proof that is wanted."""
        return self.proof or ("standard" if self.kind == "webhook" else "bearer")


class Receiver(NewReceiver):
    """A receiver. Its secret is nowhere in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    created_at_ms: int
    created_by: str
    rotated_at_ms: int = 0
    old_secret_until_ms: int = 0


class ReceiverView(BaseModel):
    """A receiver, and where to send to."""

    model_config = ConfigDict(frozen=True)

    receiver: Receiver
    path: str
    rules: tuple[str, ...] = ()


class IssuedReceiver(BaseModel):
    """A receiver with its secret, which is in this answer and never shown again."""

    model_config = ConfigDict(frozen=True)

    receiver: Receiver
    path: str
    secret: str


class ReceiverList(BaseModel):
    """Every receiver, newest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ReceiverView, ...]
