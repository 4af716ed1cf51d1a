"""The tools about rules: what each does with the gateway's API."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from shared.automation.specs import RuleSpec
from shared.contracts.api.triggers import RuleList, RuleTest, RuleTestResult, RuleView
from shared.mcp.api import GatewayApi, segment
from shared.mcp.arguments import Arguments
from shared.mcp.waiting import Report

RULES: Final = "/api/v1/triggers/rules"


class ListRules(Arguments):
    """Every rule."""


class CreateRule(Arguments):
    """A rule as it is to be."""

    definition: RuleSpec


class TestRule(RuleTest):
    """A rule, stored or not, and an event to try it with."""

    rule_id: Annotated[str | None, Field(max_length=200, description="A stored rule, `tr_…`.")] = (
        None
    )


async def listed(api: GatewayApi, _given: ListRules, _report: Report) -> RuleList:
    """Every rule."""
    return await api.get(RULES, RuleList)


async def create(api: GatewayApi, given: CreateRule, _report: Report) -> RuleView:
    """Make one."""
    body = given.definition.model_dump(mode="json", exclude_unset=True)
    return await api.post(RULES, RuleView, body)


async def test(api: GatewayApi, given: TestRule, _report: Report) -> RuleTestResult:
    """A dry run."""
    body = given.model_dump(mode="json", exclude_unset=True, exclude={"rule_id"})
    path = f"{RULES}/test" if given.rule_id is None else f"{RULES}/{segment(given.rule_id)}/test"
    return await api.post(path, RuleTestResult, body)
