"""`http`: one HTTP request from the agent's host."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from shared.commands.spec import CommandSpec, EffectRule, Effects, Example

BODY_LIMIT = 1_048_576
"""Longest text body of a request, in characters."""

REDIRECTS_LIMIT = 10
"""Most redirects that one request may follow."""

HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=128)
]
HeaderValue = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$", max_length=8192)
]

FRAMING_HEADERS = ("connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade")
"""Request headers that say where a message ends or what the connection is: the command's own."""

# Bounds stand inside the optional type: outside of it they would not reach the JSON Schema.
Body = Annotated[str, StringConstraints(max_length=BODY_LIMIT)]
Statuses = Annotated[
    list[Annotated[int, Field(ge=100, le=599)]], Field(min_length=1, max_length=100)
]


class HttpParameters(BaseModel):
    """Sends one request and checks the status of its response.

    The address is resolved once and every address it stands for is checked against the agent's
    policy; so is each redirect. Values of secret headers (such as `Authorization`) never appear in
    output or errors. Headers that frame a message (such as `Content-Length`) are the command's own.
    A body packed with gzip or deflate is unpacked, within the bound of every body.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"not": {"required": ["json", "body"]}},
    )

    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="GET", description="The request method."
    )
    url: str = Field(
        min_length=1,
        max_length=8192,
        pattern=r"^[hH][tT][tT][pP][sS]?://",
        description="Absolute address, http or https.",
        examples=["https://example.com/health"],
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, max_length=64, description="Request headers."
    )
    query: dict[str, str | int | float | bool | list[str]] = Field(
        default={}, max_length=256, description="Query parameters, added to those in the address."
    )
    json_body: Any = Field(
        default=None, alias="json", description="A value to send as JSON; excludes `body`."
    )
    body: Body | SkipJsonSchema[None] = Field(
        default=None, description="Text to send as it is; excludes `json`."
    )
    expect_status: Statuses | SkipJsonSchema[None] = Field(
        default=None,
        description="Status codes that count as success; by default 200 to 299.",
    )
    timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Seconds for the whole exchange, redirects included.",
    )
    follow_redirects: int = Field(
        default=5, ge=0, le=REDIRECTS_LIMIT, description="Most redirects to follow; 0 follows none."
    )

    @model_validator(mode="after")
    def _at_most_one_body(self) -> Self:
        if {"json_body", "body"} <= self.model_fields_set:
            raise ValueError("give at most one of: json, body")
        return self

    @field_validator("headers")
    @classmethod
    def _without_framing(cls, headers: dict[str, str]) -> dict[str, str]:
        own = sorted({name for name in headers if name.lower() in FRAMING_HEADERS})
        if own:
            raise ValueError(f"leave out {', '.join(own)}: the command sets what frames a message")
        return headers


class HttpOutput(BaseModel):
    """The response."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(description="Status code of the last response.")
    url: str = Field(description="Where the response came from, without query and credentials.")
    headers: dict[str, str] = Field(
        description="Response headers in lower case, without cookies; long ones are shortened."
    )
    body: str = Field(description="Response body as text.")
    body_bytes: int = Field(description="Bytes of the body that were read.")
    body_truncated: bool = Field(description="Whether the body was longer than the agent keeps.")
    json_: Any = Field(
        default=None,
        alias="json",
        description="The body parsed, if it is JSON by its content type.",
    )
    redirects: int = Field(description="Redirects followed.")
    duration_s: float = Field(description="Seconds from the request to the end of the body.")


SPEC = CommandSpec.of(
    name="http",
    summary="Sends an HTTP request and checks the response's status.",
    parameters=HttpParameters,
    output=HttpOutput,
    effects=Effects.IRREVERSIBLE,
    effect_rules=[
        EffectRule(parameter="method", one_of=("GET", "HEAD", "OPTIONS"), effects=Effects.NONE)
    ],
    capabilities=["http"],
    takes_secrets=True,
    examples=[
        Example(title="Check a service", parameters={"url": "https://example.com/health"}),
        Example(
            title="Send JSON",
            parameters={
                "method": "POST",
                "url": "https://example.com/api/incidents",
                "headers": {"Authorization": "Bearer ${{ params.token }}"},
                "json": {"title": "Disk almost full"},
                "expect_status": [201],
            },
        ),
    ],
)
