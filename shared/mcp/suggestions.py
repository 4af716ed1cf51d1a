"""The tools about suggestions: what they do with the gateway's API."""

from __future__ import annotations

from typing import Any, Final

from shared.contracts.suggestions import (
    AutocompleteBody,
    FeedbackBody,
    FeedbackTaken,
    SuggestAnswer,
    SuggestBody,
)
from shared.mcp.api import GatewayApi
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report

SUGGEST: Final = "/api/v1/workflows/suggest"
AUTOCOMPLETE: Final = "/api/v1/workflows/autocomplete"
FEEDBACK: Final = "/api/v1/suggestions/feedback"


async def suggest(api: GatewayApi, given: SuggestBody, _report: Report) -> SuggestAnswer:
    """What is wanted now."""
    return await api.post(
        SUGGEST, SuggestAnswer, given.model_dump(mode="json", exclude_defaults=True)
    )


async def feedback(api: GatewayApi, given: FeedbackBody, _report: Report) -> FeedbackTaken:
    """What became of a suggestion."""
    return await api.post(
        FEEDBACK, FeedbackTaken, given.model_dump(mode="json", exclude_defaults=True)
    )


async def autocomplete(api: GatewayApi, given: AutocompleteBody, _report: Report) -> SuggestAnswer:
    """How a sequence goes on."""
    return await api.post(
        AUTOCOMPLETE, SuggestAnswer, given.model_dump(mode="json", exclude_defaults=True)
    )


TABLE: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "workflow_suggest",
        "Suggest a workflow or a command",
        "Says which workflow or next command is wanted now: give an alert, a ticket or prose as "
        "`context`, what is wanted as `intent`, the last commands. Each has a calibrated "
        "confidence, reasons, values for the parameters, what became of earlier runs, and what a "
        "run needs. `nothing_fits` says that no workflow does.",
        SuggestBody,
        SuggestAnswer,
        suggest,
        reads_only=True,
    ),
    Tool(
        "workflow_autocomplete",
        "Go on with a sequence",
        "Says how a started sequence of commands goes on: the workflow that it began, which steps "
        "are done, the rest, values taken from the commands; and the likeliest next commands.",
        AutocompleteBody,
        SuggestAnswer,
        autocomplete,
        reads_only=True,
    ),
    Tool(
        "workflow_feedback",
        "Say what became of a suggestion",
        "Tells that a suggestion was accepted, dismissed or edited, or that no workflow was "
        "wanted; later suggestions follow. The same said again counts once.",
        FeedbackBody,
        FeedbackTaken,
        feedback,
    ),
)
