"""The gateway's REST API, typed: every answer is a contract, every refusal a `CliError`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.cli.advice import hv
from services.cli.connection import Connection
from services.cli.outcome import CliError, ExitCode
from shared.contracts.api.problems import ProblemDetails

if TYPE_CHECKING:  # each method imports what it answers with: the models take long to build
    from shared.contracts.api.approvals import ApprovalView
    from shared.contracts.api.collective import Fleet, NewMemory, NewParticipant
    from shared.contracts.api.executions import (
        ExecuteRequest,
        ExecutionAccepted,
        ExecutionSummary,
        ExecutionView,
        LogRecord,
        RequestAccepted,
    )
    from shared.contracts.api.operating import BulkAnswer, RerunAnswer
    from shared.contracts.api.templates import TemplateStored, TemplateSummary, TemplateView
    from shared.contracts.api.validation import ValidationReport
    from shared.contracts.collective import Memory, MemoryQuery, Participant, Recalled
    from shared.contracts.delegations import Delegation
    from shared.contracts.events import PublicEvent
    from shared.workflow.definition import Template

TIMEOUT_S = 30.0
"""How long any answer may take, beyond what the gateway was asked to wait."""

BULK_TIMEOUT_S = 120.0
"""The same for a bulk request, which asks up to 500 executions."""

PAGE = 100
_TEMPLATES = "/api/v1/workflows/templates"
_INBOX_PAGE = 50
"""Executions on one page of the inbox, each with everything that would run."""
_EXECUTIONS = "/api/v1/workflows/executions"
_LISTS = {
    _TEMPLATES: "templates",
    _EXECUTIONS: "executions",
    "/api/v1/agents": "agents",
    "/api/v1/delegations": "delegations",
    "/api/v1/webhooks": "webhooks",
    "/api/v1/keys": "keys",
    "/api/v1/schedules": "schedules",
    "/api/v1/triggers/rules": "triggers",
    "/api/v1/triggers/receivers": "triggers receivers",
}

ModelT = TypeVar("ModelT", bound=BaseModel)


class Gateway:
    """One gateway, spoken to with one key. Use it as a context manager."""

    def __init__(
        self,
        connection: Connection,
        transport: httpx.BaseTransport | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`transport` stands in for the network in tests."""
        self.connection = connection
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=connection.url,
            headers={"Authorization": f"Bearer {connection.key}"},
            timeout=timeout_s,
            transport=transport,
            trust_env=not connection.is_local,
            # Without TLS there is nothing to verify, and to read the certificates takes 50 ms.
            verify=connection.is_encrypted,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    # Templates

    def templates(
        self, *, category: str | None = None, search: str | None = None, tag: str | None = None
    ) -> Iterator[TemplateSummary]:
        """The newest version of each template, by id."""
        from shared.contracts.api.templates import TemplatePage

        query = {"category": category, "text": search, "tag": tag}
        for page in self._pages(_TEMPLATES, TemplatePage, query, limit=None):
            yield from page.items

    def template(self, template_id: str, version: str | None = None) -> TemplateView:
        """One version of a template, the newest by default."""
        from shared.contracts.api.templates import TemplateView

        path = f"{_TEMPLATES}/{_segment(template_id)}"
        return self.get(path, TemplateView, {"version": version})

    def template_versions(self, template_id: str) -> tuple[TemplateSummary, ...]:
        """Every version of a template, newest first."""
        from shared.contracts.api.templates import TemplateVersions

        path = f"{_TEMPLATES}/{_segment(template_id)}/versions"
        return self.get(path, TemplateVersions).items

    def template_text(self, template_id: str, version: str | None = None) -> str:
        """One version of a template as YAML."""
        path = f"{_TEMPLATES}/{_segment(template_id)}/export"
        return self._send("GET", path, query={"version": version}).text

    def store_template(self, template: Template) -> TemplateStored:
        """Store a new version."""
        from shared.contracts.api.templates import TemplateStored

        body = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return self.post(_TEMPLATES, TemplateStored, body)

    def validate(self, body: dict[str, Any]) -> ValidationReport:
        """What would be found of a definition, or of a run."""
        from shared.contracts.api.validation import ValidationReport

        return self.post("/api/v1/workflows/validate", ValidationReport, body)

    # Executions

    def execute(
        self, request: ExecuteRequest, *, wait_s: float = 0, idempotency_key: str | None = None
    ) -> ExecutionAccepted:
        """Run a template; with `wait_s` the answer may hold the ended execution."""
        from shared.contracts.api.executions import ExecutionAccepted

        return self.post(
            "/api/v1/workflows/execute",
            ExecutionAccepted,
            request.model_dump(mode="json", exclude_none=True),
            query={"wait": wait_s or None},
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else None,
            timeout_s=wait_s + self._timeout_s,
        )

    def executions(self, limit: int, **filters: Any) -> Iterator[ExecutionSummary]:
        """Executions, newest first, at most `limit`."""
        from shared.contracts.api.executions import ExecutionPage

        count = 0
        for page in self._pages(_EXECUTIONS, ExecutionPage, filters, limit):
            for item in page.items:
                if count == limit:
                    return
                yield item
                count += 1

    def execution(self, execution_id: str, *, wait_s: float = 0) -> ExecutionView:
        """One execution as last stored, or (`wait_s`, at most 60) once it has ended."""
        from shared.contracts.api.executions import ExecutionView

        path = f"{_EXECUTIONS}/{_segment(execution_id)}"
        return self.get(path, ExecutionView, {"wait": wait_s or None}, wait_s + self._timeout_s)

    def execution_events(self, execution_id: str) -> Iterator[PublicEvent]:
        """Every stored event of an execution, in order."""
        from shared.contracts.api.executions import ExecutionEvents

        for page in self._after(f"{_EXECUTIONS}/{_segment(execution_id)}/events", ExecutionEvents):
            yield from page.items

    def logs(self, execution_id: str, step: str | None = None) -> Iterator[LogRecord]:
        """Every line that the commands of an execution wrote so far."""
        from shared.contracts.api.executions import ExecutionLogs

        path = f"{_EXECUTIONS}/{_segment(execution_id)}/logs"
        for page in self._after(path, ExecutionLogs, {"step": step}):
            yield from page.items

    def follow_logs(self, execution_id: str, step: str | None = None) -> Iterator[LogRecord]:
        """The same, and further lines as they are written, until the execution has ended."""
        from shared.contracts.api.executions import LogRecord

        path = f"{_EXECUTIONS}/{_segment(execution_id)}/logs"
        for line in self.lines(path, {"step": step, "follow": True}):
            yield LogRecord.model_validate_json(line)

    def lines(self, path: str, query: Mapping[str, Any]) -> Iterator[str]:
        """The lines of a stream, as they come, to its end."""
        try:
            with self._http.stream("GET", path, params=_present(query), timeout=None) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                yield from filter(None, answer.iter_lines())
        except httpx.HTTPError as error:
            raise _unreachable(self.connection.url, error) from None

    def ask_execution(
        self, execution_id: str, request: str, body: Mapping[str, Any]
    ) -> RequestAccepted:
        """Ask for something about an execution: cancel, approve, reject, pause, resume."""
        from shared.contracts.api.executions import RequestAccepted

        path = f"{_EXECUTIONS}/{_segment(execution_id)}/{request}"
        return self.post(path, RequestAccepted, body)

    def rerun(
        self, execution_id: str, body: Mapping[str, Any], idempotency_key: str
    ) -> RerunAnswer:
        """Run an ended execution again."""
        from shared.contracts.api.operating import RerunAnswer

        path = f"{_EXECUTIONS}/{_segment(execution_id)}/rerun"
        headers = {"Idempotency-Key": idempotency_key}
        return self.post(path, RerunAnswer, body, headers=headers)

    def bulk(self, body: Mapping[str, Any]) -> BulkAnswer:
        """Do the same to every execution that fits."""
        from shared.contracts.api.operating import BulkAnswer

        return self.post(f"{_EXECUTIONS}/bulk", BulkAnswer, body, timeout_s=BULK_TIMEOUT_S)

    def approvals(self, execution_id: str) -> tuple[ApprovalView, ...]:
        """Every gate of an execution, open ones first."""
        from shared.contracts.api.approvals import ExecutionApprovals

        path = f"{_EXECUTIONS}/{_segment(execution_id)}/approvals"
        return self.get(path, ExecutionApprovals).items

    def inbox(self, *, everybody: bool = False) -> Iterator[ApprovalView]:
        """Every open gate that this key may answer, or all."""
        from shared.contracts.api.approvals import ApprovalPage

        query = {"everybody": everybody}
        for page in self._pages("/api/v1/approvals", ApprovalPage, query, limit=_INBOX_PAGE):
            yield from page.items

    # The hive

    def fleet(self) -> Fleet:
        """The live agents, and everybody who takes delegated tasks."""
        from shared.contracts.api.collective import Fleet

        return self.get("/api/v1/agents", Fleet)

    def register(self, participant: NewParticipant) -> Participant:
        """Register a person or an AI agent for delegated tasks."""
        from shared.contracts.collective import Participant

        body = participant.model_dump(mode="json")
        return self.post("/api/v1/agents/participants", Participant, body)

    def remove_participant(self, name: str) -> None:
        """Forget a participant."""
        self._send("DELETE", f"/api/v1/agents/participants/{_segment(name)}")

    def delegations(self, limit: int, **filters: Any) -> tuple[Delegation, ...]:
        """Delegations that fit, newest first, at most `limit` (200)."""
        from shared.contracts.api.collective import DelegationPage

        query = {**filters, "limit": limit}
        return self.get("/api/v1/delegations", DelegationPage, query).items

    def answer_delegation(
        self,
        delegation_id: str,
        answer: str,
        body: Mapping[str, Any] | None = None,
        participant: str | None = None,
    ) -> Delegation:
        """Accept, complete or decline one, as the key's owner or in another's name."""
        from shared.contracts.delegations import Delegation

        path = f"/api/v1/delegations/{_segment(delegation_id)}/{answer}"
        return self.post(path, Delegation, body or {}, query={"participant": participant})

    def remember(self, memory: NewMemory) -> Memory:
        """Keep something in the collective memory."""
        from shared.contracts.collective import Memory

        body = memory.model_dump(mode="json", exclude_none=True)
        return self.post("/api/v1/memories", Memory, body)

    def recall(self, query: MemoryQuery) -> tuple[Recalled, ...]:
        """What the collective memory knows, best first."""
        from shared.contracts.api.collective import RecalledMemories

        given = {**query.model_dump(mode="json", exclude_none=True), "tags": query.tags}
        return self.get("/api/v1/memories", RecalledMemories, given).items

    # What all of them are made of

    def get(
        self,
        path: str,
        model: type[ModelT],
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> ModelT:
        """GET as a contract; parameters that are None are left out."""
        return _read(model, self._send("GET", path, query=query, timeout_s=timeout_s))

    def post(
        self,
        path: str,
        model: type[ModelT],
        body: Mapping[str, Any],
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> ModelT:
        """POST JSON, and the answer as a contract."""
        answer = self._send(
            "POST", path, query=query, json=body, headers=headers, timeout_s=timeout_s
        )
        return _read(model, answer)

    def patch(self, path: str, model: type[ModelT], body: Mapping[str, Any]) -> ModelT:
        """PATCH JSON, and the answer as a contract."""
        return _read(model, self._send("PATCH", path, json=body))

    def put(
        self,
        path: str,
        model: type[ModelT],
        body: Mapping[str, Any],
        *,
        query: Mapping[str, Any] | None = None,
    ) -> ModelT:
        """PUT JSON, and the answer as a contract."""
        return _read(model, self._send("PUT", path, query=query, json=body))

    def delete(self, path: str, model: type[ModelT]) -> ModelT:
        """DELETE, and the answer as a contract."""
        return _read(model, self._send("DELETE", path))

    def _pages(
        self, path: str, model: type[ModelT], query: Mapping[str, Any], limit: int | None
    ) -> Iterator[ModelT]:
        cursor: str | None = None
        size = PAGE if limit is None else max(1, min(limit, PAGE))
        while True:
            page = self.get(path, model, {**query, "limit": size, "cursor": cursor})
            yield page
            cursor = getattr(page, "next_cursor", None)
            if not cursor:
                return

    def _after(
        self, path: str, model: type[ModelT], query: Mapping[str, Any] | None = None
    ) -> Iterator[ModelT]:
        after: int | None = None
        while True:
            page = self.get(path, model, {**(query or {}), "after": after})
            yield page
            after = getattr(page, "next_after", None)
            if after is None:
                return

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        try:
            answer = self._http.request(
                method,
                path,
                params=_present(query or {}),
                json=json,
                headers=headers,
                timeout=timeout_s or self._timeout_s,
            )
        except httpx.HTTPError as error:
            raise _unreachable(self.connection.url, error) from None
        if answer.is_success:
            return answer
        raise _refusal(answer)


def _present(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query without what was not given; a tuple becomes a repeated parameter."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in query.items()
        if value not in (None, ())
    }


def _read(model: type[ModelT], answer: httpx.Response) -> ModelT:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, first["loc"])) or "the body"
        raise CliError(
            f"The answer of {answer.request.url.path} is not what this version of hv understands "
            f"({where}: {first['msg']}). Use the same version for hv and the gateway.",
            ExitCode.NOT_REACHABLE,
        ) from None


def _refusal(answer: httpx.Response) -> CliError:
    try:
        problem = ProblemDetails.model_validate_json(answer.content)
    except ValidationError:
        message = (
            f"The gateway answered {answer.status_code} {answer.reason_phrase}, but not as a "
            f"gateway does: is the address right ({answer.request.url.copy_with(raw_path=b'/')})?"
        )
        return CliError(message, _code(answer.status_code), status=answer.status_code)
    incident = f" (incident {problem.incident})" if problem.incident else ""
    return CliError(
        f"{_in_our_words(problem.detail or problem.title)}{incident}",
        _code(answer.status_code),
        problem.errors,
        answer.status_code,
    )


def _in_our_words(sentence: str) -> str:
    """A sentence of the gateway, with the command of `hv` in the place of a request to list."""

    def command(found: re.Match[str]) -> str:
        known = _LISTS.get(found["path"])
        return f"`{hv(known)}` lists them" if known else found[0]

    return re.sub(r"GET (?P<path>\S+) lists them", command, sentence)


def _code(status: int) -> ExitCode:
    """What a refusal stands for: the key and the gateway itself are not the input's fault."""
    if status in (401, 403, 429) or status >= 500:
        return ExitCode.NOT_REACHABLE
    return ExitCode.BAD_INPUT


def _unreachable(url: str, error: httpx.HTTPError) -> CliError:
    reason = str(error) or type(error).__name__
    return CliError(
        f"The gateway at {url} cannot be reached: {reason}. "
        f"Is the stack up (`{hv('status')}`), and is the address right (--url, HIVE_URL)?",
        ExitCode.NOT_REACHABLE,
    )


def _segment(name: str) -> str:
    """A name as one part of a path."""
    from urllib.parse import quote

    return quote(name, safe="")
